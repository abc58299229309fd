import type { Question } from '../task.js';

export interface EncoderSettings {
  readonly dimensions: number;
  /** Latest distinct items of a shopper that are read; also the events of a training row. */
  readonly historyMax: number;
  /** Rows of a batch. */
  readonly rows: number;
  readonly negatives: number;
  readonly dropout: number;
  readonly rate: number;
  readonly epochsMax: number;
  /** Rows of an epoch, drawn anew for each when there are more. */
  readonly epochRowsMax: number;
  /** Epochs without a better validation before training stops. */
  readonly patience: number;
  /** Whole baskets are wanted, not the very next event. */
  readonly isBaskets: boolean;
}

/** Sizes of a store that the settings follow. */
export interface DataSize {
  readonly events: number;
  readonly questions: readonly Question[];
}

/** Steps an epoch should have at least: a small store takes smaller batches. */
const STEPS_MIN = 40;
/** More than this wanted at once, on average, are baskets. */
const BASKET_MIN = 1.5;
/** Events learned from in all epochs together, at most: some four minutes on two cores. A large store says enough in few epochs. */
const EVENTS_LEARNED_MAX = 9e6;
const EPOCHS = { min: 4, max: 60 } as const;

/**
 * The rule by which the data choose the settings; what it does not name is the same for every store.
 * Measured on amazon-beauty: dropout of 0.3 at a rate of 3e-3 stops lower than 0.5 at 5e-3 (validation NDCG@10 .0644 after 24
 * epochs and flat; .0665 after 26 and rising).
 */
export function chooseSettings({ events, questions }: DataSize): EncoderSettings {
  const historyMax = 50;
  const wanted = questions.reduce((sum, question) => sum + question.wanted.length, 0) / Math.max(1, questions.length);
  return {
    dimensions: events < 20_000 ? 32 : 64,
    historyMax,
    rows: between(4, events / historyMax / STEPS_MIN, 64),
    epochsMax: between(EPOCHS.min, EVENTS_LEARNED_MAX / events, EPOCHS.max),
    epochRowsMax: EVENTS_LEARNED_MAX / EPOCHS.min / historyMax,
    negatives: 512, dropout: 0.5, rate: 5e-3, patience: 4,
    isBaskets: wanted > BASKET_MIN,
  };
}

const between = (min: number, value: number, max: number): number => Math.min(max, Math.max(min, Math.round(value)));
