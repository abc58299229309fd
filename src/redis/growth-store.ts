import type { LedgerEntry } from '../domain/growth.js';
import type { PortraitRecord } from '../domain/record.js';
import { hash48 } from '../util/hash.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

const GROWTH_STORE_LIMITS = {
  /** Changes of points kept of a shopper, about; the points themselves stay. */
  entriesMax: 1000,
  /** Ids kept of a shopper's events that counted, the latest by time: none of them counts again. */
  idsMax: 5000,
} as const;

export interface StoredGrowth {
  /** State, JSON; '' for none. */
  readonly json: string;
  /** Those of the asked ids that counted before. */
  readonly seen: ReadonlySet<string>;
  readonly isFlagged: boolean;
}

export interface GrowthWrite {
  readonly json: string;
  readonly points: number;
  readonly level: number;
  readonly badges: readonly string[];
  readonly entries: readonly LedgerEntry[];
  /** What counted now. */
  readonly ids: readonly { readonly id: string; readonly at: number }[];
  readonly record?: PortraitRecord | undefined;
}

/** Rules as an operator has set them. */
export interface StoredRules { readonly version: number; readonly json: string }

interface GrowthScript {
  writeGrowth(...args: (string | number)[]): Promise<number>;
}

/** Growth of shoppers, in their slots, and the rules of it. */
export class GrowthStore {
  readonly #redis: RedisClient;
  readonly #scripts: GrowthScript;
  readonly #keys: Keys;
  readonly #ttlS: number;

  constructor(redis: RedisClient, keys: Keys, { profileTtlS }: { profileTtlS: number }) {
    redis.defineCommand('writeGrowth', { numberOfKeys: 5, lua: readScript('write-growth') });
    this.#redis = redis;
    this.#scripts = redis as unknown as GrowthScript;
    this.#keys = keys;
    this.#ttlS = profileTtlS;
  }

  /** All in one round trip. */
  async read(shopper: string, ids: readonly string[] = []): Promise<StoredGrowth> {
    const [json, scores, flagged] = await Promise.all([
      this.#redis.get(this.#keys.growth(shopper)),
      ids.length === 0 ? [] : this.#redis.zmscore(this.#keys.growthSeen(shopper), ...ids.map(shortOf)),
      this.#redis.hget(this.#keys.standing(shopper), 'flagged'),
    ]);
    return { json: json ?? '', seen: new Set(ids.filter((_, i) => scores[i] !== null)), isFlagged: flagged === '1' };
  }

  /** @returns false when somebody else has written since it was read */
  async write(shopper: string, read: string, { json, points, level, badges, entries, ids, record }: GrowthWrite): Promise<boolean> {
    const keys = this.#keys;
    const names = [keys.growth(shopper), keys.standing(shopper), keys.growthLedger(shopper), keys.growthSeen(shopper), keys.eventsOf(shopper)];
    return (await this.#scripts.writeGrowth(
      ...names, read, json, this.#ttlS, points, level, JSON.stringify(badges), record === undefined ? '' : JSON.stringify(record),
      GROWTH_STORE_LIMITS.entriesMax, GROWTH_STORE_LIMITS.idsMax, entries.length, ...entries.map((entry) => JSON.stringify(entry)),
      ...ids.flatMap(({ id, at }) => [at, shortOf(id)]),
    )) === 1;
  }

  /** Newest first. @param cursor what the last page gave, '' to begin. @returns the cursor of the next page, '' after the last */
  async ledger(shopper: string, cursor: string, limit: number): Promise<{ entries: LedgerEntry[]; cursor: string }> {
    const rows = await this.#redis.xrevrange(this.#keys.growthLedger(shopper), cursor === '' ? '+' : `(${cursor}`, '-', 'COUNT', limit);
    const entries = rows.map(([, fields]) => JSON.parse(fields[1]!) as LedgerEntry);
    return { entries, cursor: rows.length < limit ? '' : rows.at(-1)![0] };
  }

  async erase(shopper: string): Promise<void> {
    const keys = this.#keys;
    await Promise.all([
      this.#redis.del(keys.growth(shopper), keys.growthLedger(shopper), keys.growthSeen(shopper)),
      this.#redis.hdel(keys.standing(shopper), 'points', 'level', 'badges'),
    ]);
  }

  /** @returns undefined while no operator has set any */
  async rules(): Promise<StoredRules | undefined> {
    const { version, json } = await this.#redis.hgetall(this.#keys.growthRules);
    return version === undefined || json === undefined ? undefined : { version: Number(version), json };
  }

  async putRules(json: string): Promise<void> {
    await this.#redis.multi().hset(this.#keys.growthRules, 'json', json).hincrby(this.#keys.growthRules, 'version', 1).exec();
  }
}

/** Ids are their clients', of any length. */
const shortOf = (id: string): string => hash48(id).toString(36);
