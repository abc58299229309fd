import type { Interactions } from '../task.js';
import { shuffle, type Random } from '../../util/random.js';

/** A stretch of a shopper's events: [from, to) in the log's arrays. Each but the last is followed by a wanted one. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Cuts what is known of each shopper into stretches of at most `length` events, from the end back; the event after a stretch's last is known too. */
export function stretches({ offsets, shoppers }: Interactions, known: Uint32Array, length: number): Stretch[] {
  const all: Stretch[] = [];
  for (let shopper = 0; shopper < shoppers; shopper++) {
    const begin = offsets[shopper]!;
    // The last event known is only wanted.
    for (let to = begin + known[shopper]! - 1; to > begin; to -= length) all.push({ from: Math.max(begin, to - length), to });
  }
  return all;
}

/** Fills rows of `length` with whole stretches in random order: an epoch in a fraction of the rows that one each would take. */
export function pack(all: readonly Stretch[], length: number, random: Random): Stretch[][] {
  const order = [...all];
  shuffle(order, random);
  const rows: Stretch[][] = [];
  let room = 0;
  for (const stretch of order) {
    const size = stretch.to - stretch.from;
    if (size > room) {
      rows.push([]);
      room = length;
    }
    rows.at(-1)!.push(stretch);
    room -= size;
  }
  return rows;
}
