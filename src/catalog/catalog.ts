import type { Item } from '../domain/item.js';
import { toMinor } from '../domain/money.js';
import { AppError } from '../errors.js';
import type { ItemFacts } from '../profile/fold.js';
import { hash32, hash48 } from '../util/hash.js';
import { PriceLevels } from './price-levels.js';

/** Stock of an item that is not counted. */
export const STOCK_UNCOUNTED = -1;

/** Items remembered as the latest published. */
const FRESH_MAX = 128;

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

  /** @returns the number of the name with this hash32, 0 when no item has it */
  ofHash(hash: number): number {
    return this.#numbers.get(hash) ?? 0;
  }

  get size(): number {
    return this.names.length;
  }
}

/**
 * The catalog as one process holds it: columns by row for ranking, objects for replies. A row belongs to one item id
 * for the life of the process; a removed item leaves its row dead, so that indexes built before stay valid.
 */
export class Catalog {
  readonly categories = new Names();
  readonly brands = new Names();
  readonly tags = new Names();
  /** Rows of each category number, any level of the path; may hold rows that have moved on: check `inCategory`. */
  readonly #rowsByCategory = new Map<number, number[]>();
  readonly #rowsByBrand = new Map<number, number[]>();
  readonly #prices = new PriceLevels();
  readonly #rowByKey = new Map<number, number>();
  readonly #items: (Item | undefined)[] = [];
  readonly #facts: (ItemFacts | undefined)[] = [];
  readonly #json: string[] = [];
  /** Category numbers of each row, root first. */
  readonly paths: number[][] = [];
  /** Tag numbers of each row. */
  readonly tagNumbers: number[][] = [];
  /** Leaf category number, root category number and brand number per row. */
  leaf = new Int32Array(1024);
  root = new Int32Array(1024);
  brand = new Int32Array(1024);
  /** Minor units; NaN when the item has no price. */
  priceMinor = new Float64Array(1024);
  stock = new Int32Array(1024);
  /** ms; 0 when unknown. */
  publishedAt = new Float64Array(1024);
  /** 1 for an item that is there, 0 for one that was removed. */
  alive = new Uint8Array(1024);
  /** Rows of the items published last, newest first; bounded. */
  readonly freshRows: number[] = [];
  #live = 0;

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
    return this.#rowByKey.get(key) ?? -1;
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

  /** The live item at a row as JSON, made once: replies are put together from it. */
  json(row: number): string {
    return this.#json[row]!;
  }

  /** Rows of all live items. */
  *allRows(): Generator<number> {
    for (let row = 0; row < this.rows; row++) if (this.alive[row] === 1) yield row;
  }

  /** What `fold` needs to know of the item with this id. */
  facts(id: string): ItemFacts | undefined {
    const row = this.rowOf(id);
    if (row < 0) return undefined;
    const facts = this.#facts[row]!;
    const { priceMinor } = facts;
    return priceMinor === undefined ? facts : { ...facts, priceLevel: this.#prices.levelOf(priceMinor) };
  }

  /** @returns 0 (cheapest fifth) … 4, or −1 when the item has no price */
  priceLevel(row: number): number {
    const price = this.priceMinor[row]!;
    return Number.isNaN(price) ? -1 : this.#prices.levelOf(price);
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
    this.alive[row] = 0;
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
    for (const category of path) if (!this.paths[row]?.includes(category)) append(this.#rowsByCategory, category, row);
    if (brand !== 0 && this.brand[row] !== brand) append(this.#rowsByBrand, brand, row);
    this.#items[row] = item;
    this.#json[row] = JSON.stringify(item);
    this.#facts[row] = {
      categories: item.category.map((_, depth) => hash32(Catalog.pathKey(item.category, depth + 1))),
      brand: item.brand === undefined ? undefined : hash32(item.brand),
      tags: (item.tags ?? []).map(hash32),
      priceLevel: undefined,
      priceMinor,
    };
    this.paths[row] = path;
    this.tagNumbers[row] = tags;
    this.leaf[row] = path.at(-1) ?? 0;
    this.root[row] = path[0] ?? 0;
    this.brand[row] = brand;
    this.priceMinor[row] = priceMinor ?? Number.NaN;
    this.stock[row] = item.stock ?? STOCK_UNCOUNTED;
    this.publishedAt[row] = item.publishedAt === undefined ? 0 : Date.parse(item.publishedAt);
    this.alive[row] = 1;
    this.#noteFresh(row);
    if (priceMinor !== undefined) this.#prices.change(priceMinor, 1);
  }

  #noteFresh(row: number): void {
    const rows = this.freshRows;
    const known = rows.indexOf(row);
    if (known >= 0) rows.splice(known, 1);
    const at = this.publishedAt[row]!;
    if (at === 0) return;
    let place = rows.length;
    while (place > 0 && this.publishedAt[rows[place - 1]!]! < at) place--;
    if (place >= FRESH_MAX) return;
    rows.splice(place, 0, row);
    if (rows.length > FRESH_MAX) rows.pop();
  }

  #forgetPrice(row: number): void {
    const price = this.priceMinor[row]!;
    if (!Number.isNaN(price)) this.#prices.change(price, -1);
  }

  #grow(row: number): void {
    this.#items.push(undefined);
    this.#facts.push(undefined);
    if (row < this.alive.length) return;
    this.leaf = doubled(this.leaf, Int32Array);
    this.root = doubled(this.root, Int32Array);
    this.brand = doubled(this.brand, Int32Array);
    this.priceMinor = doubled(this.priceMinor, Float64Array);
    this.stock = doubled(this.stock, Int32Array);
    this.publishedAt = doubled(this.publishedAt, Float64Array);
    this.alive = doubled(this.alive, Uint8Array);
  }
}

function append(lists: Map<number, number[]>, key: number, row: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [row]);
  else list.push(row);
}

function doubled<T extends { length: number; set(from: T): void }>(from: T, make: new (length: number) => T): T {
  const to = new make(from.length * 2);
  to.set(from);
  return to;
}
