import { USER_FEATURES } from '../../profile/vector.js';
import { OFFER_COLUMN as OFFER, OFFER_FEATURES } from './offer-features.js';

const WIDTH = OFFER_FEATURES.length;
const USER = Object.fromEntries(USER_FEATURES.map((name, column) => [name, column]));

/**
 * What is believed of conversions as long as there is no response model: not fitted to anything, only in the right order. Logits; each
 * column as the features state it.
 */
const PRIOR = {
  /** About 3 of 100 visits buy. */
  base: -3.5,
  user: { has_order: 0.6, cart_lines: 0.6, add_to_cart_1d: 0.4, view_item_30m: 0.15 } as Readonly<Record<string, number>>,
  offer: {
    is_offer: 0.1, value_share: 2, spend_missing: -0.8, price_cut: 1, interest_short: 0.05, interest_long: 0.02, page_in_scope: 0.2,
    item_viewed: 0.3, item_wished: 0.5, item_carted: 0.5, selected: 0.5, dismissed: -1.5,
  },
} as const;
const USER_TERMS = Object.entries(PRIOR.user).map(([name, weight]) => ({ column: USER[name]!, weight }));
const OFFER_TERMS = Object.entries(PRIOR.offer).map(([name, weight]) => ({ column: OFFER[name as keyof typeof PRIOR.offer], weight }));

/** Standard error that the prior is credited with, and a model that does not state its own (`metrics.logitError`), logits. */
export const PRIOR_ERROR = { prior: 1, model: 0.3 } as const;

/** Scores as a response model gives them: logits by row, row 0 without an offer. */
export function priorScores(user: Float32Array, rows: Float32Array, count: number): Float32Array {
  let base = PRIOR.base;
  for (const { column, weight } of USER_TERMS) base += weight * user[column]!;
  const scores = new Float32Array(count).fill(base);
  for (let row = 1; row < count; row++) {
    let score = base;
    for (const { column, weight } of OFFER_TERMS) score += weight * rows[row * WIDTH + column]!;
    scores[row] = score;
  }
  return scores;
}
