import type { Item } from '../domain/item.js';
import { toMinor } from '../domain/money.js';
import { AppError } from '../errors.js';
import type { ItemFacts } from '../profile/fold.js';
import { hash32, hash48 } from '../util/hash.js';
import { KeyIndex } from '../util/key-index.js';
import { PriceLevels, bucketOf } from './price-levels.js';

/** Stock of an item that is not counted. */
export const STOCK_UNCOUNTED = -1;

/** Items remembered as the latest published. */
const FRESH_MAX = 128;
const DAY_MS = 86_400_000;

/**
 * Words of a row's record. All that ranking reads of an item lies in 64 bytes, one cache line: with a column each,
 * 200 candidates of 50,000 items missed the cache ten times as often.
 */
export const RECORD = {
  width: 16,
  /** 1 for an item that is there, 0 for one that was removed. */
  alive: 0,
  stock: 1,
  /** Numbers of the leaf category, the root category and the brand. */
  leaf: 2, root: 3, brand: 4,
  /** Bucket of the price, −1 without one. */
  priceBucket: 5,
  /** Float: log(1 + price in minor units), 0 without a price. */
  logPrice: 6,
  /** Float: days since 1970 of publication, 0 when unknown. */
  publishedDay: 7,
  /** Numbers of the first tags, ended by 0. */
  tags: 8, tagsMax: 8,
} as const;

/** Names of one attribute (category path, brand or tag), numbered densely; number 0 means "none". */
class Names {
  readonly #numbers = new Map<number, number>();
  readonly names: string[] = [''];

  /** @returns the name's number, given out on first sight */
  number(name: string): number {
    const hash = hash32(name);
    let number = this.#numbers.get(hash);
    if (number === undefined) {
      number = this.names.push(name) - 1;
      this.#numbers.set(hash, number);
    }
    return number;
  }

  /** @returns the name with this hash32 */
  nameOf(hash: number): string | undefined {
    const number = this.ofHash(hash);
    return number === 0 ? undefined : this.names[number];
  }

  /** @returns the number of the name with this hash32, 0 when no item has it */
  ofHash(hash: number): number {
    return this.#numbers.get(hash) ?? 0;
  }

  get size(): number {
    return this.names.length;
  }
}

/** Instead of a sequence: of a catalog that has taken in half of a change, and of what was made while it changed. No replay can tell what that knew. */
export const BETWEEN = -1;

/**
 * The catalog as one process holds it: columns by row for ranking, objects for replies. A row belongs to one item id
 * for the life of the process; a removed item leaves its row dead, so that indexes built before stay valid.
 */
export class Catalog {
  readonly categories = new Names();
  readonly brands = new Names();
  readonly tags = new Names();
  /** Rows of each category number, any level of the path; a row that moved on stays listed, and is still a fair candidate. */
  readonly #rowsByCategory = new Map<number, number[]>();
  readonly #rowsByBrand = new Map<number, number[]>();
  readonly #prices = new PriceLevels();
  readonly #rowByKey = new KeyIndex();
  readonly #items: (Item | undefined)[] = [];
  readonly #facts: (ItemFacts | undefined)[] = [];
  readonly #json: { readonly id: string; readonly item: string }[] = [];
  /** Category numbers of each row, root first. */
  readonly paths: number[][] = [];
  /** Tag numbers of each row. */
  readonly tagNumbers: number[][] = [];
  /** What ranking reads of each row, `RECORD.width` 32-bit words a row: see `RECORD`. */
  records = new Int32Array(1024 * RECORD.width);
  /** The same memory as floats. */
  recordFloats = new Float32Array(this.records.buffer);
  /** Minor units; NaN when the item has no price. */
  priceMinor = new Float64Array(1024);
  /** Rows of the live rooms among the items, on air or not, in order of their announcement. They come and go: no other list has them. */
  readonly roomRows = new Set<number>();
  /** Rows of the items published last, newest first; bounded. */
  readonly freshRows: number[] = [];
  #live = 0;
  /** Sequence of the store's latest change that is in it, or `BETWEEN`: whoever follows the store sets it. */
  sequence = 0;

  /** Rows given out so far, dead ones included. */
  get rows(): number {
    return this.#items.length;
  }

  /** Items there are. */
  get size(): number {
    return this.#live;
  }

  /** @returns the row of the item with this hash48, also of a removed one, or −1 */
  rowOfKey(key: number): number {
    return this.#rowByKey.get(key);
  }

  /** @returns the row of a live item, or −1 */
  rowOf(id: string): number {
    const row = this.rowOfKey(hash48(id));
    return row >= 0 && this.#items[row]?.id === id ? row : -1;
  }

  /** @returns the live item at a row */
  item(row: number): Item | undefined {
    return this.#items[row];
  }

  /** The item at a row and its id as JSON texts, made once: replies are put together from them. */
  json(row: number): { readonly id: string; readonly item: string } {
    return this.#json[row]!;
  }

  isAlive(row: number): boolean {
    return this.records[row * RECORD.width + RECORD.alive] === 1;
  }

  leafOf(row: number): number {
    return this.records[row * RECORD.width + RECORD.leaf]!;
  }

  brandOf(row: number): number {
    return this.records[row * RECORD.width + RECORD.brand]!;
  }

  /** Rows of all live items. */
  *allRows(): Generator<number> {
    for (let row = 0; row < this.rows; row++) if (this.isAlive(row)) yield row;
  }

  /** What `fold` needs to know of the item with this id. */
  facts(id: string): ItemFacts | undefined {
    const row = this.rowOf(id);
    if (row < 0) return undefined;
    const facts = this.#facts[row]!;
    const { priceMinor } = facts;
    return priceMinor === undefined ? facts : { ...facts, priceLevel: this.#prices.levelOf(priceMinor) };
  }

  /** Price level, 0 (cheapest fifth) … 4, of each `RECORD.priceBucket`. */
  priceLevels(): Uint8Array {
    return this.#prices.levels();
  }

  /** Rows that are or were in a category, newest last. */
  rowsInCategory(category: number): readonly number[] {
    return this.#rowsByCategory.get(category) ?? [];
  }

  rowsOfBrand(brand: number): readonly number[] {
    return this.#rowsByBrand.get(brand) ?? [];
  }

  /** The key under which a category path is hashed: `shoes/running`. */
  static pathKey(path: readonly string[], depth: number): string {
    return path.slice(0, depth).join('/');
  }

  /**
   * Adds or replaces an item.
   * @throws AppError `item_id_collision` when another id has the same 48-bit hash (one in 10⁸ at 50,000 items)
   */
  put(item: Item): void {
    const key = hash48(item.id);
    let row = this.rowOfKey(key);
    const old = row < 0 ? undefined : this.#items[row];
    if (old !== undefined && old.id !== item.id) {
      throw new AppError('item_id_collision', `Item id "${item.id}" hashes like "${old.id}"; give one of them another id.`);
    }
    if (row < 0) {
      row = this.#items.length;
      this.#grow(row);
      this.#rowByKey.set(key, row);
    }
    if (old === undefined) this.#live += 1;
    else this.#forgetPrice(row);
    this.#write(row, item);
  }

  /** @returns whether there was such an item */
  remove(id: string): boolean {
    const row = this.rowOf(id);
    if (row < 0) return false;
    this.#forgetPrice(row);
    this.#items[row] = undefined;
    this.#facts[row] = undefined;
    this.roomRows.delete(row);
    this.records[row * RECORD.width + RECORD.alive] = 0;
    this.#live -= 1;
    return true;
  }

  /** Removes all items whose id is not in `ids`: after a reload from the store. */
  retain(ids: ReadonlySet<string>): void {
    for (const item of this.#items) if (item !== undefined && !ids.has(item.id)) this.remove(item.id);
  }

  #write(row: number, item: Item): void {
    const path = item.category.map((_, depth) => this.categories.number(Catalog.pathKey(item.category, depth + 1)));
    const brand = item.brand === undefined ? 0 : this.brands.number(item.brand);
    const tags = (item.tags ?? []).map((tag) => this.tags.number(tag));
    const priceMinor = item.price === undefined ? undefined : toMinor(item.price, item.currency);
    const isRoom = item.kind === 'room';
    if (isRoom) this.roomRows.add(row);
    else {
      const wasRoom = this.roomRows.delete(row);
      for (const category of path) if (wasRoom || !this.paths[row]?.includes(category)) append(this.#rowsByCategory, category, row);
      if (brand !== 0 && (wasRoom || this.brandOf(row) !== brand)) append(this.#rowsByBrand, brand, row);
    }
    this.#items[row] = item;
    this.#json[row] = { id: JSON.stringify(item.id), item: JSON.stringify(item) };
    this.#facts[row] = {
      categories: item.category.map((_, depth) => hash32(Catalog.pathKey(item.category, depth + 1))),
      brand: item.brand === undefined ? undefined : hash32(item.brand),
      tags: (item.tags ?? []).map(hash32),
      priceLevel: undefined,
      priceMinor,
    };
    this.paths[row] = path;
    this.tagNumbers[row] = tags;
    this.priceMinor[row] = priceMinor ?? Number.NaN;
    this.#writeRecord(row, item, priceMinor);
    if (!isRoom) this.#noteFresh(row);
    if (priceMinor !== undefined) this.#prices.change(priceMinor, 1);
  }

  #writeRecord(row: number, item: Item, priceMinor: number | undefined): void {
    const at = row * RECORD.width;
    const path = this.paths[row]!;
    this.records[at + RECORD.alive] = 1;
    this.records[at + RECORD.stock] = item.stock ?? STOCK_UNCOUNTED;
    this.records[at + RECORD.leaf] = path.at(-1) ?? 0;
    this.records[at + RECORD.root] = path[0] ?? 0;
    this.records[at + RECORD.brand] = item.brand === undefined ? 0 : this.brands.number(item.brand);
    this.records[at + RECORD.priceBucket] = priceMinor === undefined ? -1 : bucketOf(priceMinor);
    this.recordFloats[at + RECORD.logPrice] = priceMinor === undefined ? 0 : Math.log1p(priceMinor);
    this.recordFloats[at + RECORD.publishedDay] = item.publishedAt === undefined ? 0 : Date.parse(item.publishedAt) / DAY_MS;
    for (let i = 0; i < RECORD.tagsMax; i++) this.records[at + RECORD.tags + i] = this.tagNumbers[row]![i] ?? 0;
  }

  #noteFresh(row: number): void {
    const rows = this.freshRows;
    const known = rows.indexOf(row);
    if (known >= 0) rows.splice(known, 1);
    const at = this.#publishedDay(row);
    if (at === 0) return;
    let place = rows.length;
    while (place > 0 && this.#publishedDay(rows[place - 1]!) < at) place--;
    if (place >= FRESH_MAX) return;
    rows.splice(place, 0, row);
    if (rows.length > FRESH_MAX) rows.pop();
  }

  #publishedDay(row: number): number {
    return this.recordFloats[row * RECORD.width + RECORD.publishedDay]!;
  }

  #forgetPrice(row: number): void {
    const price = this.priceMinor[row]!;
    if (!Number.isNaN(price)) this.#prices.change(price, -1);
  }

  #grow(row: number): void {
    this.#items.push(undefined);
    this.#facts.push(undefined);
    if (row < this.priceMinor.length) return;
    this.records = doubled(this.records, Int32Array);
    this.recordFloats = new Float32Array(this.records.buffer);
    this.priceMinor = doubled(this.priceMinor, Float64Array);
  }
}

function append(lists: Map<number, number[]>, key: number, row: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [row]);
  else list.push(row);
}

function doubled<T extends { readonly length: number; set(from: T): void }>(from: T, make: new (length: number) => T): T {
  const to = new make(from.length * 2);
  to.set(from);
  return to;
}
