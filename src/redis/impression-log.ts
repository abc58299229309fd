import type { Redis } from 'ioredis';
import { USER_FEATURES } from '../profile/vector.js';
import type { Keys } from './keys.js';
import { ITEM_FEATURES } from '../ranking/features.js';

export const IMPRESSION_LIMITS = {
  /** Impressions waiting to be written; beyond that the newest are dropped and counted. */
  pendingMax: 2000,
  /** Written together, or after this time, ms. */
  flushAt: 64,
  flushMs: 25,
  /** Entries a partition's stream keeps when nobody archives it (about). */
  streamMax: 20_000,
} as const;

/** What was shown and why: what training reads. */
export interface Impression {
  readonly requestId: string;
  readonly shopper: string;
  readonly scene: string;
  readonly model: string;
  /** ms */
  readonly at: number;
  /** The shopper's features; read before `add` returns. */
  readonly user: Float32Array;
  /** Feature rows of all candidates, by slot; read before `add` returns. */
  readonly items: Float32Array;
  /** In order of position. */
  readonly shown: readonly { id: string; slot: number; score: number; propensity: number; source: string }[];
}

interface Entry { readonly stream: string; readonly json: string; readonly vectors: Buffer }

/**
 * Writes impressions behind the replies: the exact vectors go along as raw float32 (shopper, then each shown item).
 * Losing some under pressure costs training data, never a reply.
 */
export class ImpressionLog {
  #pending: Entry[] = [];
  #timer: NodeJS.Timeout | undefined;
  dropped = 0;

  constructor(private readonly redis: Redis, private readonly keys: Keys) {}

  add(impression: Impression): void {
    if (this.#pending.length >= IMPRESSION_LIMITS.pendingMax) {
      this.dropped += 1;
      return;
    }
    this.#pending.push(toEntry(impression, this.keys));
    if (this.#pending.length >= IMPRESSION_LIMITS.flushAt) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), IMPRESSION_LIMITS.flushMs);
  }

  /** Writes what waits. Never rejects: an impression that Redis does not take is counted as dropped. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = this.#pending;
    this.#pending = [];
    await Promise.all(entries.map(({ stream, json, vectors }) =>
      this.redis.xadd(stream, 'MAXLEN', '~', IMPRESSION_LIMITS.streamMax, '*', 'i', json, 'v', vectors)
        .catch(() => { this.dropped += 1; })));
  }
}

function toEntry({ user, items, shown, shopper, ...rest }: Impression, keys: Keys): Entry {
  const width = ITEM_FEATURES.length;
  const floats = new Float32Array(USER_FEATURES.length + shown.length * width);
  floats.set(user.subarray(0, USER_FEATURES.length));
  shown.forEach(({ slot }, i) => floats.set(items.subarray(slot * width, (slot + 1) * width), USER_FEATURES.length + i * width));
  const json = JSON.stringify({ ...rest, shopper, items: shown.map(({ id, score, propensity, source }) => [id, score, propensity, source]) });
  return { stream: keys.impressionsOf(shopper), json, vectors: Buffer.from(floats.buffer) };
}
