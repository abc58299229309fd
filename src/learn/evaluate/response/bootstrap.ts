import { seededRandom } from '../../../util/random.js';
import type { Interval } from './report.js';

/** Draws with replacement. */
export const ROUNDS = 400;

/**
 * 95 % interval of a statistic of rows, by drawing groups of rows with replacement (Efron, 1979): rows of one person are not independent.
 * @param statistic of the rows' indexes
 */
export function bootstrap(groups: readonly (readonly number[])[], statistic: (indexes: readonly number[]) => number, seed: number): Interval {
  const random = seededRandom(seed);
  return interval95(Array.from({ length: ROUNDS }, () => statistic(groups.flatMap(() => groups[Math.floor(random() * groups.length)]!))));
}

/** The middle 95 % of what was drawn. */
export function interval95(values: readonly number[]): Interval {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[Math.floor(0.025 * sorted.length)]!, sorted[Math.ceil(0.975 * sorted.length) - 1]!];
}

/** Indexes by whom they are of, in order of appearance. */
export function groupsBy(keys: readonly string[]): number[][] {
  const groups = new Map<string, number[]>();
  keys.forEach((key, i) => {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  });
  return [...groups.values()];
}
