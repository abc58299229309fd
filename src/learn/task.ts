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
}

/** Statistics and encoder may see the first `known[s]` events of each shopper; questions are asked of them. */
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
