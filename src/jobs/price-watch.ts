import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Item } from '../domain/item.js';
import { toMinor } from '../domain/money.js';
import { PRICE_DROP, type PriceDropJob } from '../offers/price-drop.js';
import { parseChange, type CatalogChange, type CatalogStore } from '../redis/catalog-store.js';
import type { Keys } from '../redis/keys.js';
import type { WatcherStore } from '../redis/watcher-store.js';
import { backoffMs, pause } from '../util/pause.js';

const PRICE_WATCH_LIMITS = {
  /** Change entries read at once. */
  entriesPerRead: 50,
  /** A read waits this long for entries, ms. */
  blockMs: 5000,
  /** Items per page when the whole catalog is compared. */
  itemsPerPage: 500,
  /** Pause after a failure: doubles from … to …, ms. */
  retryFromMs: 100,
  retryToMs: 5000,
} as const;

export interface PriceWatchOptions {
  /** Short commands. */
  readonly redis: Redis;
  /** Makes the connection that the reads block; the watch ends it. */
  readonly connect: () => Redis;
  readonly keys: Keys;
  readonly catalog: Pick<CatalogStore, 'listItems'>;
  readonly watchers: Pick<WatcherStore, 'watchedOf'>;
  /** Adds a job; one that has this id already is left as it is. */
  readonly addJob: (name: string, data: PriceDropJob, options: { jobId: string }) => Promise<unknown>;
  readonly log: Logger;
}

interface Position {
  readonly id: string;
  /** Of the last change seen; undefined before the first. */
  readonly sequence: number | undefined;
}

/**
 * Follows the catalog's changes and starts a job for each item that became cheaper while somebody watches it. The price
 * seen last is stored only after the job is added, and the position after both: a crash repeats, and never skips. An
 * item whose price was not seen before counts as cheaper; the job compares with what each shopper saw. Several workers
 * may follow at once: the same change makes the same job. Changes that were trimmed away unseen show as a gap in the
 * sequence, and the whole catalog is compared instead.
 */
export class PriceWatch {
  readonly #options: PriceWatchOptions;
  readonly #stopping = new AbortController();
  #listening: Redis | undefined;
  #running: Promise<void> | undefined;

  constructor(options: PriceWatchOptions) {
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
        this.#options.log.warn({ err: error, failures }, 'watch for price drops failed; it goes on from its position');
        await pause(backoffMs(failures, PRICE_WATCH_LIMITS.retryFromMs, PRICE_WATCH_LIMITS.retryToMs), signal);
      }
    }
  }

  async #step(listening: Redis, position: Position): Promise<Position> {
    const { redis, keys } = this.#options;
    const { entriesPerRead, blockMs } = PRICE_WATCH_LIMITS;
    const reply = await listening.xread('COUNT', entriesPerRead, 'BLOCK', blockMs, 'STREAMS', keys.catalogChanges, position.id);
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
      if (data.length > 0) await this.#options.redis.hdel(this.#options.keys.pricesSeen, ...data);
      return;
    }
    await this.#compare(data.filter((_, i) => i % 2 === 1).map((json) => JSON.parse(json) as Item), sequence);
  }

  async #compare(items: readonly Item[], sequence: number): Promise<void> {
    const { redis, keys, watchers, addJob } = this.#options;
    const prices = new Map(items.flatMap((item) => (item.price === undefined ? [] : [[item.id, toMinor(item.price, item.currency)] as const])));
    if (prices.size === 0) return;
    const ids = [...prices.keys()];
    const seen = await redis.hmget(keys.pricesSeen, ...ids);
    const cheaper = ids.filter((id, i) => seen[i] === null || prices.get(id)! < Number(seen[i]));
    for (const itemId of await watchers.watchedOf(cheaper)) {
      await addJob(PRICE_DROP, { itemId }, { jobId: `drop ${sequence} ${itemId}` });
    }
    await redis.hset(keys.pricesSeen, prices);
  }

  async #compareAll(sequence: number): Promise<void> {
    this.#options.log.info({ sequence }, 'catalog changes were missed; comparing every price');
    let cursor = '0';
    do {
      const page = await this.#options.catalog.listItems(cursor, PRICE_WATCH_LIMITS.itemsPerPage);
      await this.#compare(page.items, sequence);
      cursor = page.cursor;
    } while (cursor !== '0' && !this.#stopping.signal.aborted);
  }

  async #position(): Promise<Position> {
    const stored = await this.#options.redis.get(this.#options.keys.pricesPosition);
    return stored === null ? { id: '0-0', sequence: undefined } : JSON.parse(stored) as Position;
  }
}
