import type { Catalog } from '../catalog/catalog.js';
import type { Scene } from '../domain/scene.js';
import { TOUCH, type Profile } from '../profile/profile.js';
import { LIKENESS_LIMITS } from './likeness.js';
import { liveRooms } from './live-rooms.js';
import { SOURCE_INDEX, type CandidatePool } from './pool.js';
import { RowTally } from './row-tally.js';
import type { Statistics } from './statistics.js';
import { strongest } from './strongest.js';

/** A shopper as the serving model's encoder sees them, among the items that it knows. */
export interface Encoded {
  readonly query: Float32Array;
  readonly index: {
    /** Rows that fit best; the array is the index's own, until its next search. */
    search(query: Float32Array, wanted: number): { readonly rows: Int32Array; readonly count: number };
    /** How well each row fits; likewise. */
    scores(query: Float32Array, rows: ArrayLike<number>, count: number): Float32Array;
  };
}

/** What the sources read. */
export interface CandidateRequest {
  readonly catalog: Catalog;
  readonly statistics: Statistics;
  readonly profile: Profile;
  readonly scene: Scene;
  readonly region: string | undefined;
  /** Rows of the page's own items (the product looked at, the cart), most important first. */
  readonly contextRows: readonly number[];
  /** Rows an editor pinned to the scene, in order. */
  readonly pinnedRows: readonly number[];
  readonly now: number;
  /** Uniform in [0, 1), for exploration. */
  readonly random: () => number;
  /** Undefined when the serving model has no encoder, or the shopper no history that it knows. */
  readonly encoded?: Encoded | undefined;
  /** Item features that the serving model reads: what takes long is left out unless it is wanted. */
  readonly reads?: ReadonlySet<string> | undefined;
}

/**
 * How many candidates each source may propose to a pool of 200, and in proportion to a larger one; the rest is filled from
 * trending and popular items.
 */
export const QUOTAS = {
  pool: 200,
  /** Context rows asked for neighbours, and neighbours of each. */
  relatedFrom: 4, relatedEach: 24,
  /** Neighbours of the recent touches, the best over all of them. */
  neighbors: 70,
  /** Best by the model's encoder, and most like the recent touches by their attributes. */
  encoder: 110, similar: 40,
  /** Categories and brands liked most, and items of each. */
  categories: 4, categoryEach: 14, brands: 3, brandEach: 8,
  buyAgain: 12, fresh: 12, trending: 40,
  /** Rows looked at when the sources leave places free. */
  scanMax: 20_000,
} as const;

/** What the recent touches say of each row; shared, because generation never waits. */
const tally = new RowTally();
/** Places of the lists by neighbours, encoder and likeness that count, however many of them are proposed. */
const RANKS = Float32Array.from({ length: 160 }, (_, place) => 1 / Math.log2(2 + place));
const REPEAT_AFTER_MS = 3 * 86_400_000;

/** Runs all sources into the pool, which has been begun; stops when it is full. */
export function generateCandidates(pool: CandidatePool, request: CandidateRequest): void {
  for (const row of request.pinnedRows) pool.add(row, SOURCE_INDEX.pinned);
  if (request.scene === 'feed') liveRooms(pool, request);
  related(pool, request);
  const near = neighbors(pool, request);
  const fitting = encoded(pool, request);
  const alike = similar(pool, request);
  tastes(pool, request);
  buyAgain(pool, request);
  fresh(pool, request);
  trending(pool, request);
  popular(pool, request);
  weighNeighbors(pool);
  weigh(pool, request, { near, fitting, alike });
}

/** Neighbours of what is on the page. */
function related(pool: CandidatePool, { statistics, contextRows }: CandidateRequest): void {
  for (const row of contextRows.slice(0, QUOTAS.relatedFrom)) {
    const to = statistics.neighborsTo(row, QUOTAS.relatedEach);
    for (let at = statistics.neighborsFrom(row); at < to; at++) {
      const neighbor = statistics.neighborRow(at);
      const slot = neighbor < 0 ? -1 : pool.add(neighbor, SOURCE_INDEX.related);
      if (slot >= 0) pool.related[slot]! += statistics.neighborWeight(at);
    }
  }
}

/** Neighbours of the shopper's recent items, and these items themselves where shoppers come back to them. */
function neighbors(pool: CandidatePool, request: CandidateRequest): Listed {
  const { statistics: { use: { recentItems, again } }, profile, catalog, reads } = request;
  const recent = recentRows(profile, catalog, recentItems);
  // Where shoppers come back, to any of what they met: in a shop for the trade, half of it lies further back than forty items.
  if (again > 0) for (const row of recentRows(profile, catalog, Infinity)) pool.add(row, SOURCE_INDEX.again);
  tallyNeighbors(request, recent);
  const areRanked = reads?.has('neighbors_rank') === true;
  const rows = tally.best(areRanked ? RANKS.length : share(pool, QUOTAS.neighbors));
  const best = { rows, count: rows.length };
  propose(pool, best, QUOTAS.neighbors, SOURCE_INDEX.neighbors);
  return areRanked ? best : NONE;
}

/** Sums up what the recent items say of all rows. @returns the sums, until the next request */
export function tallyNeighbors(
  { statistics, profile, catalog }: CandidateRequest, recent: readonly number[] = recentRows(profile, catalog, statistics.use.recentItems),
): RowTally {
  const { recency, use: { again } } = statistics;
  tally.begin(catalog.rows);
  for (let rank = 0; rank < recent.length; rank++) {
    const row = recent[rank]!;
    const part = recency[rank]!;
    if (again > 0) tally.add(row, part * again);
    const to = statistics.neighborsTo(row, Infinity);
    for (let at = statistics.neighborsFrom(row); at < to; at++) {
      const neighbor = statistics.neighborRow(at);
      if (neighbor >= 0) tally.add(neighbor, part * statistics.neighborWeight(at));
    }
  }
  return tally;
}

/** The items that fit best by the model's encoder. */
function encoded(pool: CandidatePool, { encoded }: CandidateRequest): Listed {
  if (encoded === undefined) return NONE;
  const best = encoded.index.search(encoded.query, Math.max(RANKS.length, share(pool, QUOTAS.encoder)));
  propose(pool, best, QUOTAS.encoder, SOURCE_INDEX.encoder);
  return best;
}

/** Items with the attributes of the shopper's recent ones. */
function similar(pool: CandidatePool, { statistics: { likeness }, profile, catalog, reads }: CandidateRequest): Listed {
  if (reads?.has('similar') !== true) return NONE;
  likeness.ask(recentRows(profile, catalog, LIKENESS_LIMITS.recent));
  const best = likeness.best(Math.max(RANKS.length, share(pool, QUOTAS.similar)));
  propose(pool, best, QUOTAS.similar, SOURCE_INDEX.similar);
  return best;
}

/** Rows in order, best first. */
interface Listed {
  readonly rows: ArrayLike<number>;
  readonly count: number;
}
const NONE: Listed = { rows: [], count: 0 };

/** Adds the first of a list that may be shown, up to a quota. */
function propose(pool: CandidatePool, { rows, count }: Listed, quota: number, source: number): void {
  const wanted = share(pool, quota);
  for (let i = 0, taken = 0; i < count && taken < wanted; i++) if (pool.add(rows[i]!, source) >= 0) taken += 1;
}

/** A quota's part of this pool. */
const share = (pool: CandidatePool, quota: number): number => Math.ceil(quota * Math.max(1, pool.size / QUOTAS.pool));

/** Says of every candidate, whoever proposed it, how much the recent items speak for it. */
function weighNeighbors(pool: CandidatePool): void {
  for (let slot = 0; slot < pool.count; slot++) {
    const score = tally.get(pool.rows[slot]!);
    pool.neighbors[slot] = score;
    if (score > 0) pool.sources[slot]! |= 1 << SOURCE_INDEX.neighbors;
  }
}

/** The same of the encoder and of likeness, and places in the lists: as they would be for any pool. */
function weigh(pool: CandidatePool, request: CandidateRequest, lists: { near: Listed; fitting: Listed; alike: Listed }): void {
  const { statistics, encoded, reads } = request;
  const { rows, count } = pool;
  if (encoded === undefined) pool.encoder.fill(0, 0, count);
  else pool.encoder.set(encoded.index.scores(encoded.query, rows, count).subarray(0, count));
  if (reads?.has('similar') === true) for (let slot = 0; slot < count; slot++) pool.similar[slot] = statistics.likeness.of(rows[slot]!);
  if (reads?.has('last_neighbor') === true) weighLast(pool, request);
  rank(pool, pool.neighborsRank, lists.near);
  rank(pool, pool.encoderRank, lists.fitting);
  rank(pool, pool.similarRank, lists.alike);
}

/** What the very last touch says of each candidate. */
function weighLast(pool: CandidatePool, { statistics, profile, catalog }: CandidateRequest): void {
  pool.lastNeighbor.fill(0, 0, pool.count);
  const last = recentRows(profile, catalog, 1)[0];
  if (last === undefined) return;
  const to = statistics.neighborsTo(last, Infinity);
  for (let at = statistics.neighborsFrom(last); at < to; at++) {
    const row = statistics.neighborRow(at);
    const slot = row < 0 ? -1 : pool.slotOf(row);
    if (slot >= 0) pool.lastNeighbor[slot] = statistics.neighborWeight(at);
  }
}

/** Rows of what the shopper met last, the latest first, without what was not wanted. */
export function recentRows({ touches }: Profile, catalog: Catalog, most: number): number[] {
  const rows: number[] = [];
  for (const { item, mask } of touches) {
    if (rows.length === most) break;
    const row = (mask & (TOUCH.dismissed | TOUCH.refunded)) === 0 ? catalog.rowOfKey(item) : -1;
    if (row >= 0) rows.push(row);
  }
  return rows;
}

function rank(pool: CandidatePool, ranks: Float32Array, { rows, count }: Listed): void {
  ranks.fill(0, 0, pool.count);
  for (let place = 0; place < Math.min(count, RANKS.length); place++) {
    const slot = pool.slotOf(rows[place]!);
    if (slot >= 0) ranks[slot] = RANKS[place]!;
  }
}

/** Popular items of the categories and brands the shopper, or the page, is about. */
function tastes(pool: CandidatePool, { catalog, statistics, profile, contextRows, now }: CandidateRequest): void {
  const categories = strongest(profile, profile.categories, now, QUOTAS.categories).map((hash) => catalog.categories.ofHash(hash));
  const brands = strongest(profile, profile.brands, now, QUOTAS.brands).map((hash) => catalog.brands.ofHash(hash));
  const context = contextRows[0];
  if (context !== undefined) {
    categories.unshift(catalog.leafOf(context));
    brands.unshift(catalog.brandOf(context));
  }
  for (const category of categories) {
    addSome(pool, statistics.topInCategory(category), catalog.rowsInCategory(category), QUOTAS.categoryEach, SOURCE_INDEX.category);
  }
  for (const brand of brands) {
    addSome(pool, statistics.topOfBrand(brand), catalog.rowsOfBrand(brand), QUOTAS.brandEach, SOURCE_INDEX.brand);
  }
}

/** Popular rows first; when statistics know too few, the newest of the catalog's own list. */
function addSome(pool: CandidatePool, top: readonly number[], all: readonly number[], quota: number, source: number): void {
  const until = pool.count + quota;
  for (let i = 0; i < top.length && pool.count < until && !pool.full; i++) pool.add(top[i]!, source);
  for (let i = all.length - 1, seen = 0; i >= 0 && seen < quota && pool.count < until && !pool.full; i--, seen++) pool.add(all[i]!, source);
}

/** What was bought a while ago, latest first. */
function buyAgain(pool: CandidatePool, { profile, catalog, now }: CandidateRequest): void {
  let added = 0;
  for (const touch of profile.touches) {
    if ((touch.mask & TOUCH.purchased) === 0 || (touch.mask & TOUCH.refunded) !== 0 || now - touch.at < REPEAT_AFTER_MS) continue;
    const row = catalog.rowOfKey(touch.item);
    if (row >= 0 && pool.add(row, SOURCE_INDEX.buy_again) >= 0 && ++added === QUOTAS.buyAgain) return;
  }
}

/** Items published of late, from a random place on so that each gets its turn. */
function fresh(pool: CandidatePool, { catalog, random }: CandidateRequest): void {
  const rows = catalog.freshRows;
  if (rows.length === 0) return;
  const start = Math.floor(random() * rows.length);
  const count = Math.min(QUOTAS.fresh, rows.length);
  for (let i = 0; i < count; i++) pool.add(rows[(start + i) % rows.length]!, SOURCE_INDEX.new);
}

/** What trends in the shopper's region, in the scene, and over all. */
function trending(pool: CandidatePool, { statistics, scene, region }: CandidateRequest): void {
  const until = pool.count + QUOTAS.trending;
  for (const scope of [region === undefined ? undefined : `region:${region}`, `scene:${scene}`, 'all']) {
    const rows = scope === undefined ? undefined : statistics.trending(scope);
    if (rows === undefined) continue;
    const share = scope === 'all' ? until : pool.count + QUOTAS.trending / 3;
    for (let i = 0; i < rows.length && pool.count < Math.min(share, until) && !pool.full; i++) pool.add(rows[i]!, SOURCE_INDEX.trending);
  }
}

/** Fills the rest: popular items, then any; so that a shopper never seen, or a narrow filter, gets a full list. */
function popular(pool: CandidatePool, { statistics, catalog }: CandidateRequest): void {
  const { order } = statistics;
  let budget = QUOTAS.scanMax;
  for (let i = 0; i < order.length && !pool.full && budget > 0; i++, budget--) pool.add(order[i]!, SOURCE_INDEX.popular);
  for (let row = catalog.rows - 1; row >= 0 && !pool.full && budget > 0; row--, budget--) pool.add(row, SOURCE_INDEX.popular);
}
