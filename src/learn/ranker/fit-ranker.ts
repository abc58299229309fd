import { AppError } from '../../errors.js';
import { seededRandom } from '../../util/random.js';
import { Tape, type Value } from '../graph/tape.js';
import { TrainingGraph } from '../graph/training-graph.js';
import { Weights } from '../graph/weights.js';
import { Batch, columnsOf } from './batches.js';
import { DEED, DEED_VALUES, type DeedValues, type ListStore, type StoredList } from './lists.js';
import { headScores, rankingLoss, type NetworkShape } from './network.js';
import { measureScaling } from './scaling.js';
import { RankerJudge } from './judge.js';
import type { FitRankerOptions, Ranker } from './ranker.js';
import { RANKER_SETTINGS, type RankerSettings } from './settings.js';
import { Passes } from './passes.js';
import { runEpochs } from './run-epochs.js';
import { bestColumn, rankByColumn } from './single-column.js';
import { startFrom } from './warm-start.js';

/** Steps that a pass through a small store takes. */
const PASS_STEPS = 16;

/**
 * Trains a network to rank lists and keeps the epoch that ranks the validation lists best, or what is best of single
 * features where that is better still. A deed that nobody did has no head. The same lists and seed give the same weights.
 * @throws AppError `invalid_request` when there is nothing to learn
 */
export async function fitRanker(options: FitRankerOptions): Promise<Ranker> {
  const { train, validation, values = DEED_VALUES, settings = RANKER_SETTINGS, seed } = options;
  const heads = headsOf(train, values);
  if (heads.length === 0) throw nothingToLearn(train);
  const columns = columnsOf(measureScaling(train));
  if (columns.item.length === 0) throw new AppError('invalid_request', 'There is nothing to learn a ranking from: by their features, all items are alike.');
  const shape: NetworkShape = { hidden: settings.hidden, heads: heads.length, dropout: settings.dropout };
  const weights = new Weights(seededRandom(seed));
  const headValues = heads.map(({ value }) => value);
  if (options.start !== undefined) startFrom(weights, options.start, columns, shape, headValues);
  const passes = new Passes(train, new Batch(batchOf(train, settings), train.rowsMax, columns, heads.map(({ least }) => least)), seed);
  const graph = await compile(passes, weights, headValues, shape, settings, seed);
  const judge = new RankerJudge(validation, { columns, shape, weights, headValues }, values);
  try {
    const { epochs, ndcg10 } = await runEpochs(graph, passes, judge, options, settings);
    const ranker = { weights, columns, shape, headValues, epochs, ndcg10 };
    // Few lists may teach less than what one number says: then that number ranks.
    const single = await bestColumn(validation, columns.item, values);
    if (single === undefined || single.ndcg10 <= ndcg10) return ranker;
    rankByColumn(ranker, single.column);
    return { ...ranker, ndcg10: single.ndcg10 };
  } finally {
    await graph.release();
  }
}

/** A small store takes smaller batches: many cheap steps teach more than few dear ones. */
const batchOf = ({ size }: ListStore, { batch, batchMin }: RankerSettings): number =>
  Math.min(size, batch, Math.max(batchMin, Math.ceil(size / PASS_STEPS)));

function compile(
  { store, batch: { lists, rows, columns } }: Passes, weights: Weights, headValues: readonly number[], shape: NetworkShape, { rate, weightDecay: decay, loss: kind }: RankerSettings, seed: number,
): Promise<TrainingGraph> {
  const tape = new Tape('ranker', weights, { training: true });
  const input = (name: string, ...shapeOf: number[]): Value => tape.input(name, shapeOf);
  const scores = headScores(tape, input('user', lists, columns.user.length), input('items', lists, rows, columns.item.length), shape);
  const max = greatest(store, ({ places }) => places);
  const loss = rankingLoss(tape, scores, headValues, {
    present: input('present', lists, rows), offset: input('offset', lists, rows),
    worth: headValues.map((_, head) => input(`worth_${head}`, lists, rows)),
    places: max === 0 ? undefined : { values: tape.input('places', [lists * rows], 'int32'), max },
  }, kind);
  return TrainingGraph.compile(tape, loss, { rate, decay, seed });
}

/** The deeds that were done, each with the least that counts for it and its value. */
function headsOf(lists: ListStore, values: DeedValues): { least: number; value: number }[] {
  const most = greatest(lists, ({ deeds }) => deeds);
  return [
    { least: DEED.clicked, value: values.clicked }, { least: DEED.carted, value: values.carted }, { least: DEED.bought, value: values.bought },
  ].filter(({ least, value }) => least <= most && value > 0);
}

function greatest(lists: ListStore, valuesOf: (list: StoredList) => Uint8Array): number {
  let most = 0;
  for (const list of lists) for (const value of valuesOf(list)) most = Math.max(most, value);
  return most;
}

function nothingToLearn({ flat }: ListStore): AppError {
  return new AppError('invalid_request', flat === 0
    ? 'There is nothing to learn a ranking from: nobody was asked anything.'
    : `There is nothing to learn a ranking from: in all of ${flat} lists, nothing or everything was taken.`);
}
