import type { Split, Task } from '../../task.js';
import type { Scorer } from '../rank-all.js';
import { bpr } from './bpr.js';
import { coOccurrence } from './co-occurrence.js';
import { personalFrequency, personalThenPopular, popularity, recency } from './popularity.js';

export type Baseline = (task: Task, split: Split, seed: number) => Scorer;

/** What a recommender has to beat, by name. What a shopper took before is no answer where the protocol excludes it. */
export function baselinesFor({ excludeHistory }: Task): Readonly<Record<string, Baseline>> {
  return {
    popularity, recency, 'co-occurrence': coOccurrence,
    ...(excludeHistory ? {} : { 'personal frequency': personalFrequency, 'personal, then popular': personalThenPopular }),
    BPR: bpr,
  };
}
