import { performance } from 'node:perf_hooks';
import { ENGINE_FEATURES } from '../../ranking/features.js';
import { loadModel, type Model } from '../../ranking/model.js';
import { isConstant } from '../../ranking/shadow-outcome.js';
import type { Random } from '../../util/random.js';
import { rankCorrelation } from '../../util/rank-correlation.js';
import { judgeReordering } from '../evaluate/judge-reordering.js';
import type { OffPolicyEstimate } from '../evaluate/off-policy.js';
import { gain, topRows } from '../metrics.js';
import type { JudgedList } from './judged-lists.js';

/** Resamples of the bootstrap: the ends of a 95 % interval are then good to a few per cent of its width. */
const RESAMPLES = 1000;

/** A mean over lists and its 95 % interval. */
export interface Estimate { readonly mean: number; readonly low: number; readonly high: number }

/** What one model made of the lists. */
export interface Performance {
  readonly label: string;
  readonly 'NDCG@10': number;
  readonly 'HR@10': number;
  /** Time of a run, ms: half of them took no longer, and 99 of 100. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Shares of lists with a score that is no finite number, and with all scores the same. */
  readonly notFinite: number;
  readonly constant: number;
}

export interface Comparison {
  readonly lists: number;
  readonly shoppers: number;
  readonly serving: Performance;
  readonly candidate: Performance;
  /** Candidate less serving, of the same lists; resampled by shopper, whose lists are not independent. */
  readonly difference: { readonly 'NDCG@10': Estimate; readonly 'HR@10': Estimate };
  /** Mean rank correlation (Spearman) of their scores within a list. */
  readonly correlation: number;
  /** What a list would have earned, in worth, had either model ordered what it showed; undefined without lists. */
  readonly offPolicy?: { readonly serving: OffPolicyEstimate; readonly candidate: OffPolicyEstimate };
}

/** How a model did on each list. */
interface Judged {
  readonly ndcg: Float64Array;
  readonly hit: Float64Array;
  readonly scores: readonly Float32Array[];
  readonly performance: Performance;
}

/**
 * Scores the same lists with two models, as the engine would, and compares.
 * @param own the same lists with the features that the candidate would have been given, where they are others
 * @throws AppError `model_refused` when one of them cannot serve
 */
export async function compareModels(
  serving: string, candidate: string, lists: readonly JudgedList[], random: Random, own: readonly JudgedList[] = lists,
): Promise<Comparison> {
  const a = await judge(serving, lists);
  const b = await judge(candidate, own);
  const shoppers = lists.map((list) => list.shopper);
  return {
    lists: lists.length, shoppers: new Set(shoppers).size, serving: a.performance, candidate: b.performance,
    difference: {
      'NDCG@10': bootstrap(shoppers, difference(b.ndcg, a.ndcg), random),
      'HR@10': bootstrap(shoppers, difference(b.hit, a.hit), random),
    },
    correlation: mean(lists.map((_, i) => rankCorrelation(a.scores[i]!, b.scores[i]!))),
    ...(lists.length === 0 ? {} : { offPolicy: { serving: judgeReordering(lists, a.scores), candidate: judgeReordering(lists, b.scores) } }),
  };
}

async function judge(folder: string, lists: readonly JudgedList[]): Promise<Judged> {
  const model = await loadModel(folder, ENGINE_FEATURES);
  try {
    return await judgeLoaded(model, lists);
  } finally {
    await model.retire();
  }
}

async function judgeLoaded(model: Model, lists: readonly JudgedList[]): Promise<Judged> {
  const ndcg = new Float64Array(lists.length);
  const hit = new Float64Array(lists.length);
  const scores: Float32Array[] = [];
  const times: number[] = [];
  let notFinite = 0;
  let constant = 0;
  for (const [i, list] of lists.entries()) {
    const startedAt = performance.now();
    const given = await model.score(list.user, list.items, list.count);
    times.push(performance.now() - startedAt);
    scores.push(given);
    if (!given.every(Number.isFinite)) notFinite += 1;
    else if (isConstant(given)) constant += 1;
    const top = topRows(given, list.count);
    ndcg[i] = gain(list.worth, top) / gain(list.worth, topRows(list.worth, list.count));
    hit[i] = top.some((row) => list.worth[row]! > 0) ? 1 : 0;
  }
  times.sort((a, b) => a - b);
  const share = (count: number): number => (lists.length === 0 ? 0 : count / lists.length);
  return {
    ndcg, hit, scores,
    performance: {
      label: model.label, 'NDCG@10': mean(ndcg), 'HR@10': mean(hit), notFinite: share(notFinite), constant: share(constant),
      p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99),
    },
  };
}

/** Percentile bootstrap of a mean over lists, whole shoppers drawn at a time (Efron 1979; clusters: Davison and Hinkley 1997). */
export function bootstrap(shoppers: readonly string[], values: ArrayLike<number>, random: Random): Estimate {
  const groups = new Map<string, { sum: number; count: number }>();
  shoppers.forEach((shopper, i) => {
    const group = groups.get(shopper) ?? { sum: 0, count: 0 };
    groups.set(shopper, group);
    group.sum += values[i]!;
    group.count += 1;
  });
  const drawn = [...groups.values()];
  const means: number[] = [];
  for (let resample = 0; resample < RESAMPLES && drawn.length > 0; resample++) {
    let sum = 0;
    let count = 0;
    for (let i = 0; i < drawn.length; i++) {
      const group = drawn[Math.floor(random() * drawn.length)]!;
      sum += group.sum;
      count += group.count;
    }
    means.push(sum / count);
  }
  means.sort((a, b) => a - b);
  return { mean: mean(values), low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

/** @param sorted ascending; 0 when empty */
const quantile = (sorted: readonly number[], part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;

const difference = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value - b[i]!);

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? 0 : sum / values.length;
}
