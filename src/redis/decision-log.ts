import type { Contender } from '../offers/decide/choose.js';
import { STAKE_FLOATS, type DecisionRecord } from '../offers/decide/decision-record.js';
import { OFFER_FEATURES } from '../offers/decide/offer-features.js';
import { USER_FEATURES } from '../profile/vector.js';
import type { RedisClient } from './client.js';
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
  readonly noneScore: number;
  /** Of all offers that were scored. */
  readonly stakes: readonly Contender[];
  /** Which of them were drawn for, in order: their numbers are kept. */
  readonly kept: readonly number[];
}

const WIDTH = OFFER_FEATURES.length;

/** Writes decisions behind the replies: see `VectorLog`; the floats: see `DecisionVectors`. */
export class DecisionLog {
  readonly #log: VectorLog;

  constructor(redis: RedisClient, keys: Keys) {
    this.#log = new VectorLog(redis, keys.decisions, IMPRESSION_LIMITS);
  }

  get dropped(): number {
    return this.#log.dropped;
  }

  add(decision: LoggedDecision): void {
    const floats = USER_FEATURES.length + 1 + WIDTH + decision.kept.length * (STAKE_FLOATS + WIDTH);
    this.#log.add(floats, (out, at) => { stage(out, at, decision); }, (out) => { out.text(JSON.stringify(decision.record)); });
  }

  /** Writes what waits. Never rejects: decisions that Redis does not take are counted as dropped. */
  flush(): Promise<void> {
    return this.#log.flush();
  }
}

function stage(out: Float32Array, to: number, { user, rows, noneScore, stakes, kept }: LoggedDecision): void {
  let at = to;
  for (let i = 0; i < USER_FEATURES.length; i++) out[at++] = user[i]!;
  out[at++] = noneScore;
  for (let i = 0; i < WIDTH; i++) out[at++] = rows[i]!;
  for (const index of kept) {
    const { score, deviation, marginMinor, costMinor, price } = stakes[index]!;
    out[at] = score;
    out[at + 1] = deviation;
    out[at + 2] = marginMinor;
    out[at + 3] = costMinor;
    out[at + 4] = price;
    at += STAKE_FLOATS;
    for (let i = 0, from = (index + 1) * WIDTH; i < WIDTH; i++) out[at++] = rows[from + i]!;
  }
}
