import type { ChangeCause } from '../domain/segment.js';
import { HEAD_BYTES, TOKEN_BYTES } from '../profile/codec.js';
import type { RedisClient } from './client.js';
import { partitionOf, type Keys } from './keys.js';
import { readScript } from './profile-store.js';

const PORTRAIT_STORE_LIMITS = {
  /** Changes of membership that a partition's stream keeps for those who follow it. */
  changesKept: 20_000,
} as const;

/** What is stored of a shopper that a portrait and its consequences are made of. */
export interface StoredPortrait {
  /** The profile's first `HEAD_BYTES`; null for none. */
  readonly head: Buffer | null;
  /** Attributes, JSON; '' for none. */
  readonly attributes: string;
  /** Segment id → since, ms. */
  readonly memberships: ReadonlyMap<string, number>;
  /** As what the shopper is counted among the buyers: `day,orders,money`; '' when not. */
  readonly buckets: string;
}

export interface Settlement {
  readonly buckets: string;
  readonly entered: readonly string[];
  readonly left: readonly string[];
  /** ms */
  readonly at: number;
  readonly cause: ChangeCause;
}

interface SettleScript {
  settleShopper(keyCount: number, ...keysAndArguments: (string | number | Buffer)[]): Promise<number>;
}

/** What follows from portraits, beside each shopper's profile: segments they are in, and what they count among the buyers. */
export class PortraitStore {
  readonly #redis: RedisClient;
  readonly #scripts: SettleScript;
  readonly #keys: Keys;
  readonly #ttlS: number;

  constructor(redis: RedisClient, keys: Keys, { profileTtlS }: { profileTtlS: number }) {
    redis.defineCommand('settleShopper', { lua: readScript('settle-shopper') });
    this.#redis = redis;
    this.#scripts = redis as unknown as SettleScript;
    this.#keys = keys;
    this.#ttlS = profileTtlS;
  }

  /** All in one round trip. */
  async read(shopper: string): Promise<StoredPortrait> {
    const [head, attributes, memberships, buckets] = await Promise.all([
      this.#redis.getrangeBuffer(this.#keys.profile(shopper), 0, HEAD_BYTES - 1),
      this.#redis.getex(this.#keys.attributes(shopper), 'EX', this.#ttlS),
      this.memberships(shopper),
      this.#redis.hget(this.#keys.buyers(partitionOf(shopper)), shopper),
    ]);
    return { head: head.length === 0 ? null : head, attributes: attributes ?? '', memberships, buckets: buckets ?? '' };
  }

  /** @returns segment id → since, ms */
  async memberships(shopper: string): Promise<Map<string, number>> {
    const fields = await this.#redis.hgetall(this.#keys.memberships(shopper));
    return new Map(Object.entries(fields).map(([id, since]) => [id, Number(since)]));
  }

  /** @returns false when the shopper has changed since they were read: read again */
  async settle(shopper: string, seen: StoredPortrait, { buckets, entered, left, at, cause }: Settlement): Promise<boolean> {
    const keys = this.#keys;
    const partition = partitionOf(shopper);
    const changed = [...entered, ...left];
    const names = [
      keys.profile(shopper), keys.attributes(shopper), keys.memberships(shopper), keys.buyers(partition), keys.buyerCounts(partition),
      keys.segmentSizes(partition), keys.segmentChanges(partition), ...changed.map((id) => keys.segmentMembers(partition, id)),
    ];
    return (await this.#scripts.settleShopper(
      names.length, ...names, seen.head?.subarray(0, TOKEN_BYTES) ?? '', seen.attributes, shopper, at, cause, buckets,
      entered.length, PORTRAIT_STORE_LIMITS.changesKept, ...changed,
    )) === 1;
  }
}
