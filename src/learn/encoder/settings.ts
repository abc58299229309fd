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

export function chooseSettings({ events, questions }: DataSize): EncoderSettings {
  const historyMax = 50;
  const wanted = questions.reduce((sum, question) => sum + question.wanted.length, 0) / Math.max(1, questions.length);
  return {
    dimensions: events < 20_000 ? 32 : 64,
    historyMax,
    rows: Math.min(64, Math.max(4, Math.round(events / historyMax / STEPS_MIN))),
    negatives: 512, dropout: 0.5, rate: 3e-3, epochsMax: 60, patience: 4,
    isBaskets: wanted > BASKET_MIN,
  };
}
