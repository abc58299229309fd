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

/**
 * One step of Adam over a range of values.
 * @param step counts from 1
 * @param from first value changed; `gradient[gradientFrom]` is its gradient
 */
export function adamStep(
  { rate, decay = 0 }: AdamOptions, step: number, values: Float32Array, { mean, square }: Moments,
  gradient: Float32Array, from = 0, length = values.length, gradientFrom = 0,
): void {
  const corrected = rate * Math.sqrt(1 - BETA2 ** step) / (1 - BETA1 ** step);
  const kept = 1 - rate * decay;
  for (let i = from, g = gradientFrom, to = from + length; i < to; i++, g++) {
    const slope = gradient[g]!;
    const m = BETA1 * mean[i]! + (1 - BETA1) * slope;
    const s = BETA2 * square[i]! + (1 - BETA2) * slope * slope;
    mean[i] = m;
    square[i] = s;
    values[i] = values[i]! * kept - corrected * m / (Math.sqrt(s) + EPSILON);
  }
}

/** Sets a part of a training's state to what a checkpoint holds of it. */
export function restoreArray(values: Float32Array, arrays: ReadonlyMap<string, Float32Array>, name: string): void {
  const saved = arrays.get(name);
  if (saved?.length !== values.length) throw new Error(`the checkpoint does not fit: ${name} is missing or of another size`);
  values.set(saved);
}
