/** What clients did and were told, for `checkHistory`: a line of NDJSON per entry, in the order of `at`. */

export type Act = 'claim' | 'redeem' | 'release' | 'refund';

/** A client begins something. */
export interface Invocation {
  readonly type: 'invoke';
  /** Of this try: the answer carries it too. */
  readonly op: number;
  readonly act: Act;
  readonly offer: string;
  /** ms of one clock that all clients share. */
  readonly at: number;
  /** Of a claim. */
  readonly key?: string;
  readonly shopper?: string;
  /** Of anything else. */
  readonly claim?: string;
}

/** … and is told: done (`ok`), refused and nothing happened (`fail`), or nothing certain (`unknown`: no answer, 202, 5xx). */
export interface Answer {
  readonly type: 'ok' | 'fail' | 'unknown';
  readonly op: number;
  readonly at: number;
  /** Of an `ok`. */
  readonly claim?: string;
  readonly reason?: string;
}
export type HistoryEntry = Invocation | Answer;

/** A claim as the store has it when all is quiet. */
export interface FinalClaim {
  readonly id: string;
  readonly shopper: string;
  readonly status: 'held' | 'claimed' | 'redeemed' | 'released' | 'expired' | 'refunded';
  /** What it holds of the budget, minor units: reserved, spent, or 0. */
  readonly holdsMinor: number;
  readonly device?: string;
}

/** An offer as it was promised, and as the store has it when all is quiet. */
export interface FinalOffer {
  readonly id: string;
  readonly countMax: number;
  readonly moneyMinorMax: number;
  readonly perUserMax: number;
  /** Infinity where there is no such cap. */
  readonly perDeviceMax: number;
  readonly reserveMinor: number;
  /** Claims that count against the budget, and their money, by the store's own counters. */
  readonly count: number;
  readonly moneyMinor: number;
  readonly claims: readonly FinalClaim[];
  /** Idempotency key → claim id. */
  readonly keys: ReadonlyMap<string, string>;
}
