import type { Comparison, Performance } from './compare.js';

/**
 * The rule by which a model replaces the serving one: on lists of the latest day, which it was not trained on, it ranks
 * better beyond doubt (lower end of the 95 % interval of the difference in NDCG@10 above zero), and nothing else gets worse.
 */
export const PROMOTION_RULE = {
  /** Fewer lists with a deed, or fewer shoppers, decide nothing. */
  listsMin: 200, shoppersMin: 50,
  /** Share of lists that may come out with all scores the same. */
  constantMax: 0.01,
  /** The median run may take this many times the serving model's, or this much longer, ms, whichever is more. */
  slowerFactor: 2, slowerMs: 0.3,
} as const;

export interface Verdict {
  readonly promote: boolean;
  /** What decided. */
  readonly why: string;
}

/** Judges a candidate by its comparison with the serving model. Pure. */
export function judgeByRule(comparison: Comparison): Verdict {
  const { lists, shoppers, serving, candidate, difference } = comparison;
  const fault = guardFault(candidate, serving.p50Ms);
  if (fault !== undefined) return { promote: false, why: fault };
  if (lists < PROMOTION_RULE.listsMin || shoppers < PROMOTION_RULE.shoppersMin) {
    return { promote: false, why: `${lists} lists of ${shoppers} shoppers are too few to judge by (${PROMOTION_RULE.listsMin} of ${PROMOTION_RULE.shoppersMin} are needed)` };
  }
  const { mean, low, high } = difference['NDCG@10'];
  const found = `NDCG@10 ${signed(mean)} (95 %: ${signed(low)} … ${signed(high)}) against ${serving.label} on ${lists} lists`;
  // Written so that NaN does not promote.
  return low > 0 ? { promote: true, why: `better: ${found}` } : { promote: false, why: `not better beyond doubt: ${found}` };
}

/** @returns what is wrong with how a model scores, whatever its ranking is worth */
function guardFault(candidate: Performance, servingMs: number): string | undefined {
  const { slowerFactor, slowerMs, constantMax } = PROMOTION_RULE;
  if (candidate.notFinite > 0) return `${percent(candidate.notFinite)} of the lists got scores that are no finite numbers`;
  if (candidate.constant > constantMax) return `${percent(candidate.constant)} of the lists got the same score for all items`;
  const limit = Math.max(servingMs * slowerFactor, servingMs + slowerMs);
  if (candidate.p50Ms > limit) return `its median run takes ${candidate.p50Ms.toFixed(2)} ms, more than ${limit.toFixed(2)} ms (the serving one: ${servingMs.toFixed(2)})`;
  return undefined;
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
