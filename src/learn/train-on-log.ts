import type { Item } from '../domain/item.js';
import { USER_FEATURES } from '../profile/vector.js';
import { fallbackScores } from '../ranking/fallback.js';
import { ENGINE_FEATURES, ITEM_FEATURES } from '../ranking/features.js';
import { loadModel } from '../ranking/model.js';
import { seededRandom } from '../util/random.js';
import type { LogRecord } from './log.js';
import { makeModel, type MadeModel, type MakeModelOptions } from './make-model.js';
import type { OnProgress } from './progress.js';
import { evaluate, type Quality, type Scorer } from './metrics.js';
import { LIST_LIMITS, ListStore, type StoredList } from './ranker/lists.js';
import { replay } from './rows.js';

const LOG_LIMITS = {
  /** Candidates of a list: what the engine ranks by default. */
  candidatesMax: 200,
  /** Items shown in one list. */
  shownMax: 50,
} as const;
/** A shopper with fewer events is a newcomer; between two whole numbers, as the feature is a logarithm in single precision. */
const NEWCOMER_EVENTS = 4.5;

/** Times at which a log is cut, ms: what comes before `train` is only folded. */
export interface LogSpans { readonly train: number; readonly validation: number; readonly test: number; readonly until: number }

export interface TrainOnLogOptions extends Pick<MakeModelOptions, 'out' | 'seed' | 'start' | 'values' | 'settings'> {
  readonly items: readonly Item[];
  /** In time order. */
  readonly records: Iterable<LogRecord> | AsyncIterable<LogRecord>;
  readonly spans: LogSpans;
  /** Item features to learn from. */
  readonly reads: ReadonlySet<string>;
  readonly about: (lists: { readonly train: number; readonly validation: number; readonly test: number }) => MakeModelOptions['about'];
  readonly onProgress: OnProgress;
}

export type Measured = Record<'candidates' | 'shown' | 'newcomers', Record<'model' | 'fallback' | 'popularity' | 'random', Quality>>;

/** What the model never saw: lists of the test span, as candidates and as shown. */
interface TestLists { readonly candidates: ListStore; readonly shown: ListStore }

/** From a log with impressions to a model folder: replay through the engine's own path, fit, measure on the latest span. */
export async function trainOnLog({ items, records, spans, reads, about, ...options }: TrainOnLogOptions): Promise<MadeModel & { readonly test: Measured }> {
  const { seed, out, onProgress } = options;
  const random = seededRandom(seed + 1);
  const store = (rows: number, share: number): ListStore => new ListStore(rows, random, LIST_LIMITS.floatsMax * share);
  const pair = (share: number): TestLists => ({ candidates: store(LOG_LIMITS.candidatesMax, share * 0.9), shown: store(LOG_LIMITS.shownMax, share * 0.1) });
  const parts = { train: pair(0.7), validation: pair(0.15), test: pair(0.15) };
  for await (const list of replay({ items, records, from: spans.train, candidatesMax: LOG_LIMITS.candidatesMax, reads, random })) {
    const part = list.at < spans.validation ? parts.train : list.at < spans.test ? parts.validation : parts.test;
    part[list.kind].add(list);
    onProgress({ stage: 'replay', done: list.at - spans.train, total: spans.until - spans.train, note: `${parts.train.candidates.offered} lists` });
  }
  // What was shown is measured, not learnt from: the candidates' lists hold the same deeds, and a ranker that also learnt to
  // order the few shown ranked the candidates of the demo's test days a little worse.
  const made = await makeModel({
    ...options, train: parts.train.candidates, validation: parts.validation.candidates,
    about: about({ train: parts.train.candidates.size, validation: parts.validation.candidates.size, test: parts.test.candidates.size }),
  });
  return { ...made, test: await measure(out, parts.test, seed) };
}

/** Scores the test lists with the model as it will be served, read from its folder and run by onnxruntime, and with the baselines. */
async function measure(folder: string, { candidates, shown }: TestLists, seed: number): Promise<Measured> {
  const model = await loadModel(folder, ENGINE_FEATURES);
  const random = seededRandom(seed + 2);
  const popularity = ITEM_FEATURES.indexOf('popularity');
  const scorers: Record<keyof Measured['shown'], Scorer> = {
    model: (list) => model.score(list.user, list.items, list.count),
    fallback: (list) => fallbackScores(list.items, list.count),
    popularity: (list) => Array.from({ length: list.count }, (_, row) => list.items[row * ITEM_FEATURES.length + popularity]!),
    random: (list) => Array.from({ length: list.count }, random),
  };
  const measureAll = async (lists: Iterable<StoredList>): Promise<Measured['shown']> => {
    const some = [...lists];
    return {
      model: await evaluate(some, scorers.model), fallback: await evaluate(some, scorers.fallback),
      popularity: await evaluate(some, scorers.popularity), random: await evaluate(some, scorers.random),
    };
  };
  const few = Math.log1p(NEWCOMER_EVENTS);
  const events = USER_FEATURES.indexOf('events');
  const measured = {
    candidates: await measureAll(candidates), shown: await measureAll(shown),
    newcomers: await measureAll([...candidates].filter(({ user }) => user[events]! < few)),
  };
  await model.retire();
  return measured;
}
