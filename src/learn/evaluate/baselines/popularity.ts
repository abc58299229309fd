import { countItems, forKnown, historyOf, type Split, type Task } from '../../task.js';
import type { Scorer } from '../rank-all.js';

/** Recency: an event says half as much after this share of the log's span. */
const HALF_LIFE_SHARE = 0.02;

/** The most met items, the same for everybody. */
export function popularity({ interactions }: Task, { known }: Split): Scorer {
  const counts = countItems(interactions, known);
  return (_question, scores) => { scores.set(counts); };
}

/** The items met most of late: counts that halve in a fiftieth of the span of what is known. */
export function recency({ interactions, items }: Task, { known }: Split): Scorer {
  const { item, at } = interactions;
  let first = Infinity;
  let last = -Infinity;
  forKnown(interactions, known, (event) => {
    first = Math.min(first, at[event]!);
    last = Math.max(last, at[event]!);
  });
  const halfLife = Math.max(1, (last - first) * HALF_LIFE_SHARE);
  const weights = new Float32Array(items.length);
  forKnown(interactions, known, (event) => { weights[item[event]!]! += 2 ** ((at[event]! - last) / halfLife); });
  return (_question, scores) => { scores.set(weights); };
}

/** How often the shopper took each item; all others are equal. */
export function personalFrequency({ interactions }: Task): Scorer {
  return (question, scores) => {
    scores.fill(0);
    for (const item of historyOf(interactions, question)) scores[item]! += 1;
  };
}

/** The same, and by popularity among items of one count and those never taken: two baselines in one. */
export function personalThenPopular({ interactions }: Task, { known }: Split): Scorer {
  const counts = countItems(interactions, known);
  const most = counts.reduce((max, count) => Math.max(max, count), 0) + 1;
  const share = Float32Array.from(counts, (count) => count / most);
  return (question, scores) => {
    scores.set(share);
    for (const item of historyOf(interactions, question)) scores[item]! += 1;
  };
}
