import type { Logger } from 'pino';
import type { CatalogChangeKind } from '../domain/campaign.js';
import type { Item } from '../domain/item.js';
import { toMinor } from '../domain/money.js';
import { answered } from '../redis/answered.js';
import { parseChange, type CatalogChange, type CatalogStore } from '../redis/catalog-store.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import type { WatcherStore } from '../redis/watcher-store.js';
import { backoffMs, pause } from '../util/pause.js';

const CATALOG_WATCH_LIMITS = {
  /** Change entries read at once. */
  entriesPerRead: 50,
  /** A read waits this long for entries, ms. */
  blockMs: 5000,
  /** A read that has not answered this long after its time is given up with its connection, ms. */
  blockGraceMs: 10_000,
  /** Items per page when the whole catalog is compared. */
  itemsPerPage: 500,
  /** Pause after a failure: doubles from … to …, ms. */
  retryFromMs: 100,
  retryToMs: 5000,
} as const;

/** Something that the watchers of an item wait for has come about. */
export interface ItemNews {
  readonly itemId: string;
  readonly change: CatalogChangeKind;
  /** Of the change in the catalog that brought it about. */
  readonly sequence: number;
}

export interface CatalogWatchOptions {
  /** Short commands. */
  readonly redis: RedisClient;
  /** Makes the connection that the reads block; the watch ends it. */
  readonly connect: () => RedisClient;
  readonly keys: Keys;
  readonly catalog: Pick<CatalogStore, 'listItems'>;
  readonly watchers: Pick<WatcherStore, 'watchedOf'>;
  /** Tells the watchers of an item; one that has this id already is left as it is. */
  readonly tell: (news: ItemNews, id: string) => Promise<void>;
  readonly log: Logger;
}

interface Position {
  readonly id: string;
  /** Of the last change seen; undefined before the first. */
  readonly sequence: number | undefined;
}

/**
 * Follows the catalog's changes and starts a job for each item that became cheaper, or can be had again, while somebody
 * watches it. What was seen last is stored only after the job is added, and the position after both: a crash repeats,
 * and never skips. An item whose price was not seen before counts as cheaper; the job compares with what each shopper
 * saw. Several workers may follow at once: the same change makes the same job. Changes that were trimmed away unseen
 * show as a gap in the sequence, and the whole catalog is compared instead.
 */
export class CatalogWatch {
  readonly #options: CatalogWatchOptions;
  readonly #stopping = new AbortController();
  #listening: RedisClient | undefined;
  #running: Promise<void> | undefined;

  constructor(options: CatalogWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the batch under way is done. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#listening?.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    this.#listening = this.#options.connect();
    let failures = 0;
    let position: Position | undefined;
    while (!signal.aborted) {
      try {
        position ??= await this.#position();
        position = await this.#step(this.#listening, position);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        position = undefined;
        this.#options.log.warn({ err: error, failures }, 'watch over the catalog failed; it goes on from its position');
        await pause(backoffMs(failures, CATALOG_WATCH_LIMITS.retryFromMs, CATALOG_WATCH_LIMITS.retryToMs), signal);
      }
    }
  }

  async #step(listening: RedisClient, position: Position): Promise<Position> {
    const { redis, keys } = this.#options;
    const { entriesPerRead, blockMs, blockGraceMs } = CATALOG_WATCH_LIMITS;
    const read = listening.xread('COUNT', entriesPerRead, 'BLOCK', blockMs, 'STREAMS', keys.catalogChanges, position.id);
    const reply = await answered(listening, read, blockMs + blockGraceMs, this.#stopping.signal);
    const entries = reply?.[0]?.[1] ?? [];
    let last = position;
    for (const [id, fields] of entries) {
      const change = parseChange(fields);
      if (last.sequence !== undefined && change.sequence !== last.sequence + 1) await this.#compareAll(change.sequence);
      await this.#apply(change);
      last = { id, sequence: change.sequence };
    }
    if (last !== position) await redis.set(keys.pricesPosition, JSON.stringify(last));
    return last;
  }

  async #apply({ op, what, data, sequence }: CatalogChange): Promise<void> {
    if (what !== 'items') return;
    if (op === 'delete') {
      const { redis, keys } = this.#options;
      if (data.length > 0) await Promise.all([redis.hdel(keys.pricesSeen, ...data), redis.srem(keys.soldOutSeen, ...data)]);
      return;
    }
    await this.#compare(data.filter((_, i) => i % 2 === 1).map((json) => JSON.parse(json) as Item), sequence);
  }

  async #compare(items: readonly Item[], sequence: number): Promise<void> {
    if (items.length === 0) return;
    await this.#comparePrices(items.filter((item) => item.price !== undefined), sequence);
    await this.#compareStock(items, sequence);
  }

  async #comparePrices(items: readonly Item[], sequence: number): Promise<void> {
    const { redis, keys } = this.#options;
    if (items.length === 0) return;
    const prices = new Map(items.map((item) => [item.id, toMinor(item.price!, item.currency)] as const));
    const ids = [...prices.keys()];
    const seen = await redis.hmget(keys.pricesSeen, ...ids);
    await this.#tell(ids.filter((id, i) => seen[i] === null || prices.get(id)! < Number(seen[i])), 'price_drop', sequence);
    await redis.hset(keys.pricesSeen, prices);
  }

  async #compareStock(items: readonly Item[], sequence: number): Promise<void> {
    const { redis, keys } = this.#options;
    const soldOut = items.filter(({ stock }) => stock === 0).map(({ id }) => id);
    const there = items.filter(({ stock }) => stock !== 0).map(({ id }) => id);
    const wereSoldOut = there.length === 0 ? [] : await redis.smismember(keys.soldOutSeen, ...there);
    const back = there.filter((_, i) => wereSoldOut[i] === 1);
    await this.#tell(back, 'back_in_stock', sequence);
    if (back.length > 0) await redis.srem(keys.soldOutSeen, ...back);
    if (soldOut.length > 0) await redis.sadd(keys.soldOutSeen, ...soldOut);
  }

  async #tell(itemIds: readonly string[], change: CatalogChangeKind, sequence: number): Promise<void> {
    const { watchers, tell } = this.#options;
    for (const itemId of await watchers.watchedOf(itemIds)) await tell({ itemId, change, sequence }, `${change} ${sequence} ${itemId}`);
  }

  async #compareAll(sequence: number): Promise<void> {
    this.#options.log.info({ sequence }, 'catalog changes were missed; comparing every price');
    let cursor = '0';
    do {
      const page = await this.#options.catalog.listItems(cursor, CATALOG_WATCH_LIMITS.itemsPerPage);
      await this.#compare(page.items, sequence);
      cursor = page.cursor;
    } while (cursor !== '0' && !this.#stopping.signal.aborted);
  }

  async #position(): Promise<Position> {
    const stored = await this.#options.redis.get(this.#options.keys.pricesPosition);
    return stored === null ? { id: '0-0', sequence: undefined } : JSON.parse(stored) as Position;
  }
}
