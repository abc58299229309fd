import type { Split, Task } from '../../task.js';
import { historyOf, type Scorer } from '../rank-all.js';

/** Recency: an event says half as much after this share of the log's span. */
const HALF_LIFE_SHARE = 0.02;

/** How often each item was met in what is known. */
export function knownCounts(task: Task, split: Split): Float64Array {
  const counts = new Float64Array(task.items.length);
  forKnown(task, split, (item) => { counts[item]! += 1; });
  return counts;
}

export function forKnown({ interactions: { shoppers, offsets, item, at } }: Task, { known }: Split, each: (item: number, at: number) => void): void {
  for (let shopper = 0; shopper < shoppers; shopper++) {
    const from = offsets[shopper]!;
    for (let event = from; event < from + known[shopper]!; event++) each(item[event]!, at[event]!);
  }
}

/** The most met items, the same for everybody. */
export function popularity(task: Task, split: Split): Scorer {
  const counts = Float32Array.from(knownCounts(task, split));
  return (_question, scores) => { scores.set(counts); };
}

/** The items met most of late: counts that halve in a fiftieth of the span of what is known. */
export function recency(task: Task, split: Split): Scorer {
  let first = Infinity;
  let last = -Infinity;
  forKnown(task, split, (_item, at) => {
    first = Math.min(first, at);
    last = Math.max(last, at);
  });
  const halfLife = Math.max(1, (last - first) * HALF_LIFE_SHARE);
  const weights = new Float32Array(task.items.length);
  forKnown(task, split, (item, at) => { weights[item]! += 2 ** ((at - last) / halfLife); });
  return (_question, scores) => { scores.set(weights); };
}

/** How often the shopper took each item; all others are equal. */
export function personalFrequency(task: Task): Scorer {
  return (question, scores) => {
    scores.fill(0);
    for (const item of historyOf(task, question)) scores[item]! += 1;
  };
}

/** The same, and by popularity among items of one count and those never taken: two baselines in one. */
export function personalThenPopular(task: Task, split: Split): Scorer {
  const counts = knownCounts(task, split);
  const most = counts.reduce((max, count) => Math.max(max, count), 0) + 1;
  const share = Float32Array.from(counts, (count) => count / most);
  return (question, scores) => {
    scores.set(share);
    for (const item of historyOf(task, question)) scores[item]! += 1;
  };
}
