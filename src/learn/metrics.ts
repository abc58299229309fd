import type { ReplayedList } from './rows.js';

const DEPTH = 10;

export interface Quality {
  /** Normalised discounted gain of the first ten places, gain = worth. */
  readonly ndcg10: number;
  /** Standard error of `ndcg10`, as if lists were independent. */
  readonly ndcg10Error: number;
  /** Share of lists with an item of worth among the first ten. */
  readonly hr10: number;
  readonly lists: number;
}

export type Scorer = (list: ReplayedList) => ArrayLike<number> | Promise<ArrayLike<number>>;

/** Mean quality of a scorer over lists. */
export async function evaluate(lists: readonly ReplayedList[], scorer: Scorer): Promise<Quality> {
  let ndcg = 0;
  let squares = 0;
  let hits = 0;
  for (const list of lists) {
    const order = ranking(await scorer(list), list.count);
    const ideal = ranking(list.worth, list.count);
    const value = gain(list, order) / gain(list, ideal);
    ndcg += value;
    squares += value * value;
    if (order.some((row) => list.worth[row]! > 0)) hits += 1;
  }
  const count = Math.max(1, lists.length);
  const variance = Math.max(0, squares / count - (ndcg / count) ** 2);
  return { ndcg10: round(ndcg / count), ndcg10Error: round(Math.sqrt(variance / count)), hr10: round(hits / count), lists: lists.length };
}

/** The first rows by score. Equal scores go by row, last first: a scorer gains nothing from the order it was given. */
function ranking(scores: ArrayLike<number>, count: number): number[] {
  const rows = Array.from({ length: count }, (_, row) => row);
  return rows.sort((a, b) => scores[b]! - scores[a]! || b - a).slice(0, DEPTH);
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

const gain = (list: ReplayedList, order: readonly number[]): number =>
  order.reduce((sum, row, place) => sum + list.worth[row]! / Math.log2(place + 2), 0);
