import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeShoppers } from '../demo/shoppers.js';
import { makeStore } from '../demo/store.js';
import { visits } from '../demo/visits.js';
import { makeWorld } from '../demo/world.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { Clock } from '../util/clock.js';
import type { OnProgress } from './progress.js';
import { modelCard } from './model-card.js';
import { RANKER_SETTINGS, type RankerSettings } from './ranker/settings.js';
import { readExported } from './ranker/warm-start.js';
import { saveModel, type ModelFolder } from './save-model.js';
import { trainOnLog, type LogSpans, type Measured } from './train-on-log.js';

const DAY_MS = 86_400_000;
/** End of the simulated days; fixed, so that a run can be repeated. */
const UNTIL_MS = Date.UTC(2026, 0, 1);
/** Likeness by attributes costs a request as much as all other features together: a store's own model may earn that, not one for any store. */
const READS: ReadonlySet<string> = new Set(ITEM_FEATURES.filter((name) => !name.startsWith('similar')));
/** Parts of the span by time: first only folded, then trained on, then validation, the rest test. */
const SPANS = { train: 0.25, validation: 0.75, test: 0.85 } as const;

/** What the simulated shoppers click is half chance: smaller steps learnt less of it by heart. */
const DEMO_SETTINGS: RankerSettings = { ...RANKER_SETTINGS, rate: 5e-4, rateDecay: 0.8, epochsMax: 12 };

export interface DemoTrainingOptions {
  readonly out: string;
  readonly seed: number;
  readonly shoppers: number;
  readonly days: number;
  readonly from?: string | undefined;
  readonly clock: Clock;
  readonly onProgress: OnProgress;
}

/** The demo's shoppers → a model folder with its card, measured on days it has not seen. The same options give the same model. */
export async function trainOnDemo(options: DemoTrainingOptions): Promise<{ manifest: ModelFolder['manifest']; test: Measured }> {
  const { out, seed, days, from, shoppers: count, clock, onProgress } = options;
  const begin = UNTIL_MS - days * DAY_MS;
  const at = (part: number): number => begin + part * days * DAY_MS;
  const spans: LogSpans = { train: at(SPANS.train), validation: at(SPANS.validation), test: at(SPANS.test), until: UNTIL_MS };
  const items = makeStore({ seed, now: UNTIL_MS });
  const world = makeWorld(items, seed);
  const span = { from: begin, to: UNTIL_MS };
  const shoppers = makeShoppers({ seed, count, world, ...span });
  let events = 0;
  const records = function* (): ReturnType<typeof visits> {
    for (const record of visits({ seed, world, shoppers, ...span })) {
      if (record.kind === 'event') events += 1;
      yield record;
    }
  };
  const { content, test, ndcg10, epochs } = await trainOnLog({
    items, records: records(), spans, reads: READS, out, seed, onProgress, settings: DEMO_SETTINGS, start: from === undefined ? undefined : await readExported(from),
    about: (lists) => ({
      name: 'demo-mlp', trainedAt: new Date(clock()).toISOString(), licence: 'Apache-2.0',
      data: {
        source: 'visits simulated by src/demo', seed, shoppers: count, days, events, from: iso(begin), trainFrom: iso(spans.train),
        validationFrom: iso(spans.validation), testFrom: iso(spans.test), until: iso(UNTIL_MS), lists,
      },
    }),
  });
  const manifest = { ...content.manifest, metrics: { test, validation: { ndcg10 }, epochs } };
  await saveModel(out, { ...content, manifest });
  const command = `npm run train -- --seed ${seed} --shoppers ${count} --days ${days}${from === undefined ? '' : ` --from ${from}`}`;
  await writeFile(join(out, 'README.md'), modelCard({ manifest, test, command }));
  return { manifest, test };
}

const iso = (ms: number): string => new Date(ms).toISOString();
