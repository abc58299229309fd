import type { CandidateRequest } from '../candidates/generate.js';
import type { CandidatePool } from '../candidates/pool.js';
import { TOUCH, type Affinities, type Profile } from '../profile/profile.js';
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

  /** @param out at least `pool.count × ITEM_FEATURES.length` floats, row-major */
  write(out: Float32Array, pool: CandidatePool, request: CandidateRequest): void {
    const { catalog, profile, now } = request;
    this.#reserve(request);
    const decay = affinityDecay(profile, now);
    this.#spread(request, decay);
    const shares = priceShares(profile);
    const page = request.contextRows[0] ?? -1;
    for (let slot = 0, at = 0; slot < pool.count; slot++, at += WIDTH) {
      const row = pool.rows[slot]!;
      this.#writeItem(out, at, row, request, shares);
      this.#writeTaste(out, at + 6, row, request);
      out[at + 14] = pool.related[slot]!;
      out[at + 15] = pool.neighbors[slot]!;
      out[at + 16] = bitCount(pool.sources[slot]!);
      this.#writeTouch(out, at + 17, row, request);
      const onPage = page >= 0;
      out[at + 24] = onPage && catalog.leaf[page] === catalog.leaf[row] ? 1 : 0;
      out[at + 25] = onPage && catalog.root[page] === catalog.root[row] ? 1 : 0;
      out[at + 26] = onPage && catalog.brand[page] !== 0 && catalog.brand[page] === catalog.brand[row] ? 1 : 0;
      out[at + 27] = onPage ? priceRatio(catalog.priceMinor[row]!, catalog.priceMinor[page]!) : 0;
    }
    this.#clear(request);
  }

  #writeItem(out: Float32Array, at: number, row: number, { catalog, statistics, now }: CandidateRequest, shares: readonly number[]): void {
    const published = catalog.publishedAt[row]!;
    const ageDays = published === 0 ? AGE_UNKNOWN_DAYS : Math.max(0, now - published) / DAY_MS;
    const price = catalog.priceMinor[row]!;
    const level = catalog.priceLevel(row);
    out[at] = statistics.popularity(row);
    out[at + 1] = statistics.trendingScore(row);
    out[at + 2] = Math.log1p(ageDays);
    out[at + 3] = ageDays < FRESH_DAYS ? 1 : 0;
    out[at + 4] = Number.isNaN(price) ? 0 : Math.log1p(price);
    out[at + 5] = level < 0 ? 0 : shares[level]!;
  }

  #writeTaste(out: Float32Array, at: number, row: number, { catalog }: CandidateRequest): void {
    const leaf = catalog.leaf[row]!;
    const root = catalog.root[row]!;
    const brand = catalog.brand[row]!;
    out[at] = this.#leafShort[leaf]!;
    out[at + 1] = this.#leafLong[leaf]!;
    out[at + 2] = this.#leafShort[root]!;
    out[at + 3] = this.#leafLong[root]!;
    out[at + 4] = this.#brandShort[brand]!;
    out[at + 5] = this.#brandLong[brand]!;
    let short = 0;
    let long = 0;
    for (const tag of catalog.tagNumbers[row]!) {
      short += this.#tagShort[tag]!;
      long += this.#tagLong[tag]!;
    }
    out[at + 6] = short;
    out[at + 7] = long;
  }

  #writeTouch(out: Float32Array, at: number, row: number, { profile, now }: CandidateRequest): void {
    const index = this.#touchOf[row]!;
    if (index === 0) {
      out.fill(0, at, at + 7);
      return;
    }
    const touch = profile.touches[index - 1]!;
    const { mask } = touch;
    out[at] = (mask & (TOUCH.viewed | TOUCH.clicked)) === 0 ? 0 : 1;
    out[at + 1] = (mask & TOUCH.carted) === 0 ? 0 : 1;
    out[at + 2] = (mask & (TOUCH.wished | TOUCH.liked)) === 0 ? 0 : 1;
    out[at + 3] = (mask & TOUCH.purchased) === 0 ? 0 : 1;
    out[at + 4] = (mask & (TOUCH.dismissed | TOUCH.refunded)) === 0 ? 0 : 1;
    out[at + 5] = Math.log1p(touch.count);
    out[at + 6] = Math.exp(-Math.max(0, now - touch.at) / TOUCH_MEMORY_MS);
  }

  #spread({ catalog, profile }: CandidateRequest, decay: { short: number; long: number }): void {
    spreadTable(profile.categories, catalog.categories, decay, this.#leafShort, this.#leafLong);
    spreadTable(profile.brands, catalog.brands, decay, this.#brandShort, this.#brandLong);
    spreadTable(profile.tags, catalog.tags, decay, this.#tagShort, this.#tagLong);
    profile.touches.forEach((touch, index) => {
      const row = catalog.rowOfKey(touch.item);
      if (row >= 0) this.#touchOf[row] = index + 1;
    });
  }

  #clear({ catalog, profile }: CandidateRequest): void {
    clearTable(profile.categories, catalog.categories, this.#leafShort, this.#leafLong);
    clearTable(profile.brands, catalog.brands, this.#brandShort, this.#brandLong);
    clearTable(profile.tags, catalog.tags, this.#tagShort, this.#tagLong);
    for (const touch of profile.touches) {
      const row = catalog.rowOfKey(touch.item);
      if (row >= 0) this.#touchOf[row] = 0;
    }
  }

  #reserve({ catalog }: CandidateRequest): void {
    [this.#leafShort, this.#leafLong] = reserved(this.#leafShort, this.#leafLong, catalog.categories.size);
    [this.#brandShort, this.#brandLong] = reserved(this.#brandShort, this.#brandLong, catalog.brands.size);
    [this.#tagShort, this.#tagLong] = reserved(this.#tagShort, this.#tagLong, catalog.tags.size);
    if (this.#touchOf.length < catalog.rows) this.#touchOf = new Uint8Array(catalog.alive.length);
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

const priceRatio = (price: number, pagePrice: number): number =>
  Number.isNaN(price) || Number.isNaN(pagePrice) ? 0 : Math.log1p(price) - Math.log1p(pagePrice);

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
