import { AppError } from '../../errors.js';
import { seededRandom, shuffle } from '../../util/random.js';
import { add } from '../graph/ops.js';
import { Tape, type Value } from '../graph/tape.js';
import { TrainingGraph, type Feeds } from '../graph/training-graph.js';
import { Weights } from '../graph/weights.js';
import { Batch, columnsOf, type Columns } from './batches.js';
import { DEED, DEED_VALUES, type DeedValues, type ListStore, type StoredList } from './lists.js';
import { headScores, rankingLoss, type NetworkShape } from './network.js';
import { measureScaling } from './scaling.js';
import { RankerJudge } from './judge.js';
import { startFrom, type ExportedRanker } from './warm-start.js';

export interface RankerSettings {
  readonly hidden: readonly [number, number];
  readonly dropout: number;
  /** Lists per step. */
  readonly batch: number;
  readonly rate: number;
  /** The rate shrinks by this factor every epoch. */
  readonly rateDecay: number;
  readonly weightDecay: number;
  readonly epochsMax: number;
  /** Steps of an epoch, at least: few lists are gone through several times before they are judged. */
  readonly stepsMin: number;
  /** Epochs without a better validation NDCG before training stops. */
  readonly patience: number;
}

export const RANKER_SETTINGS: RankerSettings = {
  hidden: [128, 64], dropout: 0.1, batch: 64, rate: 1e-3, rateDecay: 0.8, weightDecay: 0.1, epochsMax: 12, stepsMin: 60, patience: 2,
};

/** Lists to learn from. Either store may be empty. */
export interface TrainingLists {
  /** What the engine would have ranked, shown or not. */
  readonly candidates: ListStore;
  /** What was shown, with the places. */
  readonly shown: ListStore;
}

export interface FitRankerOptions {
  readonly train: TrainingLists;
  /** Lists that decide when to stop; of other questions than those trained on. */
  readonly validation: ListStore;
  readonly values?: DeedValues;
  readonly settings?: RankerSettings;
  readonly seed: number;
  /** Weights to go on from, instead of random ones. */
  readonly start?: ExportedRanker | undefined;
  readonly onProgress: (progress: RankerProgress) => void;
}

export interface RankerProgress {
  /** Steps done and in all, if training is not stopped early. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  /** Best so far; undefined before the first epoch's end. */
  readonly ndcg10: number | undefined;
}

/** A network that was trained, and all it takes to make it a serving graph. */
export interface Ranker {
  readonly weights: Weights;
  readonly columns: Columns;
  readonly shape: NetworkShape;
  /** What each head counts in the score. */
  readonly headValues: readonly number[];
  readonly epochs: number;
  /** Of the validation lists. */
  readonly ndcg10: number;
}

/**
 * Trains a network to rank lists and keeps the epoch that ranks the validation lists best. A deed that nobody did has
 * no head. The same lists and seed give the same weights.
 * @throws AppError `invalid_request` when there is nothing to learn
 */
export async function fitRanker(options: FitRankerOptions): Promise<Ranker> {
  const { train, validation, values = DEED_VALUES, settings = RANKER_SETTINGS, seed } = options;
  const stores = [train.candidates, train.shown].filter(({ size }) => size > 0);
  const heads = headsOf(stores, values);
  if (heads.length === 0) throw nothingToLearn(train);
  const columns = columnsOf(measureScaling(stores));
  if (columns.item.length === 0) throw new AppError('invalid_request', 'There is nothing to learn a ranking from: by their features, all items are alike.');
  const shape: NetworkShape = { hidden: settings.hidden, heads: heads.length, dropout: settings.dropout };
  const weights = new Weights(seededRandom(seed));
  const headValues = heads.map(({ value }) => value);
  if (options.start !== undefined) startFrom(weights, options.start, columns, shape, headValues);
  const parts = stores.map((store) => new Part(store, new Batch(Math.min(settings.batch, store.size), store.rowsMax, columns, heads.map(({ least }) => least)), seed));
  const graph = await compile(parts, weights, headValues, shape, settings, seed);
  const judge = new RankerJudge(validation, { columns, shape, weights, headValues }, values);
  try {
    return { weights, columns, shape, headValues, ...await runEpochs(graph, parts, judge, options, settings) };
  } finally {
    await graph.release();
  }
}

/** One store of lists, batch after batch in an order of its own, over and over. */
class Part {
  readonly stepsPerPass: number;
  readonly #order: number[];
  #next = 0;
  #passes = 0;

  constructor(readonly store: ListStore, readonly batch: Batch, readonly seed: number) {
    this.#order = Array.from({ length: store.size }, (_, i) => i);
    this.stepsPerPass = Math.ceil(store.size / batch.lists);
  }

  fillNext(): void {
    if (this.#next === 0) shuffle(this.#order, seededRandom(this.seed + this.#passes++));
    const from = this.#next * this.batch.lists;
    this.batch.fill(this.store, this.#order.slice(from, from + this.batch.lists));
    this.#next = (this.#next + 1) % this.stepsPerPass;
  }
}

/** Steps through epochs; the graph is left with the weights of the best. */
async function runEpochs(
  graph: TrainingGraph, parts: readonly Part[], judge: RankerJudge, { start, onProgress }: FitRankerOptions, settings: RankerSettings,
): Promise<{ epochs: number; ndcg10: number }> {
  const perEpoch = Math.max(parts[0]!.stepsPerPass, settings.stepsMin);
  // What was given to go on from is kept when training makes it no better.
  let best = { ndcg10: start === undefined ? -1 : (await judge.quality()).ndcg10, epoch: 0, state: graph.checkpoint() };
  let epoch = 0;
  for (; epoch < settings.epochsMax && epoch - best.epoch <= settings.patience; epoch++) {
    for (let step = 0; step < perEpoch; step++) {
      for (const part of parts) part.fillNext();
      await graph.step(Object.assign({}, ...parts.map(({ batch }, i) => batch.feeds(prefixOf(i)))) as Feeds, settings.rateDecay ** epoch);
      onProgress({ step: epoch * perEpoch + step + 1, steps: settings.epochsMax * perEpoch, epoch, ndcg10: best.ndcg10 < 0 ? undefined : best.ndcg10 });
    }
    const { ndcg10 } = await judge.quality();
    if (ndcg10 > best.ndcg10) best = { ndcg10, epoch, state: graph.checkpoint() };
  }
  graph.restore(best.state);
  return { epochs: epoch, ndcg10: best.ndcg10 };
}

const prefixOf = (part: number): string => `part${part}_`;

/** One graph for all parts: their losses are added up. */
function compile(
  parts: readonly Part[], weights: Weights, headValues: readonly number[], shape: NetworkShape, { rate, weightDecay: decay }: RankerSettings, seed: number,
): Promise<TrainingGraph> {
  const tape = new Tape('ranker', weights, { training: true });
  const losses = parts.map(({ store, batch: { lists, rows, columns } }, i) => {
    const input = (name: string, ...shapeOf: number[]): Value => tape.input(prefixOf(i) + name, shapeOf);
    const scores = headScores(tape, input('user', lists, columns.user.length), input('items', lists, rows, columns.item.length), shape);
    const max = placesMax(store);
    return rankingLoss(tape, scores, headValues, {
      present: input('present', lists, rows), offset: input('offset', lists, rows),
      worth: headValues.map((_, head) => input(`worth_${head}`, lists, rows)),
      places: max === 0 ? undefined : { values: tape.input(`${prefixOf(i)}places`, [lists * rows], 'int32'), max },
    });
  });
  return TrainingGraph.compile(tape, losses.reduce(add), { rate, decay, seed });
}

/** The deeds that were done, each with the least that counts for it and its value. */
function headsOf(stores: readonly ListStore[], values: DeedValues): { least: number; value: number }[] {
  const most = greatest(stores, ({ deeds }) => deeds);
  return [
    { least: DEED.clicked, value: values.clicked }, { least: DEED.carted, value: values.carted }, { least: DEED.bought, value: values.bought },
  ].filter(({ least, value }) => least <= most && value > 0);
}

const placesMax = (store: ListStore): number => greatest([store], ({ places }) => places);

function greatest(stores: readonly ListStore[], valuesOf: (list: StoredList) => Uint8Array): number {
  let most = 0;
  for (const store of stores) for (const list of store) for (const value of valuesOf(list)) most = Math.max(most, value);
  return most;
}

function nothingToLearn({ candidates, shown }: TrainingLists): AppError {
  const flat = candidates.flat + shown.flat;
  return new AppError('invalid_request', flat === 0
    ? 'There is nothing to learn a ranking from: nobody was asked anything.'
    : `There is nothing to learn a ranking from: in all of ${flat} lists, nothing or everything was taken.`);
}
