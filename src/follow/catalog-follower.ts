import type { Logger } from 'pino';
import { BETWEEN, type Catalog } from '../catalog/catalog.js';
import type { Item } from '../domain/item.js';
import type { Scene } from '../domain/scene.js';
import { answered } from '../redis/answered.js';
import { parseChange, type CatalogChange, type CatalogStore } from '../redis/catalog-store.js';
import { connectRedis, onLost, type RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { backoffMs, breathe, pause } from '../util/pause.js';

export const CATALOG_FOLLOWER_LIMITS = {
  /** Items read in one page, and put in one go before others get their turn. */
  pageItems: 100,
  putsPerTurn: 20,
  /** Change entries read at once. */
  entriesPerRead: 16,
  /** A read waits this long for entries, ms; after a quiet one the position is compared with the store's. */
  blockMs: 5000,
  /** A read that has not answered this long after its time is given up with its connection, ms. */
  blockGraceMs: 10_000,
  retryFromMs: 50,
  retryToMs: 2000,
} as const;

interface Position { readonly id: string; readonly sequence: number }

export interface CatalogFollowerOptions {
  readonly url: string;
  readonly keys: Keys;
  readonly store: CatalogStore;
  readonly catalog: Catalog;
  readonly log: Logger;
}

/**
 * Keeps this process's catalog and pins as the store has them: all of it once, then every change as it is made. The
 * position is taken before the loading, so that what changes meanwhile is applied again after it. A gap in the sequence
 * (changes trimmed away unseen, an emptied store) means: load again. Nothing is removed while Redis is away.
 */
export class CatalogFollower {
  readonly #options: CatalogFollowerOptions;
  readonly #listening: RedisClient;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #pins = new Map<string, readonly string[]>();
  #position: Position | undefined;
  #mustCheck = false;
  /** Resolves when the catalog is loaded for the first time. */
  readonly ready: Promise<void>;
  #markReady: () => void = () => { /* Set below. */ };
  /** Times that the whole catalog was loaded. */
  loads = 0;

  constructor(options: CatalogFollowerOptions) {
    this.#options = options;
    this.#listening = connectRedis(options.url, 'listening', { timeoutMs: 0, name: 'rivulet-catalog' });
    onLost(this.#listening, () => { this.#mustCheck = true; });
    this.ready = new Promise((resolve) => { this.#markReady = resolve; });
    this.#running = this.#run();
  }

  /** Ids pinned to a scene, in order. */
  pins(scene: Scene): readonly string[] {
    return this.#pins.get(scene) ?? [];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#listening.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        this.#position ??= await this.#load();
        this.#position = await this.#follow(this.#position);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#mustCheck = true;
        failures += 1;
        this.#options.log.warn({ err: error, failures }, 'catalog cannot be followed at the moment; it stays as it is');
        await pause(backoffMs(failures, CATALOG_FOLLOWER_LIMITS.retryFromMs, CATALOG_FOLLOWER_LIMITS.retryToMs), signal);
      }
    }
  }

  async #load(): Promise<Position> {
    const { store, catalog, log } = this.#options;
    const startedAt = performance.now();
    this.#mustCheck = false;
    catalog.sequence = BETWEEN;
    const position = await store.position();
    this.#pins = new Map(Object.entries(await store.getPins()));
    const ids = new Set<string>();
    let cursor = '0';
    do {
      const page = await store.listItems(cursor, CATALOG_FOLLOWER_LIMITS.pageItems);
      for (const item of page.items) ids.add(item.id);
      await this.#put(page.items);
      cursor = page.cursor;
    } while (cursor !== '0' && !this.#stopping.signal.aborted);
    if (!this.#stopping.signal.aborted) catalog.retain(ids);
    catalog.sequence = position.sequence;
    this.loads += 1;
    log.info({ items: catalog.size, sequence: position.sequence, ms: Math.round(performance.now() - startedAt) }, 'catalog loaded');
    this.#markReady();
    return position;
  }

  /** @returns the new position, undefined when all must be loaded again */
  async #follow(position: Position): Promise<Position | undefined> {
    if (this.#mustCheck && await this.#hasRestarted(position)) return undefined;
    this.#mustCheck = false;
    const { entriesPerRead, blockMs, blockGraceMs } = CATALOG_FOLLOWER_LIMITS;
    const read = this.#listening.xread('COUNT', entriesPerRead, 'BLOCK', blockMs, 'STREAMS', this.#options.keys.catalogChanges, position.id);
    const reply = await answered(this.#listening, read, blockMs + blockGraceMs, this.#stopping.signal);
    const entries = reply?.[0]?.[1] ?? [];
    // An emptied store is silent: ask now and then whether it is still the one we know.
    if (entries.length === 0) this.#mustCheck = true;
    let last = position;
    for (const [id, fields] of entries) {
      const change = parseChange(fields);
      if (change.sequence !== last.sequence + 1) {
        this.#options.log.warn({ have: last.sequence, got: change.sequence }, 'catalog changes were missed; loading all');
        return undefined;
      }
      this.#options.catalog.sequence = BETWEEN;
      await this.#apply(change);
      last = { id, sequence: change.sequence };
      this.#options.catalog.sequence = change.sequence;
      this.#position = last;
    }
    return last;
  }

  /** @returns whether the store's changes are not those we have followed, or were trimmed away ahead of us */
  async #hasRestarted(position: Position): Promise<boolean> {
    const { sequence } = await this.#options.store.position();
    return sequence < position.sequence;
  }

  async #apply({ op, what, data }: CatalogChange): Promise<void> {
    const { catalog } = this.#options;
    if (what === 'pins') {
      const pins = new Map(this.#pins);
      if (op === 'delete') for (const scene of data) pins.delete(scene);
      else for (let i = 0; i < data.length; i += 2) pins.set(data[i]!, JSON.parse(data[i + 1]!) as string[]);
      this.#pins = pins;
    } else if (op === 'delete') for (const id of data) catalog.remove(id);
    else await this.#put(data.filter((_, i) => i % 2 === 1).map((json) => JSON.parse(json) as Item));
  }

  async #put(items: readonly Item[]): Promise<void> {
    const { catalog, log } = this.#options;
    for (let i = 0; i < items.length; i++) {
      if (i > 0 && i % CATALOG_FOLLOWER_LIMITS.putsPerTurn === 0) await breathe();
      try {
        catalog.put(items[i]!);
      } catch (error) {
        // One item that does not fit (an id whose hash is taken) must not keep out the others.
        log.error({ err: error, item: items[i]!.id }, 'item left out of the catalog');
      }
    }
  }
}
