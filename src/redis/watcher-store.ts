import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

const WATCHER_LIMITS = {
  /** Shoppers kept per item, the latest. */
  perItemMax: 10_000,
  /** Items kept per shopper, the latest: as many as cart and wishlist of a profile hold. */
  perShopperMax: 64,
  /** Nobody is told of a price this long after putting the item there, s. */
  lifeS: 90 * 86_400,
  pageSize: 200,
  /** Entries written at once: a long batch must not fill the connection. */
  writesAtOnce: 200,
} as const;

export interface Watch {
  readonly shopper: string;
  readonly itemId: string;
  /** ms */
  readonly at: number;
}

/**
 * Who has an item in cart or wishlist, as far as the stream has told: an index, kept for both directions. The profile
 * has the last word; an entry that it does not bear out is dropped when somebody looks.
 */
export class WatcherStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  watch(watches: readonly Watch[]): Promise<void> {
    return this.#inParts(watches, ({ shopper, itemId, at }) => {
      const [watchers, watched] = [this.keys.watchers(itemId), this.keys.watched(shopper)];
      return [
        this.redis.zadd(watchers, 'GT', at, shopper), this.redis.zremrangebyrank(watchers, 0, -1 - WATCHER_LIMITS.perItemMax),
        this.redis.expire(watchers, WATCHER_LIMITS.lifeS),
        this.redis.zadd(watched, 'GT', at, itemId), this.redis.zremrangebyrank(watched, 0, -1 - WATCHER_LIMITS.perShopperMax),
        this.redis.expire(watched, WATCHER_LIMITS.lifeS),
      ];
    });
  }

  unwatch(watches: readonly Pick<Watch, 'shopper' | 'itemId'>[]): Promise<void> {
    return this.#inParts(watches, ({ shopper, itemId }) => [
      this.redis.zrem(this.keys.watchers(itemId), shopper), this.redis.zrem(this.keys.watched(shopper), itemId),
    ]);
  }

  /** Forgets an erased shopper. */
  async forget(shopper: string): Promise<void> {
    const items = await this.redis.zrange(this.keys.watched(shopper), '0', '-1');
    await this.unwatch(items.map((itemId) => ({ shopper, itemId })));
  }

  /** What `from` watched, `to` watches from now on. */
  async move(from: string, to: string, at: number): Promise<void> {
    const items = await this.redis.zrange(this.keys.watched(from), '0', '-1');
    await this.watch(items.map((itemId) => ({ shopper: to, itemId, at })));
    await this.unwatch(items.map((itemId) => ({ shopper: from, itemId })));
  }

  /** @returns those of the items that anybody watches */
  async watchedOf(itemIds: readonly string[]): Promise<string[]> {
    const counts = await Promise.all(itemIds.map((id) => this.redis.exists(this.keys.watchers(id))));
    return itemIds.filter((_, i) => counts[i] === 1);
  }

  /** The item's watchers, a page at a time; each at least once, some perhaps twice. */
  async *pages(itemId: string): AsyncGenerator<string[]> {
    let cursor = '0';
    do {
      const [next, entries] = await this.redis.zscan(this.keys.watchers(itemId), cursor, 'COUNT', WATCHER_LIMITS.pageSize);
      yield entries.filter((_, i) => i % 2 === 0);
      cursor = next;
    } while (cursor !== '0');
  }

  async #inParts<T>(entries: readonly T[], write: (entry: T) => Promise<unknown>[]): Promise<void> {
    for (let from = 0; from < entries.length; from += WATCHER_LIMITS.writesAtOnce) {
      await Promise.all(entries.slice(from, from + WATCHER_LIMITS.writesAtOnce).flatMap(write));
    }
  }
}
