/** A run of days without a gap: first and last, days since 1970. */
export type Run = readonly [first: number, last: number];

/** Runs kept of a shopper; the oldest go. */
const RUNS_MAX = 60;

export interface Streak {
  /** Days in a row up to today or yesterday. */
  readonly days: number;
  readonly longest: number;
  readonly lastDay: number | undefined;
}

/** @returns the runs in order with the days of all, so that it does not matter in which order they came */
export function joinRuns(runs: readonly Run[]): Run[] {
  const joined: [number, number][] = [];
  for (const [first, last] of runs.toSorted((a, b) => a[0] - b[0])) {
    const previous = joined.at(-1);
    if (previous === undefined || first > previous[1] + 1) joined.push([first, last]);
    else previous[1] = Math.max(previous[1], last);
  }
  return joined.slice(-RUNS_MAX);
}

export const hasDay = (runs: readonly Run[], day: number): boolean => runs.some(([first, last]) => first <= day && day <= last);

export function streakOf(runs: readonly Run[], today: number): Streak {
  const length = ([first, last]: Run): number => last - first + 1;
  const latest = runs.at(-1);
  return {
    days: latest === undefined || latest[1] < today - 1 ? 0 : length(latest),
    longest: Math.max(0, ...runs.map(length)),
    lastDay: latest?.[1],
  };
}
