import { shuffle, type Random } from '../util/random.js';
import { evaluate } from './metrics.js';
import { Adam, listwiseSoftmax, Mlp, type MlpShape } from './mlp.js';
import type { ReplayedList } from './rows.js';

export const FIT = {
  hidden: [128, 64],
  /** Lists per step. */
  batch: 64,
  rate: 5e-4,
  /** The rate shrinks by this factor every epoch. */
  rateDecay: 0.7,
  weightDecay: 1,
  epochsMax: 6,
  /** Epochs without a better validation NDCG before training stops. */
  patience: 1,
} as const;

export interface FitOptions {
  readonly shape: Omit<MlpShape, 'hidden'>;
  /** Standardised. */
  readonly train: readonly ReplayedList[];
  readonly validation: readonly ReplayedList[];
  readonly random: Random;
  readonly onProgress: (progress: { epoch: number; lists: number; validation: number }) => void;
}

/**
 * Trains a network with listwise softmax and keeps the epoch that ranks the validation lists best. A list is a set to
 * the loss: the order in which its items come does not matter.
 */
export async function fit({ shape, train, validation, random, onProgress }: FitOptions): Promise<{ mlp: Mlp; epochs: number; ndcg10: number }> {
  const mlp = new Mlp({ ...shape, hidden: FIT.hidden }, random);
  const adam = new Adam(mlp.parameters, { rate: FIT.rate, decay: FIT.weightDecay });
  const gradient = new Float32Array(mlp.parameters.length);
  const order = [...train];
  let best = { ndcg10: -1, epoch: 0, parameters: mlp.parameters.slice() };
  let epoch = 0;
  for (; epoch < FIT.epochsMax && epoch - best.epoch <= FIT.patience; epoch++) {
    shuffle(order, random);
    for (let from = 0; from < order.length; from += FIT.batch) {
      const batch = order.slice(from, from + FIT.batch);
      for (const list of batch) learn(mlp, list, gradient);
      adam.step(gradient, batch.length, FIT.rateDecay ** epoch);
      onProgress({ epoch, lists: from + batch.length, validation: best.ndcg10 });
    }
    const { ndcg10 } = await evaluate(validation, (list) => predict(mlp, list));
    if (ndcg10 > best.ndcg10) best = { ndcg10, epoch, parameters: mlp.parameters.slice() };
  }
  mlp.parameters.set(best.parameters);
  return { mlp, epochs: epoch, ndcg10: best.ndcg10 };
}

function predict(mlp: Mlp, list: ReplayedList): Float64Array {
  const scores = new Float64Array(list.count);
  mlp.forward(list, scores);
  return scores;
}

function learn(mlp: Mlp, list: ReplayedList, gradient: Float32Array): void {
  const slopes = new Float64Array(list.count);
  listwiseSoftmax(predict(mlp, list), list.worth, list.count, slopes);
  mlp.backward(list, slopes, gradient);
}
