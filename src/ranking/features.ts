import { RECORD } from '../catalog/catalog.js';
import type { CandidateRequest } from '../candidates/generate.js';
import type { CandidatePool } from '../candidates/pool.js';
import { PROFILE_LIMITS, TOUCH, type Affinities, type Profile } from '../profile/profile.js';
import { affinityDecay } from '../profile/vector.js';

/**
 * Names of the features of one candidate for one shopper, in vector order. None of them is an item's identity, so a
 * model serves a catalog it has never seen. Generated into the documentation and the model manifest.
 */
export const ITEM_FEATURES = [
  'popularity', 'trending', 'age_days', 'is_fresh', 'price', 'price_level_share',
  'leaf_short', 'leaf_long', 'root_short', 'root_long', 'brand_short', 'brand_long', 'tag_short', 'tag_long',
  'related', 'neighbors', 'sources',
  'viewed', 'carted', 'wished', 'purchased', 'disliked', 'touch_count', 'touch_recency',
  'page_same_leaf', 'page_same_root', 'page_same_brand', 'page_price_ratio',
] as const;

const WIDTH = ITEM_FEATURES.length;
const DAY_MS = 86_400_000;
const FRESH_DAYS = 14;
/** Age given to an item whose publication is unknown, days. */
const AGE_UNKNOWN_DAYS = 365;
const TOUCH_MEMORY_MS = 2 * DAY_MS;

/**
 * Writes the features of all candidates of a request, one after another, without allocating per candidate.
 * Affinities and touches are spread over arrays indexed by name number and row once per request, so that each
 * candidate costs a few loads; the arrays are cleared again by the same keys.
 */
export class FeatureWriter {
  #leafShort = new Float32Array(0);
  #leafLong = new Float32Array(0);
  #brandShort = new Float32Array(0);
  #brandLong = new Float32Array(0);
  #tagShort = new Float32Array(0);
  #tagLong = new Float32Array(0);
  /** Index into `profile.touches` plus one. */
  #touchOf = new Uint8Array(0);
  readonly #touchedRows = new Int32Array(PROFILE_LIMITS.touches);

  /** @param out at least `pool.count × ITEM_FEATURES.length` floats, row-major */
  write(out: Float32Array, pool: CandidatePool, request: CandidateRequest): void {
    this.#reserve(request);
    this.#spread(request, affinityDecay(request.profile, request.now));
    this.#writeItems(out, pool, request);
    this.#writeTastes(out, pool, request);
    this.#writeTouches(out, pool, request);
    writePage(out, pool, request);
    this.#clear(request);
  }

  /** Columns 0–5 and 14–16: the item itself, and what the sources say. */
  #writeItems(out: Float32Array, pool: CandidatePool, { catalog, statistics, profile, now }: CandidateRequest): void {
    const { rows, related, neighbors, sources } = pool;
    const { recordFloats } = catalog;
    const shares = priceShares(profile);
    const today = now / DAY_MS;
    for (let slot = 0, at = 0; slot < pool.count; slot++, at += WIDTH) {
      const row = rows[slot]!;
      const record = row * RECORD.width;
      const published = recordFloats[record + RECORD.publishedDay]!;
      const ageDays = published === 0 ? AGE_UNKNOWN_DAYS : Math.max(0, today - published);
      const level = catalog.priceLevel(row);
      out[at] = statistics.popularity(row);
      out[at + 1] = statistics.trendingScore(row);
      out[at + 2] = Math.log1p(ageDays);
      out[at + 3] = ageDays < FRESH_DAYS ? 1 : 0;
      out[at + 4] = recordFloats[record + RECORD.logPrice]!;
      out[at + 5] = level < 0 ? 0 : shares[level]!;
      out[at + 14] = related[slot]!;
      out[at + 15] = neighbors[slot]!;
      out[at + 16] = bitCount(sources[slot]!);
    }
  }

  /** Columns 6–13: affinity to the item's categories, brand and tags. */
  #writeTastes(out: Float32Array, pool: CandidatePool, { catalog }: CandidateRequest): void {
    const { rows } = pool;
    const { records } = catalog;
    const leafShort = this.#leafShort;
    const leafLong = this.#leafLong;
    const brandShort = this.#brandShort;
    const brandLong = this.#brandLong;
    const tagShort = this.#tagShort;
    const tagLong = this.#tagLong;
    for (let slot = 0, at = 0; slot < pool.count; slot++, at += WIDTH) {
      const record = rows[slot]! * RECORD.width;
      const leaf = records[record + RECORD.leaf]!;
      const root = records[record + RECORD.root]!;
      const brand = records[record + RECORD.brand]!;
      out[at + 6] = leafShort[leaf]!;
      out[at + 7] = leafLong[leaf]!;
      out[at + 8] = leafShort[root]!;
      out[at + 9] = leafLong[root]!;
      out[at + 10] = brandShort[brand]!;
      out[at + 11] = brandLong[brand]!;
      let short = 0;
      let long = 0;
      for (let i = record + RECORD.tags; i < record + RECORD.tags + RECORD.tagsMax && records[i] !== 0; i++) {
        short += tagShort[records[i]!]!;
        long += tagLong[records[i]!]!;
      }
      out[at + 12] = short;
      out[at + 13] = long;
    }
  }

  /** Columns 17–23: what the shopper did with the item. */
  #writeTouches(out: Float32Array, pool: CandidatePool, { profile, now }: CandidateRequest): void {
    const { rows } = pool;
    const touchOf = this.#touchOf;
    for (let slot = 0, at = 17; slot < pool.count; slot++, at += WIDTH) {
      const index = touchOf[rows[slot]!]!;
      if (index === 0) {
        for (let i = at; i < at + 7; i++) out[i] = 0;
        continue;
      }
      const { mask, count, at: time } = profile.touches[index - 1]!;
      out[at] = (mask & (TOUCH.viewed | TOUCH.clicked)) === 0 ? 0 : 1;
      out[at + 1] = (mask & TOUCH.carted) === 0 ? 0 : 1;
      out[at + 2] = (mask & (TOUCH.wished | TOUCH.liked)) === 0 ? 0 : 1;
      out[at + 3] = (mask & TOUCH.purchased) === 0 ? 0 : 1;
      out[at + 4] = (mask & (TOUCH.dismissed | TOUCH.refunded)) === 0 ? 0 : 1;
      out[at + 5] = Math.log1p(count);
      out[at + 6] = Math.exp(-Math.max(0, now - time) / TOUCH_MEMORY_MS);
    }
  }

  #spread({ catalog, profile }: CandidateRequest, decay: { short: number; long: number }): void {
    spreadTable(profile.categories, catalog.categories, decay, this.#leafShort, this.#leafLong);
    spreadTable(profile.brands, catalog.brands, decay, this.#brandShort, this.#brandLong);
    spreadTable(profile.tags, catalog.tags, decay, this.#tagShort, this.#tagLong);
    const { touches } = profile;
    for (let index = 0; index < touches.length; index++) {
      const row = catalog.rowOfKey(touches[index]!.item);
      this.#touchedRows[index] = row;
      if (row >= 0) this.#touchOf[row] = index + 1;
    }
  }

  #clear({ catalog, profile }: CandidateRequest): void {
    clearTable(profile.categories, catalog.categories, this.#leafShort, this.#leafLong);
    clearTable(profile.brands, catalog.brands, this.#brandShort, this.#brandLong);
    clearTable(profile.tags, catalog.tags, this.#tagShort, this.#tagLong);
    for (let index = 0; index < profile.touches.length; index++) {
      const row = this.#touchedRows[index]!;
      if (row >= 0) this.#touchOf[row] = 0;
    }
  }

  #reserve({ catalog }: CandidateRequest): void {
    [this.#leafShort, this.#leafLong] = reserved(this.#leafShort, this.#leafLong, catalog.categories.size);
    [this.#brandShort, this.#brandLong] = reserved(this.#brandShort, this.#brandLong, catalog.brands.size);
    [this.#tagShort, this.#tagLong] = reserved(this.#tagShort, this.#tagLong, catalog.tags.size);
    if (this.#touchOf.length < catalog.rows) this.#touchOf = new Uint8Array(catalog.rows * 2);
  }
}

interface Numbered { ofHash(hash: number): number }

function spreadTable(
  table: Affinities, names: Numbered, decay: { short: number; long: number }, short: Float32Array, long: Float32Array,
): void {
  for (let i = 0; i < table.keys.length; i++) {
    const number = names.ofHash(table.keys[i]!);
    if (number === 0) continue;
    short[number] = squash(table.short[i]! * decay.short);
    long[number] = squash(table.long[i]! * decay.long);
  }
}

function clearTable(table: Affinities, names: Numbered, short: Float32Array, long: Float32Array): void {
  for (const key of table.keys) {
    const number = names.ofHash(key);
    short[number] = 0;
    long[number] = 0;
  }
}

/** Symmetric log: keeps the sign, tames the tail. */
const squash = (value: number): number => (value < 0 ? -Math.log1p(-value) : Math.log1p(value));

type Floats = Float32Array<ArrayBuffer>;

function reserved(short: Floats, long: Floats, size: number): [Floats, Floats] {
  return short.length >= size ? [short, long] : [new Float32Array(size * 2), new Float32Array(size * 2)];
}

/** Share of the shopper's interest at each price level; even when nothing is known. */
function priceShares(profile: Profile): number[] {
  const levels = Array.from(profile.prices, (value) => Math.max(0, value));
  const sum = levels.reduce((total, value) => total + value, 0);
  return levels.map((value) => (sum > 0 ? value / sum : 1 / levels.length));
}

/** Columns 24–27: the item beside the one the page is about. */
function writePage(out: Float32Array, pool: CandidatePool, { catalog, contextRows }: CandidateRequest): void {
  const { records, recordFloats } = catalog;
  const page = contextRows[0];
  if (page === undefined) {
    for (let slot = 0, at = 24; slot < pool.count; slot++, at += WIDTH) out.fill(0, at, at + 4);
    return;
  }
  const there = page * RECORD.width;
  const brand = records[there + RECORD.brand]!;
  const price = recordFloats[there + RECORD.logPrice]!;
  for (let slot = 0, at = 24; slot < pool.count; slot++, at += WIDTH) {
    const here = pool.rows[slot]! * RECORD.width;
    const logPrice = recordFloats[here + RECORD.logPrice]!;
    out[at] = records[there + RECORD.leaf] === records[here + RECORD.leaf] ? 1 : 0;
    out[at + 1] = records[there + RECORD.root] === records[here + RECORD.root] ? 1 : 0;
    out[at + 2] = brand !== 0 && brand === records[here + RECORD.brand] ? 1 : 0;
    out[at + 3] = price === 0 || logPrice === 0 ? 0 : logPrice - price;
  }
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
