import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.js';
import type { Item } from '../domain/item.js';
import type { Scene } from '../domain/scene.js';
import { parseChange, type CatalogChange, type CatalogStore } from '../redis/catalog-store.js';
import { connectRedis } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';

const FOLLOW_LIMITS = {
  /** Entries read at once; each holds up to 100 items. */
  entries: 10,
  /** A blocking read returns after this long at the latest, ms. */
  blockMs: 1000,
  /** Pause after a fault, ms. */
  retryMs: 200,
} as const;

export interface CatalogFollowerOptions {
  readonly url: string;
  readonly keys: Keys;
  readonly store: CatalogStore;
  readonly catalog: Catalog;
  readonly log: Logger;
}

/**
 * Keeps a process's catalog and pins like those in Redis: all of it once, then every change as it comes. Changes
 * carry a sequence number; where one is missing (trimmed away, or Redis was emptied) everything is read again.
 */
export class CatalogFollower {
  /** Resolves when the catalog is complete. */
  readonly ready: Promise<void>;
  readonly #options: CatalogFollowerOptions;
  readonly #redis: Redis;
  readonly #done: Promise<void>;
  #pins: Readonly<Record<string, readonly string[]>> = {};
  #position = { id: '0-0', sequence: 0 };
  #stopped = false;

  constructor(options: CatalogFollowerOptions) {
    this.#options = options;
    this.#redis = connectRedis(options.url, 'listening', { timeoutMs: FOLLOW_LIMITS.blockMs, name: 'rivulet-catalog' });
    this.ready = this.#reload();
    this.#done = this.#follow();
  }

  /** Ids pinned to a scene, in order. */
  pins(scene: Scene): readonly string[] {
    return this.#pins[scene] ?? [];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#redis.disconnect();
    await this.#done;
  }

  /** Reads everything. The position is taken first: a change that comes meanwhile is applied twice, not missed. */
  async #reload(): Promise<void> {
    const { store, catalog } = this.#options;
    const position = await store.position();
    const ids = new Set<string>();
    await store.readAll((items) => {
      for (const item of items) {
        ids.add(item.id);
        this.#put(item);
      }
    });
    catalog.retain(ids);
    this.#pins = await store.getPins();
    this.#position = position;
  }

  async #follow(): Promise<void> {
    await this.ready.catch(() => { /* whoever waits for `ready` is told; here it is tried again below */ });
    while (!this.#stopped) {
      try {
        await this.#step();
      } catch (error) {
        if (this.#stopped) return;
        this.#options.log.warn({ err: error }, 'following the catalog: trying again');
        await pause(FOLLOW_LIMITS.retryMs);
      }
    }
  }

  async #step(): Promise<void> {
    const { keys } = this.#options;
    const reply = await this.#redis.xread(
      'COUNT', FOLLOW_LIMITS.entries, 'BLOCK', FOLLOW_LIMITS.blockMs, 'STREAMS', keys.catalogChanges, this.#position.id,
    );
    const entries = reply?.[0]?.[1] ?? [];
    // A quiet stream may be one that was emptied: its sequence then stands before ours.
    if (entries.length === 0 && (await this.#options.store.position()).sequence < this.#position.sequence) return this.#reload();
    for (const [id, fields] of entries) {
      const change = parseChange(fields);
      if (change.sequence !== this.#position.sequence + 1) return this.#reload();
      this.#apply(change);
      this.#position = { id, sequence: change.sequence };
      await nextTurn();
    }
  }

  #apply({ op, what, data }: CatalogChange): void {
    if (what === 'pins') {
      const pins = { ...this.#pins };
      for (let i = 0; i < data.length; i += op === 'put' ? 2 : 1) {
        if (op === 'put') pins[data[i]!] = JSON.parse(data[i + 1]!) as string[];
        else delete pins[data[i]!];
      }
      this.#pins = pins;
      return;
    }
    if (op === 'put') for (let i = 1; i < data.length; i += 2) this.#put(JSON.parse(data[i]!) as Item);
    else for (const id of data) this.#options.catalog.remove(id);
  }

  /** An item that cannot be held (its id's hash is taken) is left out here; the API has refused it where it could see. */
  #put(item: Item): void {
    try {
      this.#options.catalog.put(item);
    } catch (error) {
      this.#options.log.error({ err: error, item: item.id }, 'item left out');
    }
  }
}
