import { countItems, historyOf, type Split, type Task } from '../../task.js';
import type { Scorer } from '../rank-all.js';

/** Events of a shopper this far apart belong together, and so many of the latest distinct items are asked. */
const WINDOW = 3;
const RECENT = 5;

/**
 * Plain item-to-item co-occurrence, nothing tuned: how often one item came after another within the window, over the
 * times the other was met, and every item goes with itself; summed over the latest items, the n-th from the end by 1/n.
 */
export function coOccurrence(task: Task, split: Split): Scorer {
  const followers = countFollowers(task, split);
  const met = countItems(task.interactions, split.known);
  return (question, scores) => {
    scores.fill(0);
    latest(historyOf(task.interactions, question)).forEach((seen, back) => {
      const weight = 1 / (back + 1);
      scores[seen]! += weight;
      for (const [follower, count] of followers[seen]!) scores[follower]! += weight * count / met[seen]!;
    });
  };
}

function countFollowers({ items, interactions: { shoppers, offsets, item } }: Task, { known }: Split): Map<number, number>[] {
  const followers = Array.from(items, () => new Map<number, number>());
  for (let shopper = 0; shopper < shoppers; shopper++) {
    const to = offsets[shopper]! + known[shopper]!;
    for (let event = offsets[shopper]!; event < to; event++) {
      const counts = followers[item[event]!]!;
      for (let later = event + 1; later < to && later - event <= WINDOW; later++) {
        const follower = item[later]!;
        if (follower !== item[event]) counts.set(follower, (counts.get(follower) ?? 0) + 1);
      }
    }
  }
  return followers;
}

/** The latest distinct items, latest first. */
function latest(history: Uint32Array): number[] {
  const items: number[] = [];
  for (let i = history.length - 1; i >= 0 && items.length < RECENT; i--) if (!items.includes(history[i]!)) items.push(history[i]!);
  return items;
}
