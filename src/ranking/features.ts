import { RECORD } from '../catalog/catalog.js';
import type { CandidateRequest } from '../candidates/generate.js';
import type { CandidatePool } from '../candidates/pool.js';
import { ROW_SCORE } from '../candidates/statistics.js';
import { TOUCH, type Affinities, type Profile } from '../profile/profile.js';
import { affinityDecay, USER_FEATURES } from '../profile/vector.js';

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
  'neighbors_rank', 'last_neighbor', 'similar', 'similar_rank', 'encoder', 'encoder_rank',
  'popularity_lasting',
  'touch_rank', 'touch_recency_60d',
] as const;

/** Names of all that the engine can tell a ranker, in the order of its columns. */
export const ENGINE_FEATURES = { userFeatures: USER_FEATURES, itemFeatures: ITEM_FEATURES } as const;

const WIDTH = ITEM_FEATURES.length;
const LASTING = ITEM_FEATURES.indexOf('popularity_lasting');
const TOUCH_RANK = ITEM_FEATURES.indexOf('touch_rank');
const DAY_MS = 86_400_000;
const FRESH_DAYS = 14;
/** log(1 + whole days): looked up, because 200 logarithms take longer than the rest of their rows. */
const LOG_DAYS = Float32Array.from({ length: 4096 }, (_, day) => Math.log1p(day));
/** Age given to an item that was neither published at a known time nor met in events, days. */
const AGE_UNKNOWN_DAYS = 365;
const TOUCH_MEMORY_MS = 2 * DAY_MS;
const TOUCH_MEMORY_LONG_MS = 60 * DAY_MS;

/**
 * Writes the features of all candidates of a request, one after another, without allocating per candidate.
 * Affinities are spread over arrays indexed by name number once per request, so that each candidate costs a few loads;
 * the arrays are cleared again by the same numbers.
 */
export class FeatureWriter {
  readonly #categories = new SpreadAffinities();
  readonly #brands = new SpreadAffinities();
  readonly #tags = new SpreadAffinities();

  /** @param out at least `pool.count × ITEM_FEATURES.length` floats, row-major */
  write(out: Float32Array, pool: CandidatePool, request: CandidateRequest): void {
    const { profile, catalog } = request;
    const decay = affinityDecay(profile, request.now);
    this.#categories.spread(profile.categories, catalog.categories, decay);
    this.#brands.spread(profile.brands, catalog.brands, decay);
    this.#tags.spread(profile.tags, catalog.tags, decay);
    // Most of a row is zero for most shoppers: cleared in one go, and only what is not zero is written.
    out.fill(0, 0, pool.count * WIDTH);
    writeItems(out, pool, request);
    if (profile.events > 0) this.#writeTastes(out, pool, request);
    writeTouches(out, pool, request);
    writePage(out, pool, request);
    if (request.reads !== undefined) writeRetrieval(out, pool, request.reads);
    this.#categories.clear();
    this.#brands.clear();
    this.#tags.clear();
  }

  /** Columns 6–13: affinity to the item's categories, brand and tags. */
  #writeTastes(out: Float32Array, { rows, count }: CandidatePool, { catalog: { records } }: CandidateRequest): void {
    const { values: ofCategory } = this.#categories;
    const { values: ofBrand } = this.#brands;
    const { values: ofTag } = this.#tags;
    for (let slot = 0, at = 0; slot < count; slot++, at += WIDTH) {
      const record = rows[slot]! * RECORD.width;
      const leaf = records[record + RECORD.leaf]! * 2;
      const root = records[record + RECORD.root]! * 2;
      const brand = records[record + RECORD.brand]! * 2;
      out[at + 6] = ofCategory[leaf]!;
      out[at + 7] = ofCategory[leaf + 1]!;
      out[at + 8] = ofCategory[root]!;
      out[at + 9] = ofCategory[root + 1]!;
      out[at + 10] = ofBrand[brand]!;
      out[at + 11] = ofBrand[brand + 1]!;
      let short = 0;
      let long = 0;
      for (let i = record + RECORD.tags; i < record + RECORD.width; i++) {
        const tag = records[i]! * 2;
        if (tag === 0) break;
        short += ofTag[tag]!;
        long += ofTag[tag + 1]!;
      }
      out[at + 12] = short;
      out[at + 13] = long;
    }
  }
}

/** Columns 0–5 and 14–16: the item itself, and what the sources say. */
function writeItems(out: Float32Array, { rows, count, related, neighbors, sources }: CandidatePool, request: CandidateRequest): void {
  const { records, recordFloats } = request.catalog;
  const { scores } = request.statistics;
  const levels = request.catalog.priceLevels();
  const shares = priceShares(request.profile);
  const today = request.now / DAY_MS;
  for (let slot = 0, at = 0; slot < count; slot++, at += WIDTH) {
    const row = rows[slot]!;
    const record = row * RECORD.width;
    const known = row * ROW_SCORE.width;
    const published = recordFloats[record + RECORD.publishedDay]! || (scores[known + ROW_SCORE.firstDay] ?? 0);
    const ageDays = published === 0 ? AGE_UNKNOWN_DAYS : Math.max(0, today - published);
    const bucket = records[record + RECORD.priceBucket]!;
    // A row younger than the statistics has no scores yet.
    out[at] = scores[known + ROW_SCORE.popularity] ?? 0;
    out[at + 1] = scores[known + ROW_SCORE.trending] ?? 0;
    out[at + 2] = LOG_DAYS[Math.min(ageDays, LOG_DAYS.length - 1) | 0]!;
    if (ageDays < FRESH_DAYS) out[at + 3] = 1;
    out[at + 4] = recordFloats[record + RECORD.logPrice]!;
    if (bucket >= 0) out[at + 5] = shares[levels[bucket]!]!;
    out[at + 14] = related[slot]!;
    out[at + 15] = neighbors[slot]!;
    out[at + 16] = bitCount(sources[slot]!);
    out[at + LASTING] = scores[known + ROW_SCORE.lasting] ?? 0;
  }
}

/** Columns 17–23, 35 and 36: what the shopper did with the item, and how many others were met since. */
function writeTouches(out: Float32Array, pool: CandidatePool, { catalog, profile, now }: CandidateRequest): void {
  for (let place = 0; place < profile.touches.length; place++) {
    const { item, mask, count, at: time } = profile.touches[place]!;
    const row = catalog.rowOfKey(item);
    const slot = row < 0 ? -1 : pool.slotOf(row);
    if (slot < 0) continue;
    const at = slot * WIDTH + 17;
    out[at] = (mask & (TOUCH.viewed | TOUCH.clicked)) === 0 ? 0 : 1;
    out[at + 1] = (mask & TOUCH.carted) === 0 ? 0 : 1;
    out[at + 2] = (mask & (TOUCH.wished | TOUCH.liked)) === 0 ? 0 : 1;
    out[at + 3] = (mask & TOUCH.purchased) === 0 ? 0 : 1;
    out[at + 4] = (mask & (TOUCH.dismissed | TOUCH.refunded)) === 0 ? 0 : 1;
    out[at + 5] = Math.log1p(count);
    out[at + 6] = Math.exp(-Math.max(0, now - time) / TOUCH_MEMORY_MS);
    out[slot * WIDTH + TOUCH_RANK] = 1 / (1 + place);
    out[slot * WIDTH + TOUCH_RANK + 1] = Math.exp(-Math.max(0, now - time) / TOUCH_MEMORY_LONG_MS);
  }
}

/** One shopper's affinities by name number, for as long as one request takes. */
class SpreadAffinities {
  /** Short and long affinity of each name number, side by side; 0 for all others. */
  values = new Float32Array(0);
  readonly #numbers: number[] = [];

  spread(table: Affinities, names: { readonly size: number; ofHash(hash: number): number }, decay: { short: number; long: number }): void {
    if (this.values.length < names.size * 2) this.values = new Float32Array(names.size * 4);
    for (let i = 0; i < table.keys.length; i++) {
      const number = names.ofHash(table.keys[i]!);
      if (number === 0) continue;
      this.values[number * 2] = squash(table.short[i]! * decay.short);
      this.values[number * 2 + 1] = squash(table.long[i]! * decay.long);
      this.#numbers.push(number);
    }
  }

  clear(): void {
    for (const number of this.#numbers) this.values.fill(0, number * 2, number * 2 + 2);
    this.#numbers.length = 0;
  }
}

/** Symmetric log: keeps the sign, tames the tail. */
const squash = (value: number): number => (value < 0 ? -Math.log1p(-value) : Math.log1p(value));

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
  if (page === undefined) return;
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

/**
 * Columns 28–33: what the lists of neighbours, like items and the encoder say. A rank is 1 / log₂(1 + place), so 1 for the
 * first of the whole list and 0 for what is not in it.
 */
function writeRetrieval(out: Float32Array, pool: CandidatePool, reads: ReadonlySet<string>): void {
  const columns = [pool.neighborsRank, pool.lastNeighbor, pool.similar, pool.similarRank, pool.encoder, pool.encoderRank];
  columns.forEach((values, i) => {
    if (!reads.has(ITEM_FEATURES[28 + i]!)) return;
    for (let slot = 0, at = 28 + i; slot < pool.count; slot++, at += WIDTH) out[at] = values[slot]!;
  });
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
