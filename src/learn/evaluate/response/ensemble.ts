import { fitResponse, type ResponseSettings } from '../../response/fit-response.js';
import { range, type ResponseExamples } from '../../response/examples.js';
import { scoreExamples } from '../../response/network.js';

export interface EnsembleOptions {
  readonly train: ResponseExamples;
  /** Of each training example, 0 to `folds` − 1: the part that it validates. */
  readonly foldOf: (index: number) => number;
  readonly folds: number;
  readonly settings: ResponseSettings;
  readonly seed: number;
  readonly onFold: (done: number) => void;
}

/** Few examples: a network per fold, stopped and calibrated on it, and their mean logit. @returns logits of each asked set */
export async function ensembleLogits({ train, foldOf, folds, settings, seed, onFold }: EnsembleOptions, asked: readonly ResponseExamples[]): Promise<Float32Array[]> {
  const sums = asked.map(({ size }) => new Float32Array(size));
  for (let fold = 0; fold < folds; fold++) {
    const { network } = await fitResponse({
      train: train.pick(range(0, train.size, (i) => foldOf(i) !== fold)), validation: train.pick(range(0, train.size, (i) => foldOf(i) === fold)),
      settings, seed: seed + fold,
    });
    for (const [set, examples] of asked.entries()) (await scoreExamples(network, examples)).forEach((logit, i) => { sums[set]![i]! += logit / folds; });
    onFold(fold + 1);
  }
  return sums;
}
