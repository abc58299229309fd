import { DEED_VALUES, worthOfDeeds, type DeedValues, type RankList } from './ranker/lists.js';

const DEPTH = 10;

export interface Quality {
  /** Normalised discounted gain of the first ten places, gain = worth of what was done. */
  readonly ndcg10: number;
  /** Standard error of `ndcg10`, as if lists were independent. */
  readonly ndcg10Error: number;
  /** Share of lists with something done among the first ten. */
  readonly hr10: number;
  readonly lists: number;
}

export type Scorer = (list: RankList, index: number) => ArrayLike<number> | Promise<ArrayLike<number>>;

/** Mean quality of a scorer over lists. */
export async function evaluate(lists: Iterable<RankList>, scorer: Scorer, values: DeedValues = DEED_VALUES): Promise<Quality> {
  const worthOfDeed = worthOfDeeds(values);
  let ndcg = 0;
  let squares = 0;
  let hits = 0;
  let count = 0;
  for (const list of lists) {
    const order = topRows(await scorer(list, count), list.count);
    const worth = Array.from(list.deeds, (deed) => worthOfDeed[deed]!);
    const value = gain(worth, order) / gain(worth, topRows(worth, list.count));
    ndcg += value;
    squares += value * value;
    if (order.some((row) => list.deeds[row]! > 0)) hits += 1;
    count += 1;
  }
  const divisor = Math.max(1, count);
  const variance = Math.max(0, squares / divisor - (ndcg / divisor) ** 2);
  return { ndcg10: round(ndcg / divisor), ndcg10Error: round(Math.sqrt(variance / divisor)), hr10: round(hits / divisor), lists: count };
}

/** The first ten rows by score. NaN is last, and equal scores go by row, last first: a scorer gains nothing from the order it was given. */
export function topRows(scores: ArrayLike<number>, count: number): number[] {
  const value = (row: number): number => (Number.isNaN(scores[row]!) ? -Infinity : scores[row]!);
  const rows = Array.from({ length: count }, (_, row) => row);
  return rows.sort((a, b) => (value(a) === value(b) ? b - a : value(b) - value(a))).slice(0, DEPTH);
}

/** Discounted gain (Järvelin and Kekäläinen, 2002) of rows in this order. */
export const gain = (worth: ArrayLike<number>, order: readonly number[]): number =>
  order.reduce((sum, row, place) => sum + worth[row]! / Math.log2(place + 2), 0);

const round = (value: number): number => Math.round(value * 1e4) / 1e4;
