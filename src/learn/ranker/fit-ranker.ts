import { AppError } from '../../errors.js';
import { seededRandom, shuffle } from '../../util/random.js';
import { Tape, type Value } from '../graph/tape.js';
import { TrainingGraph } from '../graph/training-graph.js';
import { Weights } from '../graph/weights.js';
import { Batch, columnsOf, type Columns } from './batches.js';
import { DEED, type ListStore } from './lists.js';
import { headScores, rankingLoss, type NetworkShape } from './network.js';
import { measureScaling } from './scaling.js';
import { RankerJudge } from './judge.js';

/** What each deed is worth, beyond those it includes: buying is worth 4 clicks in all, putting into the cart 2. */
export interface DeedValues { readonly clicked: number; readonly carted: number; readonly bought: number }
export const DEED_VALUES: DeedValues = { clicked: 1, carted: 1, bought: 2 };

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
  /** Epochs without a better validation NDCG before training stops. */
  readonly patience: number;
}

export const RANKER_SETTINGS: RankerSettings = {
  hidden: [128, 64], dropout: 0.1, batch: 64, rate: 1e-3, rateDecay: 0.8, weightDecay: 0.1, epochsMax: 12, patience: 2,
};

export interface FitRankerOptions {
  readonly train: ListStore;
  /** Lists that decide when to stop; of other questions than those trained on. */
  readonly validation: ListStore;
  readonly values?: DeedValues;
  readonly settings?: RankerSettings;
  readonly seed: number;
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
  const heads = headsOf(train, values);
  if (heads.length === 0) {
    throw new AppError('invalid_request', `There is nothing to learn a ranking from: in ${train.flat} of ${train.flat + train.offered} lists everything or nothing was taken.`);
  }
  const columns = columnsOf(measureScaling(train));
  const shape: NetworkShape = { hidden: settings.hidden, heads: heads.length, dropout: settings.dropout };
  const weights = new Weights(seededRandom(seed));
  const batch = new Batch(Math.min(settings.batch, train.size), train.rowsMax, columns, heads.map(({ least }) => least));
  const headValues = heads.map(({ value }) => value);
  const graph = await compile(batch, placesMax(train), weights, headValues, shape, settings, seed);
  const judge = new RankerJudge(validation, { columns, shape, weights, headValues }, values);
  try {
    return { weights, columns, shape, headValues, ...await runEpochs(graph, batch, judge, options, settings) };
  } finally {
    await graph.release();
  }
}

/** Steps through epochs; the graph is left with the weights of the best. */
async function runEpochs(
  graph: TrainingGraph, batch: Batch, judge: RankerJudge, { train, seed, onProgress }: FitRankerOptions, settings: RankerSettings,
): Promise<{ epochs: number; ndcg10: number }> {
  const order = Array.from({ length: train.size }, (_, i) => i);
  const perEpoch = Math.ceil(train.size / batch.lists);
  let best = { ndcg10: -1, epoch: 0, state: graph.checkpoint() };
  let epoch = 0;
  for (; epoch < settings.epochsMax && epoch - best.epoch <= settings.patience; epoch++) {
    shuffle(order, seededRandom(seed + epoch));
    for (let step = 0; step < perEpoch; step++) {
      batch.fill(train, order.slice(step * batch.lists, (step + 1) * batch.lists));
      await graph.step(batch.feeds(), settings.rateDecay ** epoch);
      onProgress({ step: epoch * perEpoch + step + 1, steps: settings.epochsMax * perEpoch, epoch, ndcg10: best.ndcg10 < 0 ? undefined : best.ndcg10 });
    }
    const ndcg10 = await judge.ndcg10();
    if (ndcg10 > best.ndcg10) best = { ndcg10, epoch, state: graph.checkpoint() };
  }
  graph.restore(best.state);
  return { epochs: epoch, ndcg10: best.ndcg10 };
}

function compile(
  { lists, rows, columns, deeds }: Batch, places: number, weights: Weights, headValues: readonly number[], shape: NetworkShape,
  { rate, weightDecay: decay }: RankerSettings, seed: number,
): Promise<TrainingGraph> {
  const tape = new Tape('ranker', weights, { training: true });
  const matrix = (name: string): Value => tape.input(name, [lists, rows]);
  const byHead = (prefix: string): Value[] => deeds.map((_, head) => matrix(`${prefix}_${head}`));
  const scores = headScores(tape, tape.input('user', [lists, columns.user.length]), tape.input('items', [lists, rows, columns.item.length]), shape);
  const loss = rankingLoss(tape, scores, headValues, {
    present: matrix('present'), offset: matrix('offset'), worth: byHead('worth'),
    shown: places === 0 ? undefined : {
      present: matrix('shown'), worth: byHead('shown_worth'), places: tape.input('places', [lists * rows], 'int32'), placesMax: places,
    },
  });
  return TrainingGraph.compile(tape, loss, { rate, decay, seed });
}

/** The deeds that were done, each with the least that counts for it and its value. */
function headsOf(lists: ListStore, values: DeedValues): { least: number; value: number }[] {
  let most = 0;
  for (const { deeds } of lists) for (const deed of deeds) most = Math.max(most, deed);
  return [
    { least: DEED.clicked, value: values.clicked }, { least: DEED.carted, value: values.carted }, { least: DEED.bought, value: values.bought },
  ].filter(({ least, value }) => least <= most && value > 0);
}

function placesMax(lists: ListStore): number {
  let most = 0;
  for (const { places } of lists) for (const place of places) most = Math.max(most, place);
  return most;
}
