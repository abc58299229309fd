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
  readonly shown: readonly ShownItem[];
}

export interface ShownItem {
  readonly id: string;
  /** Row of `items` that holds its features. */
  readonly slot: number;
  readonly score: number;
  readonly propensity: number;
  /** Index into `SOURCES` of the source that proposed it first. */
  readonly source: number;
}

interface Entry { readonly stream: string; readonly json: string; readonly vectors: Buffer }

/**
 * Writes impressions behind the replies. The numbers go along as raw float32, exactly as they were used and ten times
 * cheaper than as text: the shopper's features, then for each shown item its score, propensity and features.
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

/** Floats of one shown item: score, propensity, features. */
export const SHOWN_FLOATS = 2 + ITEM_FEATURES.length;

function toEntry({ requestId, shopper, scene, model, at, user, items, shown }: Impression, keys: Keys): Entry {
  const width = ITEM_FEATURES.length;
  const floats = new Float32Array(USER_FEATURES.length + shown.length * SHOWN_FLOATS);
  floats.set(user.subarray(0, USER_FEATURES.length));
  const ids: string[] = [];
  const sources: number[] = [];
  let to = USER_FEATURES.length;
  for (const { id, slot, score, propensity, source } of shown) {
    ids.push(id);
    sources.push(source);
    floats[to] = score;
    floats[to + 1] = propensity;
    for (let i = 0, from = slot * width; i < width; i++) floats[to + 2 + i] = items[from + i]!;
    to += SHOWN_FLOATS;
  }
  const json = JSON.stringify({ requestId, shopper, scene, model, at, items: ids, sources });
  return { stream: keys.impressionsOf(shopper), json, vectors: Buffer.from(floats.buffer) };
}
