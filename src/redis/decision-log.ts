import type { Redis } from 'ioredis';
import type { DecisionRecord } from '../offers/decide/decision-record.js';
import { OFFER_FEATURES } from '../offers/decide/offer-features.js';
import { USER_FEATURES } from '../profile/vector.js';
import { IMPRESSION_LIMITS } from './impression-log.js';
import type { Keys } from './keys.js';
import { VectorLog } from './vector-log.js';

/** A decision with the numbers that it was made by. */
export interface LoggedDecision {
  readonly record: DecisionRecord;
  /** The shopper's features; read before `add` returns. */
  readonly user: Float32Array;
  /** Feature rows: 0 for no offer, then those of all offers that were scored; read before `add` returns. */
  readonly rows: Float32Array;
  /** By row. */
  readonly scores: Float32Array;
  /** Rows that are kept: 0, then those of the contenders in order. */
  readonly kept: readonly number[];
}

/** Floats of a row: score, features. */
export const DECISION_ROW_FLOATS = 1 + OFFER_FEATURES.length;

/** Writes decisions behind the replies: see `VectorLog`. The floats are the shopper's features, then of each row that is kept its score and features. */
export class DecisionLog {
  readonly #log: VectorLog;

  constructor(redis: Redis, keys: Keys) {
    this.#log = new VectorLog(redis, keys.decisions, IMPRESSION_LIMITS);
  }

  get dropped(): number {
    return this.#log.dropped;
  }

  add(decision: LoggedDecision): void {
    const floats = USER_FEATURES.length + decision.kept.length * DECISION_ROW_FLOATS;
    this.#log.add(floats, (out, at) => { stage(out, at, decision); }, (out) => { out.text(JSON.stringify(decision.record)); });
  }

  /** Writes what waits. Never rejects: decisions that Redis does not take are counted as dropped. */
  flush(): Promise<void> {
    return this.#log.flush();
  }
}

function stage(out: Float32Array, to: number, { user, rows, scores, kept }: LoggedDecision): void {
  const width = OFFER_FEATURES.length;
  for (let i = 0; i < USER_FEATURES.length; i++) out[to + i] = user[i]!;
  let at = to + USER_FEATURES.length;
  for (const row of kept) {
    out[at] = scores[row]!;
    for (let i = 0, from = row * width; i < width; i++) out[at + 1 + i] = rows[from + i]!;
    at += DECISION_ROW_FLOATS;
  }
}
