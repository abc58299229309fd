import { BucketCounts, bucketOf } from '../util/quantile-sketch.js';
import type { Profile } from './profile.js';

/** What counts of a buyer, as buckets: day of the latest order (since 1970), number of orders, amount spent less refunds. */
export type BuyerBuckets = readonly [day: number, orders: number, money: number];

const DAY_MS = 86_400_000;

/** @returns undefined of somebody who has bought nothing */
export function buyerBuckets(profile: Profile): BuyerBuckets | undefined {
  if (profile.orders === 0) return undefined;
  return [Math.floor(profile.lastOrderAt / DAY_MS), bucketOf(profile.orders), bucketOf(profile.spentMinor - profile.refundedMinor)];
}

/** The store's buyers at a time, summed up: what a value tier is measured against. */
export interface Buyers {
  readonly recency: BucketCounts;
  readonly frequency: BucketCounts;
  readonly money: BucketCounts;
}
export const NO_BUYERS: Buyers = { recency: new BucketCounts(), frequency: new BucketCounts(), money: new BucketCounts() };

/** Fewer than this say nothing of what is much or little in a store. */
export const BUYERS_MIN = 20;

export interface RfmScores { readonly recency: number; readonly frequency: number; readonly money: number }

/**
 * Recency, frequency and money as fifths of the store's buyers, 1 to 5 (A. Hughes, "Strategic Database Marketing", 1994);
 * equal buyers share the middle of their ranks.
 * @returns undefined without an order, or with too few buyers
 */
export function rfmScores(profile: Profile, buyers: Buyers): RfmScores | undefined {
  const own = buyerBuckets(profile);
  if (own === undefined || buyers.frequency.total < BUYERS_MIN) return undefined;
  const fifth = (counts: BucketCounts, bucket: number): number => Math.min(5, 1 + Math.floor(counts.midRank(bucket) * 5));
  return { recency: fifth(buyers.recency, own[0]), frequency: fifth(buyers.frequency, own[1]), money: fifth(buyers.money, own[2]) };
}

/** The metrics in the order of a buyer's buckets. */
const METRICS = ['recency', 'frequency', 'money'] as const;

/**
 * Sums up the counts of all partitions.
 * @param counts rows of field `<metric from 1>:<bucket>` and how many buyers are in it
 */
export function sumBuyers(counts: Iterable<readonly [field: string, count: number]>): Buyers {
  const sums = [new BucketCounts(), new BucketCounts(), new BucketCounts()] as const;
  for (const [field, count] of counts) {
    const [metric, bucket] = field.split(':').map(Number);
    sums[metric! - 1]?.add(bucket!, count);
  }
  return { recency: sums[0], frequency: sums[1], money: sums[2] };
}

/** As published to all processes. */
export const encodeBuyers = (buyers: Buyers): string =>
  JSON.stringify(Object.fromEntries(METRICS.map((metric) => [metric, buyers[metric].entries().toSorted((a, b) => a[0] - b[0])])));

export function decodeBuyers(json: string): Buyers {
  if (json === '') return NO_BUYERS;
  const entries = JSON.parse(json) as Record<(typeof METRICS)[number], [bucket: number, count: number][]>;
  return { recency: new BucketCounts(entries.recency), frequency: new BucketCounts(entries.frequency), money: new BucketCounts(entries.money) };
}
