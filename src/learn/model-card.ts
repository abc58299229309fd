import type { Quality } from './metrics.js';
import type { ModelFolder } from './save-model.js';

type Rows = Readonly<Record<string, Quality>>;

interface CardOptions {
  readonly manifest: ModelFolder['manifest'];
  readonly test: { readonly candidates: Rows; readonly shown: Rows; readonly newcomers: Rows };
  readonly command: string;
}

/** The README beside a model: what it is, what it learnt from, how good it is and how to make it again. */
export function modelCard({ manifest, test, command }: CardOptions): string {
  const { data } = manifest;
  return `# ${manifest.name}@${manifest.version}

A small ranker: two hidden layers (128, 64) over ${manifest.userFeatures.length} shopper features and ${manifest.itemFeatures.length} features of shopper and item,
trained with a listwise softmax loss for each of clicking, putting into the cart and buying (worth 1, 2 and 4 in all). No feature is an item's
identity, so it ranks catalogs it has never seen. Written by \`${command}\`, which
gives the same \`model.onnx\` again, bit for bit on the same platform. Licence: ${manifest.licence}.

## Data

Simulated, not real: ${text(data['events'])} events of ${text(data['shoppers'])} shoppers over ${text(data['days'])} days made by \`src/demo\` (seed ${text(data['seed'])}; the demo store
itself uses another). They were replayed in time order through the engine's own fold, candidate sources and feature
assembly; neighbours and popularity were rebuilt daily, trending lists every quarter of an hour. Split by time: training from
${day(data['trainFrom'])}, validation from ${day(data['validationFrom'])} (early stopping), test from ${day(data['testFrom'])} to ${day(data['until'])}.
The simulator fills its lists without regard to the shopper's taste for single items, so places and clicks are not
confounded and nothing corrects for position; on logs of a real storefront something must.

## Measured on the test days, through onnxruntime

Ranking the up to 200 candidates of the engine, where something the shopper went on to click is among them:

${table(test.candidates)}

Of these, shoppers with fewer than five events:

${table(test.newcomers)}

Ranking exactly the ten items shown:

${table(test.shown)}

\`fallback\` is the linear scorer that stands in when no model can answer. NDCG and HR are means over lists, ± one
standard error; the simulated shopper clicks by chance, so neither can reach 1. These figures say that the model learns what the simulator hides, not how
it would do in a shop: train on your own events before relying on it.
`;
}

function table(rows: Rows): string {
  const lines = Object.entries(rows).map(([name, { ndcg10, ndcg10Error, hr10, lists }]) =>
    `| ${name} | ${ndcg10.toFixed(4)} ± ${ndcg10Error.toFixed(4)} | ${hr10.toFixed(4)} | ${lists} |`);
  return ['| scorer | NDCG@10 | HR@10 | lists |', '|---|---|---|---|', ...lines].join('\n');
}

const text = (value: unknown): string => (typeof value === 'number' ? value.toLocaleString('en') : String(value));
const day = (value: unknown): string => String(value).slice(0, 10);
