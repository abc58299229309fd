import type { Task } from '../task.js';

/** Ranks that are counted. */
export const CUTS = [5, 10, 20] as const;
const DEPTH = 20;

/**
 * Where a method put a wanted item: how many items it put before it, and how many share its score, itself included.
 * Equal scores are never put in order by id, index or file: every order of them counts as equally likely, and a metric
 * is its expectation over these orders. A list that was served has an order: `tied` is 1.
 */
export interface Placing {
  /** Infinity: not ranked. */
  readonly above: number;
  readonly tied: number;
}

export const UNRANKED: Placing = { above: Infinity, tied: 1 };

type Family = 'HR' | 'NDCG' | 'MRR' | 'recall' | 'P';

/** The metrics of a protocol, `HR@10`; `P` is what next-click papers call the hit rate. */
export function metricNames(protocol: Task['protocol']): string[] {
  const families: Family[] = protocol === 'next-click' ? ['P', 'MRR', 'HR', 'NDCG', 'recall'] : ['HR', 'NDCG', 'MRR', 'recall'];
  return families.flatMap((family) => CUTS.map((cut) => `${family}@${cut}`));
}

/** The metric that decides, and its companion. */
export const HEADLINES: Readonly<Record<Task['protocol'], readonly string[]>> = {
  'leave-one-out': ['HR@10', 'NDCG@10'], 'next-click': ['P@20', 'MRR@20'],
  'next-basket': ['recall@20', 'NDCG@20'], archive: ['recall@20', 'NDCG@20'],
};

/** Σ of a rank's worth over ranks 1 … r, r up to DEPTH. */
const prefixSums = (worth: (rank: number) => number): Float64Array => {
  const sums = new Float64Array(DEPTH + 1);
  for (let rank = 1; rank <= DEPTH; rank++) sums[rank] = sums[rank - 1]! + worth(rank);
  return sums;
};
const HITS = prefixSums(() => 1);
const GAINS = prefixSums((rank) => 1 / Math.log2(rank + 1));
const RECIPROCALS = prefixSums((rank) => 1 / rank);

/** Expectation of a rank's worth, 0 beyond the cut, for a rank uniform in above + 1 … above + tied. */
function expected(sums: Float64Array, { above, tied }: Placing, cut: number): number {
  return above >= cut ? 0 : (sums[Math.min(cut, above + tied)]! - sums[above]!) / tied;
}

/**
 * Values of one question, in the order of `names`, written to `out` from `at` on. With several items wanted: HR is the
 * chance that any is in the list (tied ones taken as independent), MRR that of the best, recall the share found, NDCG
 * against the best order (Järvelin and Kekäläinen, 2002, gains 0 or 1).
 */
export function writeValues(names: readonly string[], placings: readonly Placing[], out: Float32Array, at: number): void {
  names.forEach((name, i) => {
    const [family, cut] = parseName(name);
    out[at + i] = VALUES[family](placings, cut);
  });
}

const VALUES: Readonly<Record<Family, (placings: readonly Placing[], cut: number) => number>> = {
  HR: (placings, cut) => 1 - placings.reduce((missed, placing) => missed * (1 - expected(HITS, placing, cut)), 1),
  P: (placings, cut) => VALUES.HR(placings, cut),
  MRR: (placings, cut) => placings.reduce((most, placing) => Math.max(most, expected(RECIPROCALS, placing, cut)), 0),
  recall: (placings, cut) => sum(placings, (placing) => expected(HITS, placing, cut)) / placings.length,
  NDCG: (placings, cut) => sum(placings, (placing) => expected(GAINS, placing, cut)) / GAINS[Math.min(cut, placings.length)]!,
};

function parseName(name: string): [Family, number] {
  const [family, cut] = name.split('@');
  return [family as Family, Number(cut)];
}

const sum = <T>(values: readonly T[], of: (value: T) => number): number => values.reduce((total, value) => total + of(value), 0);
