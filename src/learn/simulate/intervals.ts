/** A mean over stores with its 95 % interval. */
export interface Estimate { readonly mean: number; readonly low: number; readonly high: number }

/** Student's interval: stores are independent, and few. One store alone has an interval without end. */
export function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = count < 2 ? Infinity : quantile95(count - 1) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half };
}

/** Two-sided 95 % quantile of Student's t: exact to three digits (from 3 degrees on by Cornish and Fisher's expansion). */
export function quantile95(degrees: number): number {
  if (degrees === 1) return 12.706;
  if (degrees === 2) return 4.303;
  const z = 1.959964;
  const terms = [(z ** 3 + z) / 4, (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96, (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92_160];
  return terms.reduce((sum, term, i) => sum + term / degrees ** (i + 1), z);
}
