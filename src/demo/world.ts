import type { Item } from '../domain/item.js';
import { hash32 } from '../util/hash.js';
import { gaussian, seededRandom, type Random } from '../util/random.js';
import { ROOTS, STYLES } from './taxonomy.js';

/** Popularity follows Zipf's law with this exponent. */
const ZIPF = 0.8;
/** New arrivals a shelf of novelties is drawn from. */
const NOVELTIES = 60;

/** The demo store as its shoppers see it: columns by row, with what no engine is told (quality, popularity). */
export interface World {
  readonly items: readonly Item[];
  readonly rowOf: ReadonlyMap<string, number>;
  /** "root/leaf" by leaf number. */
  readonly leafNames: readonly string[];
  readonly rootOfLeaf: Uint8Array;
  readonly leaf: Uint16Array;
  readonly brand: Uint16Array;
  readonly style: Uint8Array;
  /** How dear within its leaf, in standard deviations of the log price; 0 for an item without a price. */
  readonly dearness: Float32Array;
  readonly publishedAt: Float64Array;
  /** 1 when it can be bought. */
  readonly sellable: Uint8Array;
  /** Hidden: how good it is, about N(0, 1); half of it shows in the rating. */
  readonly quality: Float32Array;
  /** Hidden: log of the popularity weight, standardised. */
  readonly fame: Float32Array;
  readonly brandNames: readonly string[];
  /** Leaves that go with a leaf. */
  readonly complements: readonly (readonly number[])[];
  /** Days until a leaf's item is used up; 0: it lasts. */
  readonly usedUpDays: Float32Array;
  readonly everything: Shelf;
  readonly shelves: readonly Shelf[];
  /** Rows by publication, oldest first. */
  readonly byDate: Uint32Array;
}

/** Rows with cumulative popularity, for draws in proportion to it. */
export interface Shelf {
  readonly rows: Uint32Array;
  readonly cumulative: Float64Array;
}

/** @returns the world of a catalog made by `makeStore`; pure */
export function makeWorld(items: readonly Item[], seed: number): World {
  const count = items.length;
  const leafNumbers = new Map(ROOTS.flatMap((root) => root.leaves.map((leaf) => `${root.name}/${leaf.name}`)).map((name, i) => [name, i]));
  const specs = ROOTS.flatMap((root, r) => root.leaves.map((leaf) => ({ leaf, r })));
  const brandNumbers = new Map<string, number>();
  const leaf = new Uint16Array(count);
  const brand = new Uint16Array(count);
  const style = new Uint8Array(count);
  const dearness = new Float32Array(count);
  const publishedAt = new Float64Array(count);
  const sellable = new Uint8Array(count);
  const quality = new Float32Array(count);
  const popularity = new Float64Array(count);
  const rowOf = new Map<string, number>();
  items.forEach((item, row) => {
    const random = seededRandom(hash32(`item:${seed}:${item.id}`));
    rowOf.set(item.id, row);
    leaf[row] = leafNumbers.get(item.category.join('/')) ?? 0;
    const name = item.brand ?? '';
    if (!brandNumbers.has(name)) brandNumbers.set(name, brandNumbers.size);
    brand[row] = brandNumbers.get(name)!;
    style[row] = Math.max(0, STYLES.indexOf(item.tags?.[0] ?? ''));
    const spec = specs[leaf[row]!]!.leaf;
    dearness[row] = item.price === undefined ? 0 : Math.log(item.price / spec.median) / Math.hypot(spec.sigma, 0.3);
    publishedAt[row] = Date.parse(item.publishedAt ?? '1970-01-01');
    sellable[row] = item.price !== undefined && item.stock !== 0 ? 1 : 0;
    const rating = item.attributes?.['rating'];
    quality[row] = 0.7 * (typeof rating === 'number' ? (rating - 4.2) / 0.45 : 0) + 0.7 * gaussian(random);
    popularity[row] = quality[row]! + 1.2 * gaussian(random);
  });
  const { weights, fame } = zipf(popularity);
  const rows = Uint32Array.from({ length: count }, (_, row) => row);
  return {
    items, rowOf, leaf, brand, style, dearness, publishedAt, sellable, quality, fame,
    leafNames: [...leafNumbers.keys()],
    rootOfLeaf: Uint8Array.from(specs, ({ r }) => r),
    brandNames: [...brandNumbers.keys()],
    complements: specs.map((spec) => spec.leaf.with.map((name) => leafNumbers.get(name)).filter((n) => n !== undefined)),
    usedUpDays: Float32Array.from(specs, (spec) => spec.leaf.usedUpDays ?? 0),
    everything: shelfOf(rows, weights),
    shelves: specs.map((_, number) => shelfOf(rows.filter((row) => leaf[row] === number), weights)),
    byDate: rows.slice().sort((a, b) => publishedAt[a]! - publishedAt[b]! || a - b),
  };
}

/** Weight 1 / rank^ZIPF by descending score. */
function zipf(score: Float64Array): { weights: Float64Array; fame: Float32Array } {
  const order = Array.from(score.keys()).sort((a, b) => score[b]! - score[a]! || a - b);
  const weights = new Float64Array(score.length);
  order.forEach((row, rank) => { weights[row] = (rank + 1) ** -ZIPF; });
  const logs = weights.map(Math.log);
  const mean = logs.reduce((sum, x) => sum + x, 0) / logs.length;
  const deviation = Math.sqrt(logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / logs.length) || 1;
  return { weights, fame: Float32Array.from(logs, (x) => (x - mean) / deviation) };
}

function shelfOf(rows: Uint32Array, weights: Float64Array): Shelf {
  let sum = 0;
  return { rows, cumulative: Float64Array.from(rows, (row) => (sum += weights[row]!)) };
}

/** @returns a row in proportion to popularity, or −1 from an empty shelf */
export function drawPopular({ rows, cumulative }: Shelf, random: Random): number {
  if (rows.length === 0) return -1;
  return rows[firstAbove(cumulative, random() * cumulative.at(-1)!)]!;
}

/** @returns any row of the shelf, or −1 */
export function drawAny({ rows }: Shelf, random: Random): number {
  return rows.length === 0 ? -1 : rows[Math.floor(random() * rows.length)]!;
}

/** @returns one of the latest arrivals at a time */
export function drawNew({ byDate, publishedAt }: World, at: number, random: Random): number {
  let low = 0;
  let high = byDate.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (publishedAt[byDate[middle]!]! <= at) low = middle + 1;
    else high = middle;
  }
  const from = Math.max(0, low - NOVELTIES);
  return low === 0 ? -1 : byDate[from + Math.floor(random() * (low - from))]!;
}

function firstAbove(cumulative: Float64Array, value: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
