import type { Catalog } from '../catalog/catalog.js';

/** Generators of candidates, in the order of their bits and of the score columns. Append, never reorder. */
export const SOURCES = ['requested', 'pinned', 'related', 'neighbors', 'category', 'brand', 'buy_again', 'new', 'trending', 'popular'] as const;
export type Source = (typeof SOURCES)[number];
export const SOURCE_INDEX = Object.fromEntries(SOURCES.map((source, index) => [source, index])) as Readonly<Record<Source, number>>;

/** Candidates one request may hold; also the rows of a scoring buffer. */
export const POOL_MAX = 512;

const REJECTED = 0xffff;

/**
 * The candidates of one request: rows, which sources proposed them and how strongly. One pool serves one request
 * after another without being cleared: a row counts as seen only when its stamp is the request's.
 */
export class CandidatePool {
  readonly rows = new Int32Array(POOL_MAX);
  /** Bit i: proposed by `SOURCES[i]`. */
  readonly sources = new Uint16Array(POOL_MAX);
  /** Source that proposed the candidate first. */
  readonly first = new Uint8Array(POOL_MAX);
  /** Strength by `related` and by `neighbors`, summed over what proposed it. */
  readonly related = new Float32Array(POOL_MAX);
  readonly neighbors = new Float32Array(POOL_MAX);
  count = 0;
  #stamps = new Uint32Array(1024);
  #slots = new Uint16Array(1024);
  #stamp = 0;
  #limit = POOL_MAX;
  #accept: (row: number) => boolean = () => true;

  /**
   * @param limit candidates at most
   * @param accept tells which rows may be shown; asked once per row
   */
  begin(catalog: Catalog, limit: number, accept: (row: number) => boolean): void {
    if (this.#stamps.length < catalog.rows) {
      this.#stamps = new Uint32Array(catalog.alive.length);
      this.#slots = new Uint16Array(catalog.alive.length);
      this.#stamp = 0;
    }
    this.#stamp = (this.#stamp + 1) >>> 0;
    if (this.#stamp === 0) {
      this.#stamps.fill(0);
      this.#stamp = 1;
    }
    this.count = 0;
    this.#limit = Math.min(limit, POOL_MAX);
    this.#accept = accept;
  }

  get full(): boolean {
    return this.count >= this.#limit;
  }

  /** @returns the candidate's slot, or −1 when it may not be shown or the pool is full */
  add(row: number, source: number): number {
    if (this.#stamps[row] === this.#stamp) {
      const slot = this.#slots[row]!;
      if (slot === REJECTED) return -1;
      this.sources[slot]! |= 1 << source;
      return slot;
    }
    if (this.count >= this.#limit) return -1;
    this.#stamps[row] = this.#stamp;
    if (!this.#accept(row)) {
      this.#slots[row] = REJECTED;
      return -1;
    }
    const slot = this.count++;
    this.#slots[row] = slot;
    this.rows[slot] = row;
    this.sources[slot] = 1 << source;
    this.first[slot] = source;
    this.related[slot] = 0;
    this.neighbors[slot] = 0;
    return slot;
  }
}
