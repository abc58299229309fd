import type { TrendingData } from '../candidates/statistics.js';
import type { Notice } from '../domain/record.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

export const TRENDING_LIMITS = {
  shortHalfLifeMs: 2 * 3_600_000,
  longHalfLifeMs: 7 * 86_400_000,
  /** 84 short half-lives: far from the end of what a double holds. */
  rescaleAfterMs: 7 * 86_400_000,
  /** Scopes counted; the least met go. */
  scopes: 64,
  /** Items counted over all, and in each other scope; the weakest go. */
  itemsOfAll: 5000, itemsOfScope: 1000,
  /** Weights in one call, so that Redis is never held for long. */
  weightsPerCall: 250,
  /** Strongest items of a scope that are looked at for a list. */
  considered: 500,
} as const;

/** What is added: how much an item counts in a scope, as of now. */
export interface TrendingWeight {
  readonly scope: string;
  /** hash48 of the item */
  readonly item: number;
  readonly short: number;
  readonly long: number;
}

/** An item's decayed counts as of now. */
export type TrendingCount = Omit<TrendingWeight, 'scope'>;

/** Lists as published, and when, ms: no two publications are of one time. */
export interface PublishedTrending { readonly version: number; readonly lists: TrendingData }

export const NOTHING_PUBLISHED: PublishedTrending = { version: 0, lists: {} };

interface CountScript {
  countTrending(...args: (string | number)[]): Promise<number>;
}

/**
 * Trending counters in Redis, where all workers add to the same ones and a restart loses nothing, and the lists made of
 * them, which every API process reads.
 */
export class TrendingStore {
  readonly #redis: RedisClient;
  readonly #scripts: CountScript;
  readonly #keys: Keys;
  readonly #state: string;
  readonly #scopes: string;

  constructor(redis: RedisClient, keys: Keys) {
    redis.defineCommand('countTrending', { numberOfKeys: 2, lua: readScript('count-trending') });
    this.#redis = redis;
    this.#scripts = redis as unknown as CountScript;
    this.#keys = keys;
    this.#state = `${keys.trending}:state`;
    this.#scopes = `${keys.trending}:scopes`;
  }

  /** @param weights at most `TRENDING_LIMITS.weightsPerCall` */
  async count(weights: readonly TrendingWeight[], now: number): Promise<void> {
    const { shortHalfLifeMs, longHalfLifeMs, rescaleAfterMs } = TRENDING_LIMITS;
    await this.#scripts.countTrending(
      this.#state, this.#scopes, now, shortHalfLifeMs, longHalfLifeMs, rescaleAfterMs,
      ...weights.flatMap(({ scope, item, short, long }) => [scope, item, short, long]),
    );
  }

  /** @returns how often counters changed, and how often they had when lists were last published */
  async changes(): Promise<{ changes: number; published: number }> {
    const [changes, published] = await this.#redis.hmget(this.#state, 'changes', 'published');
    return { changes: Number(changes ?? 0), published: Number(published ?? 0) };
  }

  /** Forgets the scopes beyond the bound. @returns the others, most met first */
  async scopes(): Promise<string[]> {
    const scopes = await this.#redis.zrevrange(this.#scopes, 0, -1);
    const gone = scopes.slice(TRENDING_LIMITS.scopes);
    for (const scope of gone) {
      await this.#redis.multi().del(this.#key(scope, 'short'), this.#key(scope, 'long')).zrem(this.#scopes, scope).exec();
    }
    return scopes.slice(0, TRENDING_LIMITS.scopes);
  }

  /** The items of a scope that count most of late; forgets those beyond the bound. */
  async top(scope: string, now: number): Promise<TrendingCount[]> {
    const { shortHalfLifeMs, longHalfLifeMs, considered, itemsOfAll, itemsOfScope } = TRENDING_LIMITS;
    const short = this.#key(scope, 'short');
    const long = this.#key(scope, 'long');
    const kept = scope === 'all' ? itemsOfAll : itemsOfScope;
    const [landmark, strongest] = await Promise.all([
      this.#redis.hget(this.#state, 'landmark'),
      this.#redis.zrevrange(short, 0, considered - 1, 'WITHSCORES'),
      this.#redis.zremrangebyrank(short, 0, -kept - 1),
      this.#redis.zremrangebyrank(long, 0, -kept - 1),
    ]);
    const items = strongest.filter((_, i) => i % 2 === 0);
    if (items.length === 0) return [];
    const longs = await this.#redis.zmscore(long, ...items);
    const age = now - Number(landmark ?? now);
    return items.map((item, i) => ({
      item: Number(item),
      short: Number(strongest[i * 2 + 1]) * 2 ** (-age / shortHalfLifeMs),
      long: Number(longs[i] ?? 0) * 2 ** (-age / longHalfLifeMs),
    }));
  }

  /** @param changes the count of changes that the lists show */
  async publish(published: PublishedTrending, changes: number): Promise<void> {
    await this.#redis.multi().set(this.#keys.trending, JSON.stringify(published)).hset(this.#state, 'published', changes).exec();
    const notice: Notice = { kind: 'trending' };
    await this.#redis.publish(this.#keys.notices, JSON.stringify(notice));
  }

  /** The lists as last published. */
  async read(): Promise<PublishedTrending> {
    const text = await this.#redis.get(this.#keys.trending);
    const published = text === null ? NOTHING_PUBLISHED : JSON.parse(text) as Partial<PublishedTrending>;
    // Lists of before they had a version: the next ones come soon.
    return published.lists === undefined || published.version === undefined ? NOTHING_PUBLISHED : { version: published.version, lists: published.lists };
  }

  #key(scope: string, horizon: 'short' | 'long'): string {
    return `${this.#scopes}:${scope}:${horizon}`;
  }
}
