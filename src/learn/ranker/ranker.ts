import type { Weights } from '../graph/weights.js';
import type { Columns } from './batches.js';
import type { DeedValues, ListStore } from './lists.js';
import type { NetworkShape } from './network.js';
import type { RankerSettings } from './settings.js';

export interface FitRankerOptions {
  /** Lists to learn from: what the engine would have ranked, or what was shown, with the places. */
  readonly train: ListStore;
  /** Lists that decide when to stop; of other questions than those trained on. */
  readonly validation: ListStore;
  readonly values?: DeedValues;
  readonly settings?: RankerSettings;
  readonly seed: number;
  /** Weights to go on from, instead of random ones. */
  readonly start?: ExportedRanker | undefined;
  /** Where to keep the state after each epoch until training is done; found there, it is gone on from. */
  readonly checkpointPath?: string | undefined;
  readonly onProgress: (progress: RankerProgress) => void;
}

export interface RankerProgress {
  /** Steps done and in all, if training is not stopped early. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  /** Best so far; undefined before the first epoch's end. */
  readonly ndcg10: number | undefined;
}

/** A network that was trained, and all it takes to make it a serving graph. */
export interface Ranker {
  readonly weights: Weights;
  readonly columns: Columns;
  readonly shape: NetworkShape;
  /** What each head counts in the score. */
  readonly headValues: readonly number[];
  readonly epochs: number;
  /** Of the validation lists. */
  readonly ndcg10: number;
}

/** A ranker as it was exported: weights for raw features, by the names of the columns they are for. */
export interface ExportedRanker {
  readonly userFeatures: readonly string[];
  readonly itemFeatures: readonly string[];
  readonly tensors: ReadonlyMap<string, Float32Array>;
}
