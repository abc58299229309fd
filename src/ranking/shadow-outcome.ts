import { rankCorrelation } from '../util/rank-correlation.js';
import type { Scored } from './serving-model.js';

/** What one request says of a shadow model, to be summed over many. */
export interface ShadowOutcome {
  readonly requests: number;
  /** Time of a run, ms. */
  readonly servingMs: number;
  readonly shadowMs: number;
  /** 1 when it gave several items the same score. */
  readonly constant: number;
  /** Rank correlation of its scores with the serving model's. */
  readonly correlation: number;
}

export function shadowOutcome(serving: Scored, shadow: Scored): ShadowOutcome {
  const { scores } = shadow;
  return {
    requests: 1, servingMs: serving.elapsedMs, shadowMs: shadow.elapsedMs,
    constant: scores.length > 1 && isConstant(scores) ? 1 : 0, correlation: rankCorrelation(serving.scores, scores),
  };
}

/** Scores that differ by less than this, times the larger of 1 and the score, rank nothing. */
const SAME_SCORE = 1e-6;

/** Whether a model made no difference between the items. */
export function isConstant(scores: Float32Array): boolean {
  let low = Infinity;
  let high = -Infinity;
  for (const score of scores) {
    if (score < low) low = score;
    if (score > high) high = score;
  }
  return high - low <= SAME_SCORE * Math.max(1, Math.abs(high));
}
