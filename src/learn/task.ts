import type { Item } from '../domain/item.js';

/** A store's interactions, by shopper, in time order within each: events of shopper s are [offsets[s], offsets[s + 1]). */
export interface Interactions {
  /** Id of each item index. */
  readonly itemIds: readonly string[];
  readonly shoppers: number;
  /** `shoppers + 1` long. */
  readonly offsets: Uint32Array;
  /** Item index of each event. */
  readonly item: Uint32Array;
  /** ms; strictly increasing within a shopper: a reader sets ties a little apart so that their order survives. */
  readonly at: Float64Array;
  /** Index into EVENT_TYPES. */
  readonly type: Uint8Array;
}

/**
 * Calls `each` with the number of every event known, `known[s]` of each shopper's from the first.
 * @param but not of these, likewise the first of each shopper's
 */
export function forKnown({ offsets }: Interactions, known: Uint32Array, each: (event: number, shopper: number) => void, but?: Uint32Array): void {
  for (let shopper = 0; shopper < known.length; shopper++) {
    const from = offsets[shopper]!;
    for (let event = from + (but?.[shopper] ?? 0); event < from + known[shopper]!; event++) each(event, shopper);
  }
}

/** How often each item was met in what is known. */
export function countItems(log: Interactions, known: Uint32Array): Uint32Array {
  const counts = new Uint32Array(log.itemIds.length);
  forKnown(log, known, (event) => { counts[log.item[event]!]! += 1; });
  return counts;
}

/** What a shopper took next, given what was known. */
export interface Question {
  readonly shopper: number;
  /** The first so many events of the shopper are known. */
  readonly history: number;
  readonly at: number;
  /** Item indexes. */
  readonly wanted: readonly number[];
  /** Those wanted and never bought before (next-basket). */
  readonly fresh?: readonly number[];
  /** The most that was done with them, a `DEED`; clicked when nobody knows. */
  readonly deed?: number;
}

/** Item indexes of the events known at a question, oldest first. */
export function historyOf({ offsets, item }: Interactions, { shopper, history }: Pick<Question, 'shopper' | 'history'>): Uint32Array {
  return item.subarray(offsets[shopper]!, offsets[shopper]! + history);
}

/** Statistics and encoder may see the first `known[s]` events of each shopper (statistics more as time goes by: `stepsOf`); questions are asked of them. */
export interface Split {
  readonly known: Uint32Array;
  readonly questions: readonly Question[];
}

/** A data set with its protocol: what may be learnt from, and what is asked. */
export interface Task {
  readonly name: string;
  readonly protocol: 'leave-one-out' | 'next-click' | 'next-basket' | 'archive';
  /** Same index as `itemIds`; attributes as tags, brand and category. */
  readonly items: readonly Item[];
  readonly interactions: Interactions;
  /** Items of the history may not be recommended. */
  readonly excludeHistory: boolean;
  /** What the ranker learns from: one or more spans, the earliest first, each asked of what was known before it. */
  readonly fits: readonly Split[];
  readonly validation: Split;
  readonly test: Split;
}
