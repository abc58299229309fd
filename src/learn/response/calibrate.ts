import type { ResponseExamples } from './examples.js';
import { LAST_LAYER, scoreExamples, type ResponseNetwork } from './network.js';

/** Examples that a calibration needs: fewer tell less than the model knows already. */
const EXAMPLES_MIN = 200;
const STEPS = 30;
/** Pull towards slope 1 and shift 0, in examples. */
const RIDGE = 5;

/**
 * Platt's scaling (1999), folded into the last layer: logit ← a · logit + b, fitted to examples that were not trained on, so that its sigmoid can be
 * read as a probability.
 */
export async function calibrate(network: ResponseNetwork, validation: ResponseExamples): Promise<void> {
  if (validation.size < EXAMPLES_MIN) return;
  const { slope, shift } = fitPlatt(await scoreExamples(network, validation), validation.labels);
  const all = new Map(network.weights.entries());
  for (const name of LAST_LAYER) {
    const { values } = all.get(name)!;
    for (let i = 0; i < values.length; i++) values[i] = values[i]! * slope + (name === 'bias' ? shift : 0);
  }
}

/** Newton's method on the log loss. A slope that is not above 0 would turn the order round: then only the shift is taken. */
export function fitPlatt(logits: Float32Array, labels: Float32Array): { slope: number; shift: number } {
  let [slope, shift] = [1, 0];
  for (let step = 0; step < STEPS; step++) {
    let [g0, g1, h00, h01, h11] = [RIDGE * (slope - 1), RIDGE * shift, RIDGE, 0, RIDGE];
    logits.forEach((logit, i) => {
      const p = 1 / (1 + Math.exp(-(slope * logit + shift)));
      const w = p * (1 - p);
      g0 += (p - labels[i]!) * logit;
      g1 += p - labels[i]!;
      h00 += w * logit * logit;
      h01 += w * logit;
      h11 += w;
    });
    const determinant = h00 * h11 - h01 * h01;
    const [d0, d1] = [(h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant];
    slope -= d0;
    shift -= d1;
    if (Math.abs(d0) + Math.abs(d1) < 1e-9) break;
  }
  return Number.isFinite(slope + shift) && slope > 0 ? { slope, shift } : { slope: 1, shift: 0 };
}
