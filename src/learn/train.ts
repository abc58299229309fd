import { Presets, SingleBar } from 'cli-progress';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeShoppers } from '../demo/shoppers.js';
import { makeStore } from '../demo/store.js';
import { visits } from '../demo/visits.js';
import { makeWorld } from '../demo/world.js';
import type { Item } from '../domain/item.js';
import { USER_FEATURES } from '../profile/vector.js';
import { fallbackScores } from '../ranking/fallback.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import { sha256 } from '../ranking/manifest.js';
import { loadModel } from '../ranking/model.js';
import { seededRandom } from '../util/random.js';
import { collect, measureScaling, standardise, type Dataset, type Split } from './dataset.js';
import { exportMlp } from './export-mlp.js';
import { fit } from './fit.js';
import { goldenCases } from './golden.js';
import { evaluate, type Quality, type Scorer } from './metrics.js';
import { modelCard } from './model-card.js';
import { replay, type ReplayedList } from './rows.js';
import { saveModel } from './save-model.js';

/**
 * `npm run train`: the demo's shoppers → replay through the engine's own path → a small network → a model folder,
 * measured on days it has not seen. A simple, honest baseline. The same options give the same model, bit for bit.
 */

const DAY_MS = 86_400_000;
/** End of the simulated days; fixed, so that a run can be repeated. */
const UNTIL_MS = Date.UTC(2026, 0, 1);
const CANDIDATES_MAX = 200;
/** Parts of the span by time: first only folded, then trained on, then validation, the rest test. */
const SPANS = { train: 0.25, validation: 0.75, test: 0.85 } as const;

interface TrainOptions {
  readonly out: string;
  readonly seed: number;
  readonly shoppers: number;
  readonly days: number;
}

const features = { userFeatures: USER_FEATURES, itemFeatures: ITEM_FEATURES };

async function train(options: TrainOptions): Promise<void> {
  const { out, seed, days } = options;
  const from = UNTIL_MS - days * DAY_MS;
  const spanAt = (part: number): number => from + part * days * DAY_MS;
  const bar = new SingleBar({ format: '{stage} |{bar}| {percentage}% {note}', hideCursor: true }, Presets.shades_classic);

  bar.start(days, 0, { stage: 'replay', note: '' });
  const { dataset, events } = replayDays(options, from, spanAt, (day) => { bar.update(day); });
  bar.stop();

  const scaling = measureScaling(dataset.train);
  bar.start(dataset.train.length, 0, { stage: 'train ', note: '' });
  const { mlp, epochs, ndcg10 } = await fit({
    shape: { user: USER_FEATURES.length, item: ITEM_FEATURES.length },
    train: dataset.train.map((list) => standardise(list, scaling)),
    validation: dataset.validation.map((list) => standardise(list, scaling)),
    random: seededRandom(seed),
    onProgress: ({ epoch, lists, validation }) => {
      bar.update(lists, { note: `epoch ${epoch + 1}${validation < 0 ? '' : `, validation NDCG@10 ${validation.toFixed(4)}`}` });
    },
  });
  bar.stop();

  const onnx = exportMlp(mlp, scaling.user, scaling.item);
  const content = {
    onnx, golden: goldenCases(dataset.test),
    manifest: {
      name: 'demo-mlp', version: sha256(onnx).slice(0, 12), ...mutable(features),
      trainedAt: new Date().toISOString(),
      data: {
        source: 'visits simulated by src/demo', seed, shoppers: options.shoppers, days, events,
        from: iso(from), trainFrom: iso(spanAt(SPANS.train)), validationFrom: iso(spanAt(SPANS.validation)),
        testFrom: iso(spanAt(SPANS.test)), until: iso(UNTIL_MS),
        lists: { train: dataset.train.length, validation: dataset.validation.length, test: dataset.test.length },
      },
      metrics: {}, licence: 'Apache-2.0',
    },
  };
  await rm(join(out, 'manifest.json'), { force: true });
  await saveModel(out, content);
  // Measured with the model as it will be served: read from its folder and run by onnxruntime.
  const test = await measure(out, dataset.test, seed);
  const manifest = { ...content.manifest, metrics: { test, validation: { ndcg10 }, epochs } };
  await saveModel(out, { ...content, manifest });
  await writeFile(join(out, 'README.md'), modelCard({ manifest, test, command: commandOf(options) }));
  console.log(`${manifest.name}@${manifest.version} → ${out}\n`);
  console.table(test.candidates);
  console.table(test.shown);
}

/** Simulates and replays the days. */
function replayDays(
  { seed, shoppers: count, days }: TrainOptions, from: number, spanAt: (part: number) => number, onDay: (day: number) => void,
): { dataset: Dataset; events: number } {
  const items: Item[] = makeStore({ seed, now: UNTIL_MS });
  const world = makeWorld(items, seed);
  const span = { from, to: UNTIL_MS };
  const shoppers = makeShoppers({ seed, count, world, ...span });
  let events = 0;
  let day = 0;
  const records = function* (): ReturnType<typeof visits> {
    for (const record of visits({ seed, world, shoppers, ...span })) {
      if (record.kind === 'event') events += 1;
      if (record.at >= from + day * DAY_MS) onDay(day++);
      yield record;
    }
    onDay(days);
  };
  const splitOf = (at: number): Split => (at < spanAt(SPANS.validation) ? 'train' : at < spanAt(SPANS.test) ? 'validation' : 'test');
  const random = seededRandom(seed + 1);
  const lists = replay({ items, records: records(), from: spanAt(SPANS.train), candidatesMax: CANDIDATES_MAX, random });
  return { dataset: collect(lists, splitOf, random), events };
}

export type Measured = Record<'candidates' | 'shown' | 'newcomers', Record<'model' | 'fallback' | 'popularity' | 'random', Quality>>;

/** Scores the test lists with the model in a folder and with the baselines. */
async function measure(folder: string, lists: readonly ReplayedList[], seed: number): Promise<Measured> {
  const model = await loadModel(folder, features);
  const random = seededRandom(seed + 2);
  const popularity = ITEM_FEATURES.indexOf('popularity');
  const scorers: Record<keyof Measured['shown'], Scorer> = {
    model: (list) => model.score(list.user, list.items, list.count),
    fallback: (list) => fallbackScores(list.items, list.count),
    popularity: (list) => Array.from({ length: list.count }, (_, row) => list.items[row * ITEM_FEATURES.length + popularity]!),
    random: (list) => Array.from({ length: list.count }, random),
  };
  const measureAll = async (some: readonly ReplayedList[]): Promise<Measured['shown']> => ({
    model: await evaluate(some, scorers.model), fallback: await evaluate(some, scorers.fallback),
    popularity: await evaluate(some, scorers.popularity), random: await evaluate(some, scorers.random),
  });
  const candidates = lists.filter((list) => list.kind === 'candidates');
  const measured = {
    candidates: await measureAll(candidates),
    shown: await measureAll(lists.filter((list) => list.kind === 'shown')),
    newcomers: await measureAll(candidates.filter((list) => list.events < 5)),
  };
  await model.retire();
  return measured;
}

const iso = (ms: number): string => new Date(ms).toISOString();
const mutable = (names: typeof features): { userFeatures: string[]; itemFeatures: string[] } =>
  ({ userFeatures: [...names.userFeatures], itemFeatures: [...names.itemFeatures] });
const commandOf = ({ seed, shoppers, days }: TrainOptions): string => `npm run train -- --seed ${seed} --shoppers ${shoppers} --days ${days}`;

function readOptions(): TrainOptions {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'models/default' },
      seed: { type: 'string', default: '7' },
      shoppers: { type: 'string', default: '1500' },
      days: { type: 'string', default: '45' },
    },
  });
  const whole = (name: 'seed' | 'shoppers' | 'days'): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1, not "${values[name]}"`);
    return value;
  };
  return { out: values.out, seed: whole('seed'), shoppers: whole('shoppers'), days: whole('days') };
}

await train(readOptions());
