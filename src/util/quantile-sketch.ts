/**
 * Counts by bucket, of which quantiles and ranks are read: a DDSketch (C. Masson, J. Rim, H. Lee, "DDSketch: a fast and
 * fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019) without its limit on buckets, which whole
 * numbers do not need. Counts add, so sketches merge by adding and a value is taken out again by adding −1.
 */
export class BucketCounts {
  readonly #counts = new Map<number, number>();
  /** Buckets in order and how many values are below each; made when it is asked for. */
  #order: { readonly buckets: readonly number[]; readonly below: readonly number[] } | undefined;
  #total = 0;

  constructor(counts: Iterable<readonly [bucket: number, count: number]> = []) {
    for (const [bucket, count] of counts) this.add(bucket, count);
  }

  get total(): number {
    return this.#total;
  }

  add(bucket: number, count = 1): void {
    const sum = (this.#counts.get(bucket) ?? 0) + count;
    if (sum === 0) this.#counts.delete(bucket);
    else this.#counts.set(bucket, sum);
    this.#total += count;
    this.#order = undefined;
  }

  merge(other: BucketCounts): void {
    for (const [bucket, count] of other.#counts) this.add(bucket, count);
  }

  /** @returns the bucket of the value at rank ⌊q (n − 1)⌋, the paper's q-quantile; undefined of nothing */
  quantile(q: number): number | undefined {
    const { buckets, below } = this.#sorted();
    if (buckets.length === 0) return undefined;
    return buckets[lastAtMost(below, Math.floor(q * (this.#total - 1)))];
  }

  /** @returns the share of values below the bucket and half of those in it, 0 … 1: equal values all rank in their middle */
  midRank(bucket: number): number {
    if (this.#total === 0) return 0.5;
    const { buckets, below } = this.#sorted();
    const index = lastAtMost(buckets, bucket);
    if (index < 0) return 0;
    const inside = this.#counts.get(buckets[index]!) ?? 0;
    return (below[index]! + (buckets[index] === bucket ? inside / 2 : inside)) / this.#total;
  }

  entries(): [bucket: number, count: number][] {
    return [...this.#counts];
  }

  #sorted(): { readonly buckets: readonly number[]; readonly below: readonly number[] } {
    if (this.#order !== undefined) return this.#order;
    const buckets = [...this.#counts.keys()].toSorted((a, b) => a - b);
    const below: number[] = [];
    let sum = 0;
    for (const bucket of buckets) {
      below.push(sum);
      sum += this.#counts.get(bucket)!;
    }
    this.#order = { buckets, below };
    return this.#order;
  }
}

/** Relative error of a value read back from its bucket. */
export const SKETCH_ERROR = 0.01;
const GAMMA = (1 + SKETCH_ERROR) / (1 - SKETCH_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
/** Of zero and less. */
const ZERO_BUCKET = -1;

/** @returns the bucket of a whole number: i holds γ^(i−1) < value ≤ γ^i; 2,000 of them reach beyond 10^17 */
export const bucketOf = (value: number): number => (value < 1 ? ZERO_BUCKET : Math.ceil(Math.log(value) / LOG_GAMMA));
/** @returns a value within `SKETCH_ERROR` of all in the bucket */
export const valueOf = (bucket: number): number => (bucket === ZERO_BUCKET ? 0 : (2 * GAMMA ** bucket) / (GAMMA + 1));

/** @returns the index of the last of ascending numbers that is not above the limit, −1 when all are */
function lastAtMost(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
