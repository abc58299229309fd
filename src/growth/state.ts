import type { Run } from './streak.js';

/**
 * What a shopper's growth is made of, JSON in the shopper's slot. Everything in it is a sum or a set, so that neither the order
 * of events nor a repetition shows; what follows from it, in points, is kept beside each sum: points change by the difference.
 */
export interface GrowthState {
  /** Time of the earliest deed that is kept, ms: whether an erasure means this life is told by it, however late both come. */
  since: number;
  points: number;
  /** Of levels reached so far the highest. */
  level: number;
  /** Badge → since when, ms. */
  badges: Record<string, number>;
  /** `rule:<id>:<day>`, `task:<id>:<period>`, `badge:<id>` → what has been done for it. */
  pots: Record<string, Pot>;
  purchases: Purchase[];
  refunds: Refund[];
  /** Days on which the shopper came by. */
  runs: Run[];
  /** The user this visitor has become; all that comes later goes there. */
  movedTo?: string;
}

export interface Pot {
  /** Points earned before the cap, or times. */
  n: number;
  /** Points given for it. */
  got: number;
  /** Latest day on which anything was put in. */
  day: number;
}

/** What can still be taken back. */
export interface Purchase {
  readonly id: string;
  /** Item id; '' for a purchase that names none. */
  readonly item: string;
  readonly at: number;
  /** Minor units, at least 1. */
  readonly value: number;
  /** What of the value was refunded. */
  back: number;
  /** What it put into which pot. */
  readonly shares: readonly (readonly [pot: string, n: number])[];
}

export interface Refund {
  readonly id: string;
  readonly item: string;
  readonly at: number;
  /** Minor units; absent: the latest purchase as a whole. */
  readonly value?: number;
}

export const newGrowth = (since: number): GrowthState => ({ since, points: 0, level: 0, badges: {}, pots: {}, purchases: [], refunds: [], runs: [] });
