/** How a ranker is trained. */
export interface RankerSettings {
  readonly hidden: readonly [number, number];
  readonly dropout: number;
  /** What is made small: see `graph/losses`. */
  readonly loss: 'softmax' | 'lambda';
  /** Lists per step, where there are many, and where there are few. */
  readonly batch: number;
  readonly batchMin: number;
  readonly rate: number;
  /** The rate shrinks by this factor every epoch. */
  readonly rateDecay: number;
  readonly weightDecay: number;
  readonly epochsMax: number;
  /** Steps of an epoch, at least: few lists are gone through several times before they are judged. */
  readonly stepsMin: number;
  /** Epochs without a better validation NDCG before training stops. */
  readonly patience: number;
}

export const RANKER_SETTINGS: RankerSettings = {
  hidden: [128, 64], dropout: 0.1, loss: 'softmax', batch: 64, batchMin: 8, rate: 1e-3, rateDecay: 0.9, weightDecay: 0.1, epochsMax: 24, stepsMin: 150, patience: 3,
};
