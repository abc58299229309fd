import type { Catalog } from '../catalog/catalog.js';

/** Generators of candidates, in the order of their bits and of the score columns. Append, never reorder. */
export const SOURCES = ['requested', 'pinned', 'related', 'neighbors', 'category', 'brand', 'buy_again', 'new', 'trending', 'popular', 'again', 'encoder', 'similar', 'live_rooms'] as const;
export type Source = (typeof SOURCES)[number];
export const SOURCE_INDEX = Object.fromEntries(SOURCES.map((source, index) => [source, index])) as Readonly<Record<Source, number>>;

/** Candidates one request may hold; also the rows of a scoring buffer. */
export const POOL_MAX = 512;

const REJECTED = 0x3ff;
/** A mark is a stamp and a slot in one word: 22 and 10 bits. */
const SLOT_BITS = 10;
const STAMP_MAX = 2 ** 22 - 1;

/** Which rows the request under way has met, over the whole catalog; shared, because generation never waits. */
export class RowMarks {
  #marks = new Uint32Array(1024);
  #stamp = 0;

  /** Forgets all marks, in constant time: a row counts as met only when its stamp is the newest. */
  reset(rows: number): void {
    if (this.#marks.length < rows) {
      this.#marks = new Uint32Array(rows * 2);
      this.#stamp = 0;
    }
    if (this.#stamp === STAMP_MAX) {
      this.#marks.fill(0);
      this.#stamp = 0;
    }
    this.#stamp += 1;
  }

  /** @returns the slot of a row, REJECTED, or −1 when it was not met */
  get(row: number): number {
    const mark = this.#marks[row]!;
    return mark >>> SLOT_BITS === this.#stamp ? mark & REJECTED : -1;
  }

  set(row: number, slot: number): void {
    this.#marks[row] = (this.#stamp << SLOT_BITS) | slot;
  }
}

/** The candidates of one request: rows, which sources proposed them and how strongly. Reused from request to request. */
export class CandidatePool {
  readonly rows = new Int32Array(POOL_MAX);
  /** Bit i: proposed by `SOURCES[i]`. */
  readonly sources = new Uint16Array(POOL_MAX);
  /** Source that proposed the candidate first. */
  readonly first = new Uint8Array(POOL_MAX);
  /** Strength by `related` and by `neighbors`, summed over what proposed it. */
  readonly related = new Float32Array(POOL_MAX);
  readonly neighbors = new Float32Array(POOL_MAX);
  /** Of that by `neighbors`, what the shopper's very last item says. */
  readonly lastNeighbor = new Float32Array(POOL_MAX);
  /** How well it fits by the model's encoder, and how like the recent items it is. */
  readonly encoder = new Float32Array(POOL_MAX);
  readonly similar = new Float32Array(POOL_MAX);
  /** Place in the whole lists of `neighbors`, `encoder` and `similar`: 1 for the first, falling; 0 beyond their end. */
  readonly neighborsRank = new Float32Array(POOL_MAX);
  readonly encoderRank = new Float32Array(POOL_MAX);
  readonly similarRank = new Float32Array(POOL_MAX);
  count = 0;
  readonly #marks: RowMarks;
  #size = POOL_MAX;
  #limit = POOL_MAX;
  #accept: (row: number) => boolean = () => true;

  constructor(marks: RowMarks) {
    this.#marks = marks;
  }

  /**
   * @param limit candidates at most
   * @param accept tells which rows may be shown; asked once per row
   */
  begin(catalog: Catalog, limit: number, accept: (row: number) => boolean): void {
    this.#marks.reset(catalog.rows);
    this.count = 0;
    this.#size = Math.min(limit, POOL_MAX);
    this.#limit = this.#size;
    this.#accept = accept;
  }

  /** No new candidates from here on; the sources still say what they think of those there are. */
  close(): void {
    this.#limit = this.count;
  }

  /** Candidates it was begun for. */
  get size(): number {
    return this.#size;
  }

  /** The candidate's slot, or −1; only until another request begins. */
  slotOf(row: number): number {
    const slot = this.#marks.get(row);
    return slot === REJECTED ? -1 : slot;
  }

  get full(): boolean {
    return this.count >= this.#limit;
  }

  /** @returns the candidate's slot, or −1 when it may not be shown or the pool is full */
  add(row: number, source: number): number {
    const known = this.#marks.get(row);
    if (known >= 0) {
      if (known === REJECTED) return -1;
      this.sources[known]! |= 1 << source;
      return known;
    }
    if (this.count >= this.#limit) return -1;
    if (!this.#accept(row)) {
      this.#marks.set(row, REJECTED);
      return -1;
    }
    const slot = this.count++;
    this.#marks.set(row, slot);
    this.rows[slot] = row;
    this.sources[slot] = 1 << source;
    this.first[slot] = source;
    this.related[slot] = 0;
    this.neighbors[slot] = 0;
    return slot;
  }
}
