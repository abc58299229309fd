/** How far a training is. */
export interface TrainingProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly note: string;
}
export type OnProgress = (progress: TrainingProgress) => void;
