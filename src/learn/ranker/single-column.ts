import { ITEM_FEATURES } from '../../ranking/features.js';
import { evaluate } from '../metrics.js';
import type { DeedValues, ListStore } from './lists.js';
import type { Ranker } from './ranker.js';

/** Columns that rank by themselves, more is better: what a trained ranker must do better than. */
const RANKING = ['neighbors', 'neighbors_rank', 'encoder', 'similar', 'popularity', 'popularity_lasting', 'touch_count', 'touch_rank'] as const;
/** Standardised values below minus this are cut off: far outside what training saw. */
const SHIFT = 30;

/** The column that ranks the lists best by itself; undefined when none varies. */
export async function bestColumn(lists: ListStore, varies: readonly number[], values: DeedValues): Promise<{ column: number; ndcg10: number } | undefined> {
  let best: { column: number; ndcg10: number } | undefined;
  for (const column of RANKING.map((name) => ITEM_FEATURES.indexOf(name)).filter((one) => varies.includes(one))) {
    const { ndcg10 } = await evaluate(lists, ({ items, count }) => Float32Array.from({ length: count }, (_, row) => items[row * lists.itemWidth + column]!), values);
    if (best === undefined || ndcg10 > best.ndcg10) best = { column, ndcg10 };
  }
  return best;
}

/** Sets the weights so that the network ranks by one column: the first unit of each layer hands it on, the others say nothing. */
export function rankByColumn({ weights, columns, shape }: Pick<Ranker, 'weights' | 'columns' | 'shape'>, column: number): void {
  const all = new Map(weights.entries());
  const [first] = shape.hidden;
  const set = (name: string, write: (values: Float32Array) => void): void => {
    const { values } = all.get(name)!;
    values.fill(0);
    write(values);
  };
  set('user_weights', () => { /* The shopper does not matter. */ });
  set('item_weights', (values) => { values[columns.item.indexOf(column) * first] = 1; });
  set('bias1', (values) => { values[0] = SHIFT; });
  set('second_weights', (values) => { values[0] = 1; });
  set('second_bias', () => { /* None. */ });
  set('head_weights', (values) => { values.fill(1, 0, shape.heads); });
}
