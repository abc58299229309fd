import { BETWEEN, type Catalog } from '../catalog/catalog.js';
import { breathe } from '../util/pause.js';
import { ExtraNeighbors } from './extra-neighbors.js';
import { Likeness } from './likeness.js';
import type { ItemStatistics, StatisticsIncrement } from './statistics-increment.js';
import { DEFAULT_STATISTICS, type StatisticsUse } from './statistics-settings.js';

/**
 * What the event archive says of items, keyed by hash48 so that it travels between processes: items in order of
 * popularity, and for each its neighbours (items met by the same shoppers close in time), strongest first.
 */
export interface StatisticsData {
  readonly use: StatisticsUse;
  /** hash48 of each item, most popular first. */
  keys: Float64Array;
  /** log(1 + decayed interest) per item. */
  popularity: Float32Array;
  /** log(1 + events) per item, undecayed. */
  lasting: Float32Array;
  /** Day of the first event per item, since 1970. */
  firstDay: Float32Array;
  /** Neighbours of item i are `targets[offsets[i] … offsets[i + 1])`, indexes into `keys`. */
  offsets: Uint32Array;
  targets: Uint32Array;
  /** Strength, in units of a typical item's best neighbour. */
  weights: Float32Array;
}

/** Items shown more of late than usual, per scope: `all`, `scene:<scene>`, `region:<region>`. */
export type TrendingData = Readonly<Record<string, readonly (readonly [key: number, score: number])[]>>;

/** Items bound before other work of the process gets its turn: about a millisecond. */
const ITEMS_PER_TURN = 2000;
/** Items kept per category and brand for retrieval. */
const TOP_PER_NAME = 48;

export function emptyStatisticsData(): StatisticsData {
  const { recentItems, recencyExponent, again } = DEFAULT_STATISTICS;
  return {
    use: { recentItems, recencyExponent, again }, keys: new Float64Array(0), popularity: new Float32Array(0), lasting: new Float32Array(0), firstDay: new Float32Array(0),
    offsets: new Uint32Array(1), targets: new Uint32Array(0), weights: new Float32Array(0),
  };
}

/** Columns of `Statistics.scores`. */
export const ROW_SCORE = {
  /** log(1 + decayed interest); how much it trends now, 0 … 1; log(1 + events); day of the first event, 0: none. */
  popularity: 0, trending: 1, lasting: 2, firstDay: 3,
  width: 4,
} as const;
const { width: SCORES } = ROW_SCORE;

/** Statistics bound to this process's catalog rows; replaced whole when new data arrives. */
export class Statistics {
  /**
   * Of each row the columns of `ROW_SCORE`, side by side because ranking reads them together. Rows that came after the
   * statistics are not in it.
   */
  readonly scores: Float32Array;
  /** The version of the trending lists: what a replay needs to know. */
  trendingVersion = 0;
  readonly use: StatisticsUse;
  /** What a touch says by its rank, latest first: (rank + 1)^-recencyExponent. */
  readonly recency: Float64Array;
  readonly #catalog: Catalog;
  #likeness: Likeness | undefined;
  #boundAt: number;
  readonly #version: string;
  /** Increments taken over. */
  #increments = 0;
  readonly #data: StatisticsData;
  readonly #rowOfIndex: Int32Array;
  /** Where each row's neighbours begin and end: in the data, or beyond it in `#extra`. */
  readonly #from: Uint32Array;
  readonly #to: Uint32Array;
  readonly #pairs: number;
  readonly #extra = new ExtraNeighbors();
  readonly #order: Int32Array;
  /** Where each row stands in the order, or −1. */
  readonly #placeOf: Int32Array;
  #known = 0;
  readonly #topByCategory: number[][] = [];
  readonly #topByBrand: number[][] = [];
  #trending = new Map<string, Int32Array>();
  #trendingRows: number[] = [];

  /**
   * @param version of the data, as published; empty: counted here
   * @param bindNow false: the caller binds the items, in slices
   */
  constructor(data: StatisticsData, catalog: Catalog, version = '', bindNow = true) {
    this.#data = data;
    this.#version = version;
    this.#catalog = catalog;
    this.use = data.use;
    this.recency = Float64Array.from({ length: data.use.recentItems }, (_, rank) => (rank + 1) ** -data.use.recencyExponent);
    this.#boundAt = catalog.sequence;
    this.scores = new Float32Array(catalog.rows * SCORES);
    this.#rowOfIndex = new Int32Array(data.keys.length).fill(-1);
    this.#pairs = data.targets.length;
    this.#from = new Uint32Array(catalog.rows);
    this.#to = new Uint32Array(catalog.rows);
    this.#order = new Int32Array(catalog.rows);
    this.#placeOf = new Int32Array(catalog.rows).fill(-1);
    if (bindNow) this.#bind(0, data.keys.length);
  }

  /** The same in slices, for a process that serves requests meanwhile. */
  static async build(data: StatisticsData, catalog: Catalog, version = ''): Promise<Statistics> {
    const statistics = new Statistics(data, catalog, version, false);
    for (let from = 0; from < data.keys.length; from += ITEMS_PER_TURN) {
      statistics.#bind(from, Math.min(data.keys.length, from + ITEMS_PER_TURN));
      await breathe();
    }
    statistics.#likeness = await Likeness.build(catalog, statistics.order);
    if (catalog.sequence !== statistics.#boundAt) statistics.#boundAt = BETWEEN;
    return statistics;
  }

  /** Which items are alike by their attributes, as of when it is first asked for: `build` asks at once. */
  get likeness(): Likeness {
    return (this.#likeness ??= Likeness.make(this.#catalog, this.order));
  }

  /** The catalog's change as of which it was bound: what a replay needs to know. `BETWEEN` where the catalog changed meanwhile. */
  get boundAt(): number {
    return this.#boundAt;
  }

  /** The version of the data, and how many increments of it are in: what a replay needs to know. */
  get version(): string {
    return this.#increments === 0 ? this.#version : `${this.#version}+${this.#increments}`;
  }

  get increments(): number {
    return this.#increments;
  }

  /** Rows, most popular first; items without any interaction are not in it. */
  get order(): Int32Array {
    return this.#order.subarray(0, this.#known);
  }

  #bind(from: number, to: number): void {
    const catalog = this.#catalog;
    const { keys, popularity, lasting, firstDay } = this.#data;
    for (let i = from; i < to; i++) {
      const row = catalog.rowOfKey(keys[i]!);
      // An item that came while this is being built waits for the next time.
      if (row < 0 || row >= this.#placeOf.length) continue;
      this.#rowOfIndex[i] = row;
      this.#placeOf[row] = this.#known;
      this.#order[this.#known++] = row;
      this.#score(row, popularity[i]!, lasting[i]!, firstDay[i]!);
      this.#from[row] = this.#data.offsets[i]!;
      this.#to[row] = this.#data.offsets[i + 1]!;
      for (const category of catalog.paths[row] ?? []) push(this.#topByCategory, category, row);
      const brand = catalog.brandOf(row);
      if (brand !== 0) push(this.#topByBrand, brand, row);
    }
  }

  /**
   * Where a row's neighbours stand in `neighborRow` and `neighborWeight`, strongest first; an empty range when it has none.
   * As a range, not a callback: this is the hottest loop of candidate generation.
   */
  neighborsFrom(row: number): number {
    return this.#from[row] ?? 0;
  }

  neighborsTo(row: number, limit: number): number {
    return Math.min(this.#to[row] ?? 0, (this.#from[row] ?? 0) + limit);
  }

  /** The row at a place of a range, or −1 when the catalog does not have the item. */
  neighborRow(at: number): number {
    return at < this.#pairs ? this.#rowOfIndex[this.#data.targets[at]!]! : this.#extra.rows[at - this.#pairs]!;
  }

  neighborWeight(at: number): number {
    return at < this.#pairs ? this.#data.weights[at]! : this.#extra.weights[at - this.#pairs]!;
  }

  /** Takes over what changed. An item that came after these statistics were bound waits for the next. @param number 1, 2, … */
  apply({ items }: StatisticsIncrement, number: number): void {
    for (const item of items) this.#applyItem(item);
    this.#increments = number;
  }

  #applyItem({ key, popularity, lasting, firstDay, neighbors, weights }: ItemStatistics): void {
    const catalog = this.#catalog;
    const row = this.#rowOfKey(key);
    if (row < 0) return;
    this.#replaceNeighbors(row, neighbors, weights);
    this.#score(row, popularity, lasting, firstDay);
    if (this.#placeOf[row]! < 0) {
      this.#placeOf[row] = this.#known;
      this.#order[this.#known++] = row;
    }
    this.#rise(row);
    for (const category of catalog.paths[row] ?? []) this.#promote((this.#topByCategory[category] ??= []), row);
    const brand = catalog.brandOf(row);
    if (brand !== 0) this.#promote((this.#topByBrand[brand] ??= []), row);
  }

  #score(row: number, popularity: number, lasting: number, firstDay: number): void {
    const at = row * SCORES;
    this.scores[at + ROW_SCORE.popularity] = popularity;
    this.scores[at + ROW_SCORE.lasting] = lasting;
    this.scores[at + ROW_SCORE.firstDay] = firstDay;
  }

  /** @returns −1 for a row that these statistics have no place for */
  #rowOfKey(key: number): number {
    const row = this.#catalog.rowOfKey(key);
    return row < this.#placeOf.length ? row : -1;
  }

  #replaceNeighbors(row: number, neighbors: Float64Array, weights: Float64Array): void {
    const from = this.#extra.place(row, neighbors.length);
    for (let i = 0; i < neighbors.length; i++) this.#extra.rows[from + i] = this.#rowOfKey(neighbors[i]!);
    this.#extra.weights.set(weights, from);
    this.#from[row] = this.#pairs + from;
    this.#to[row] = this.#pairs + from + neighbors.length;
  }

  /** Moves a row up to where its popularity belongs: between statistics all popularities are of one moment and only grow. */
  #rise(row: number): void {
    const mine = this.scores[row * SCORES]!;
    let place = this.#placeOf[row]!;
    for (; place > 0 && this.scores[this.#order[place - 1]! * SCORES]! < mine; place--) {
      const other = this.#order[place - 1]!;
      this.#order[place] = other;
      this.#placeOf[other] = place;
    }
    this.#order[place] = row;
    this.#placeOf[row] = place;
  }

  #promote(list: number[], row: number): void {
    const popularityOf = (other: number): number => this.scores[other * SCORES]!;
    let place = list.indexOf(row);
    if (place < 0) {
      if (list.length < TOP_PER_NAME) list.push(row);
      else if (popularityOf(list.at(-1)!) < popularityOf(row)) list[list.length - 1] = row;
      else return;
      place = list.length - 1;
    }
    for (; place > 0 && popularityOf(list[place - 1]!) < popularityOf(row); place--) list[place] = list[place - 1]!;
    list[place] = row;
  }

  /** Most popular rows of a category (any level) or brand. */
  topInCategory(category: number): readonly number[] {
    return this.#topByCategory[category] ?? [];
  }

  topOfBrand(brand: number): readonly number[] {
    return this.#topByBrand[brand] ?? [];
  }

  /** Rows that trend in a scope, hottest first. */
  trending(scope: string): Int32Array | undefined {
    return this.#trending.get(scope);
  }

  setTrending(data: TrendingData, version = 0): void {
    this.trendingVersion = version;
    const lists = new Map<string, Int32Array>();
    for (const row of this.#trendingRows) this.scores[row * SCORES + ROW_SCORE.trending] = 0;
    this.#trendingRows = [];
    for (const [scope, entries] of Object.entries(data)) {
      const rows: number[] = [];
      const top = entries[0]?.[1] ?? 1;
      for (const [key, score] of entries) {
        const row = this.#catalog.rowOfKey(key);
        if (row < 0) continue;
        rows.push(row);
        if (scope !== 'all') continue;
        this.scores[row * SCORES + ROW_SCORE.trending] = score / top;
        this.#trendingRows.push(row);
      }
      lists.set(scope, Int32Array.from(rows));
    }
    this.#trending = lists;
  }
}

function push(lists: number[][], name: number, row: number): void {
  const list = (lists[name] ??= []);
  if (list.length < TOP_PER_NAME) list.push(row);
}
