import { ITEM_FEATURES } from './features.js';

/** Weights of the fallback scorer by feature: what each says when there is no model. */
const WEIGHTS: Partial<Record<(typeof ITEM_FEATURES)[number], number>> = {
  popularity: 0.15, trending: 0.5, price_level_share: 0.5,
  leaf_short: 0.6, leaf_long: 0.3, root_short: 0.3, root_long: 0.15, brand_short: 0.3, brand_long: 0.2, tag_long: 0.1,
  related: 2, neighbors: 2, disliked: -5, page_same_leaf: 0.5,
};
const TERMS = ITEM_FEATURES.flatMap((name, column) => (WEIGHTS[name] === undefined ? [] : [[column, WEIGHTS[name]] as const]));

/** A linear score over the same features, for when the model cannot answer. */
export function fallbackScores(items: Float32Array, count: number): Float32Array {
  const scores = new Float32Array(count);
  for (let slot = 0; slot < count; slot++) {
    let score = 0;
    for (const [column, weight] of TERMS) score += weight * items[slot * ITEM_FEATURES.length + column]!;
    scores[slot] = score;
  }
  return scores;
}
