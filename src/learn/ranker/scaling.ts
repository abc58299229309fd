import { USER_FEATURES } from '../../profile/vector.js';
import { ITEM_FEATURES } from '../../ranking/features.js';
import type { ListStore } from './lists.js';

/**
 * Raw features are clipped to ± this before anything else, in training and in the graph: they are logarithms, shares
 * and flags, so only a fault goes beyond, and a fault must not become an infinity.
 */
export const FEATURE_CLIP = 50;
/** A column that hardly varies is not blown up: smallest deviation to divide by. */
const DEVIATION_MIN = 0.05;

/** Standardisation of columns: `(x − mean) / deviation`. Deviation Infinity: the column never varied, and says nothing. */
export interface Scaling {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** Mean and deviation of the shoppers' and of the items' columns over all lists. */
export function measureScaling(lists: ListStore): { user: Scaling; item: Scaling } {
  const user = new Moments(USER_FEATURES.length);
  const item = new Moments(ITEM_FEATURES.length);
  for (const list of lists) {
    user.add(list.user);
    item.add(list.items);
  }
  return { user: user.scaling(), item: item.scaling() };
}

/** Columns that vary: the others are left out of training. */
export const varying = ({ deviation }: Scaling): number[] =>
  Array.from(deviation.keys()).filter((column) => deviation[column] !== Infinity);

const clip = (value: number): number => Math.min(FEATURE_CLIP, Math.max(-FEATURE_CLIP, value));

/** Writes the standardised columns of `rows` rows of `from` into `out` from `at` on, row-major. */
export function standardise(out: Float32Array, at: number, from: Float32Array, rows: number, { mean, deviation }: Scaling, columns: readonly number[]): void {
  const width = mean.length;
  let to = at;
  for (let row = 0; row < rows; row++) {
    for (const column of columns) out[to++] = (clip(from[row * width + column]!) - mean[column]!) / deviation[column]!;
  }
}

class Moments {
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  #rows = 0;

  constructor(readonly width: number) {
    this.#sum = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  add(values: Float32Array): void {
    for (let i = 0; i < values.length; i++) {
      const value = clip(values[i]!);
      this.#sum[i % this.width]! += value;
      this.#squares[i % this.width]! += value * value;
    }
    this.#rows += values.length / this.width;
  }

  scaling(): Scaling {
    const mean = this.#sum.map((sum) => sum / this.#rows);
    const deviation = this.#squares.map((squares, i) => {
      const variance = squares / this.#rows - mean[i]! ** 2;
      return variance < 1e-9 * Math.max(1, mean[i]! ** 2) ? Infinity : Math.max(DEVIATION_MIN, Math.sqrt(variance));
    });
    return { mean, deviation };
  }
}
