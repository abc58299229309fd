/** Constants of Adam (Kingma and Ba, 2015), by their usual names. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export interface AdamOptions {
  readonly rate: number;
  /** Decoupled weight decay: share lost per step, in units of the rate (Loshchilov and Hutter, 2019). */
  readonly decay?: number;
}

/** Running mean of a parameter's gradient and of its square. */
export interface Moments {
  readonly mean: Float32Array;
  readonly square: Float32Array;
}

export const newMoments = (length: number): Moments => ({ mean: new Float32Array(length), square: new Float32Array(length) });

/** What a step needs of options and of its number; worked out once for all ranges it changes. */
export interface AdamStep {
  /** Rate, corrected for moments that began at zero. */
  readonly rate: number;
  /** Share of a value that decay leaves. */
  readonly kept: number;
}

/** @param step counts from 1 */
export const adamStep = ({ rate, decay = 0 }: AdamOptions, step: number): AdamStep =>
  ({ rate: rate * Math.sqrt(1 - BETA2 ** step) / (1 - BETA1 ** step), kept: 1 - rate * decay });

/** Takes a step with `length` values from `from` on; the gradient of the first is `gradient[gradientFrom]`. */
export function takeStep(
  step: AdamStep, values: Float32Array, moments: Moments, gradient: Float32Array, from: number, length: number, gradientFrom: number,
): void {
  const { rate, kept } = step;
  const { mean, square } = moments;
  for (let i = 0; i < length; i++) {
    const slope = gradient[gradientFrom + i]!;
    const m = BETA1 * mean[from + i]! + (1 - BETA1) * slope;
    const s = BETA2 * square[from + i]! + (1 - BETA2) * slope * slope;
    mean[from + i] = m;
    square[from + i] = s;
    values[from + i] = values[from + i]! * kept - rate * m / (Math.sqrt(s) + EPSILON);
  }
}

/** Sets a part of a training's state to what a checkpoint holds of it. */
export function restoreArray(values: Float32Array, arrays: ReadonlyMap<string, Float32Array>, name: string): void {
  const saved = arrays.get(name);
  if (saved?.length !== values.length) throw new Error(`the checkpoint does not fit: ${name} is missing or of another size`);
  values.set(saved);
}
