import type { Item } from '../domain/item.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

const CATALOG_LIMITS = {
  /** Items written by one script call, so that Redis is never held for long. */
  itemsPerWrite: 100,
  /** Change entries kept; who has missed more reads the whole catalog again. */
  changesKept: 10_000,
  scanCount: 500,
} as const;

/** One entry of the change stream. */
export interface CatalogChange {
  readonly sequence: number;
  readonly op: 'put' | 'delete';
  readonly what: 'items' | 'pins';
  /** put: field, value, field, value…; delete: fields. */
  readonly data: readonly string[];
}

/** A change with the id of its entry. */
export interface CatalogEntry { readonly id: string; readonly change: CatalogChange }

interface CatalogScripts {
  changeCatalog(...args: (string | number)[]): Promise<number>;
}

/** The catalog and the editors' pins in Redis, and the stream by which every process follows them. */
export class CatalogStore {
  readonly #redis: RedisClient;
  readonly #scripts: CatalogScripts;
  readonly #keys: Keys;

  constructor(redis: RedisClient, keys: Keys) {
    redis.defineCommand('changeCatalog', { numberOfKeys: 3, lua: readScript('change-catalog') });
    this.#redis = redis;
    this.#scripts = redis as unknown as CatalogScripts;
    this.#keys = keys;
  }

  /** @returns how many items were new */
  async putItems(items: readonly Item[]): Promise<number> {
    let created = 0;
    for (let from = 0; from < items.length; from += CATALOG_LIMITS.itemsPerWrite) {
      const part = items.slice(from, from + CATALOG_LIMITS.itemsPerWrite);
      created += await this.#change('put', 'items', part.flatMap((item) => [item.id, JSON.stringify(item)]));
    }
    return created;
  }

  /** @returns whether there was such an item */
  async deleteItem(id: string): Promise<boolean> {
    return (await this.#change('delete', 'items', [id])) === 1;
  }

  async getItem(id: string): Promise<Item | undefined> {
    const text = await this.#redis.hget(this.#keys.items, id);
    return text === null ? undefined : JSON.parse(text) as Item;
  }

  /** @param cursor what the last page gave, '0' to begin */
  async listItems(cursor: string, limit: number): Promise<{ cursor: string; items: Item[] }> {
    const [next, fields] = await this.#redis.hscan(this.#keys.items, cursor, 'COUNT', limit);
    return { cursor: next, items: values(fields).map((text) => JSON.parse(text) as Item) };
  }

  /** Pins items to the top of a scene, in order; none unpins. */
  async setPins(scene: string, itemIds: readonly string[]): Promise<void> {
    await (itemIds.length === 0 ? this.#change('delete', 'pins', [scene]) : this.#change('put', 'pins', [scene, JSON.stringify(itemIds)]));
  }

  async getPins(): Promise<Record<string, string[]>> {
    const pins = await this.#redis.hgetall(this.#keys.pins);
    return Object.fromEntries(Object.entries(pins).map(([scene, ids]) => [scene, JSON.parse(ids) as string[]]));
  }

  /** @returns where the change stream stands: its last entry id and sequence */
  async position(): Promise<{ id: string; sequence: number }> {
    const [last] = await this.#redis.xrevrange(this.#keys.catalogChanges, '+', '-', 'COUNT', 1);
    return last === undefined ? { id: '0-0', sequence: 0 } : { id: last[0], sequence: parseChange(last[1]).sequence };
  }

  /** @returns the changes after an entry, in order */
  async changesAfter(id: string, limit: number): Promise<CatalogEntry[]> {
    const entries = await this.#redis.xrange(this.#keys.catalogChanges, `(${id}`, '+', 'COUNT', limit);
    return entries.map(([entry, fields]) => ({ id: entry, change: parseChange(fields) }));
  }

  /** Calls back with every item, a page at a time. */
  async readAll(onItems: (items: Item[]) => void): Promise<void> {
    let cursor = '0';
    do {
      const page = await this.listItems(cursor, CATALOG_LIMITS.scanCount);
      onItems(page.items);
      cursor = page.cursor;
    } while (cursor !== '0');
  }

  #change(op: CatalogChange['op'], what: CatalogChange['what'], data: readonly string[]): Promise<number> {
    const hash = what === 'items' ? this.#keys.items : this.#keys.pins;
    return this.#scripts.changeCatalog(
      hash, this.#keys.catalogChanges, this.#keys.catalogSequence, op, what, CATALOG_LIMITS.changesKept, ...data,
    );
  }
}

/** @param fields of a stream entry: name, value, name, value… */
export function parseChange(fields: readonly string[]): CatalogChange {
  const entry = new Map<string, string>();
  for (let i = 0; i < fields.length; i += 2) entry.set(fields[i]!, fields[i + 1]!);
  return {
    sequence: Number(entry.get('n')),
    op: entry.get('op') === 'delete' ? 'delete' : 'put',
    what: entry.get('what') === 'pins' ? 'pins' : 'items',
    data: JSON.parse(entry.get('d') ?? '[]') as string[],
  };
}

/** @param fields field, value, field, value… */
const values = (fields: readonly string[]): string[] => fields.filter((_, i) => i % 2 === 1);
