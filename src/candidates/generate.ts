import type { Catalog } from '../catalog/catalog.js';
import type { Scene } from '../domain/scene.js';
import { TOUCH, type Affinities, type Profile } from '../profile/profile.js';
import { affinityDecay } from '../profile/vector.js';
import { SOURCE_INDEX, type CandidatePool } from './pool.js';
import { RowTally } from './row-tally.js';
import type { Statistics } from './statistics.js';

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
}

/** How many candidates each source may propose; the rest is filled from trending and popular items. */
export const QUOTAS = {
  /** Context rows asked for neighbours, and neighbours of each. */
  relatedFrom: 4, relatedEach: 24,
  /** Neighbours of the recent touches, the best over all of them. */
  neighbors: 70,
  /** Categories and brands liked most, and items of each. */
  categories: 4, categoryEach: 14, brands: 3, brandEach: 8,
  buyAgain: 12, fresh: 12, trending: 40,
  /** Rows looked at when the sources leave places free. */
  scanMax: 20_000,
} as const;

/** What the recent touches say of each row; shared, because generation never waits. */
const tally = new RowTally();
const REPEAT_AFTER_MS = 3 * 86_400_000;

/** Runs all sources into the pool, which has been begun; stops when it is full. */
export function generateCandidates(pool: CandidatePool, request: CandidateRequest): void {
  for (const row of request.pinnedRows) pool.add(row, SOURCE_INDEX.pinned);
  related(pool, request);
  neighbors(pool, request);
  tastes(pool, request);
  buyAgain(pool, request);
  fresh(pool, request);
  trending(pool, request);
  popular(pool, request);
  weighNeighbors(pool);
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
function neighbors(pool: CandidatePool, { statistics, profile, catalog }: CandidateRequest): void {
  const { recency, use: { recentItems, again } } = statistics;
  tally.begin(catalog.rows);
  let rank = 0;
  for (const touch of profile.touches) {
    if (rank === recentItems) break;
    if ((touch.mask & (TOUCH.dismissed | TOUCH.refunded)) !== 0) continue;
    const row = catalog.rowOfKey(touch.item);
    if (row < 0) continue;
    const share = recency[rank++]!;
    if (again > 0) {
      tally.add(row, share * again);
      pool.add(row, SOURCE_INDEX.again);
    }
    const to = statistics.neighborsTo(row, Infinity);
    for (let at = statistics.neighborsFrom(row); at < to; at++) {
      const neighbor = statistics.neighborRow(at);
      if (neighbor >= 0) tally.add(neighbor, share * statistics.neighborWeight(at));
    }
  }
  for (const row of tally.best(QUOTAS.neighbors)) pool.add(row, SOURCE_INDEX.neighbors);
}

/** Says of every candidate, whoever proposed it, how much the recent items speak for it. */
function weighNeighbors(pool: CandidatePool): void {
  for (let slot = 0; slot < pool.count; slot++) {
    const score = tally.get(pool.rows[slot]!);
    pool.neighbors[slot] = score;
    if (score > 0) pool.sources[slot]! |= 1 << SOURCE_INDEX.neighbors;
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

/** @returns hashes of the names with the highest positive affinity by now */
function strongest(profile: Profile, table: Affinities, now: number, limit: number): number[] {
  const { short, long } = affinityDecay(profile, now);
  const found: { hash: number; value: number }[] = [];
  for (let i = 0; i < table.keys.length; i++) {
    // Within a visit the short memory leads; afterwards it has decayed and the long one speaks.
    const value = table.short[i]! * short * 3 + table.long[i]! * long;
    if (value <= 0) continue;
    let place = found.length;
    while (place > 0 && found[place - 1]!.value < value) place--;
    if (place < limit) found.splice(place, 0, { hash: table.keys[i]!, value });
    if (found.length > limit) found.pop();
  }
  return found.map((entry) => entry.hash);
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
