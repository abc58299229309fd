import type { EventType, ShopperEvent } from '../domain/event.js';
import { hash48 } from '../util/hash.js';
import { emptyStatisticsData, type StatisticsData } from './statistics.js';

/** How much one event says that items belong together and are liked. */
export const INTEREST: Partial<Record<EventType, number>> = {
  view_item: 1, select_item: 1, add_to_wishlist: 2, add_to_cart: 3, purchase: 4, like: 1.5, share: 2, review: 2,
  open_group_buy: 3, join_group_buy: 3,
};

/** Bounds of a build; beyond them the weakest or oldest go first. */
export const STATISTICS_LIMITS = {
  /** Items of one shopper's trail that a new item is paired with. */
  trail: 10,
  shoppers: 500_000,
  /** Distinct ordered pairs kept while counting. */
  pairs: 6_000_000,
  neighborsPerItem: 32,
} as const;

const POPULARITY_HALF_LIFE_MS = 14 * 86_400_000;
const PAIR_GAP_MS = 30 * 86_400_000;
/** A backward pair (the later item proposes the earlier one) counts a quarter: measured on next-item data. */
const BACKWARD = 0.25;
const PAIR_STRIDE = 2 ** 26;

interface Trail { items: number[]; at: number[] }

/**
 * Counts popularity and co-occurrence over events in any order of shoppers, time order within each.
 * Pair weight: distance^-0.25 · (0.3 + e^(-days/30)); a neighbour's score is its weight over √popularity of the
 * source and the twentieth root of the target's, which kept popular items from crowding out all others.
 */
export class StatisticsBuilder {
  readonly #indexOfKey = new Map<number, number>();
  readonly #keys: number[] = [];
  readonly #interest: number[] = [];
  readonly #last: number[] = [];
  readonly #pairs = new Map<number, number>();
  readonly #trails = new Map<string, Trail>();
  #now = 0;

  add(event: ShopperEvent): void {
    const interest = INTEREST[event.type];
    if (interest === undefined || event.itemId === undefined) return;
    const item = this.#index(hash48(event.itemId));
    const elapsed = event.at - this.#last[item]!;
    if (elapsed >= 0) {
      this.#interest[item] = this.#interest[item]! * 2 ** (-elapsed / POPULARITY_HALF_LIFE_MS) + interest;
      this.#last[item] = event.at;
    } else this.#interest[item]! += interest * 2 ** (elapsed / POPULARITY_HALF_LIFE_MS);
    this.#now = Math.max(this.#now, event.at);
    this.#pair(event.shopper, item, event.at);
  }

  build(): StatisticsData {
    const count = this.#keys.length;
    if (count === 0) return emptyStatisticsData();
    const strength = this.#interest.map((value, i) => value * 2 ** (-(this.#now - this.#last[i]!) / POPULARITY_HALF_LIFE_MS));
    const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => strength[b]! - strength[a]! || a - b);
    const rank = new Uint32Array(count);
    order.forEach((item, position) => { rank[item] = position; });
    const lists = this.#neighborLists(strength);
    const data: StatisticsData = {
      keys: Float64Array.from(order, (item) => this.#keys[item]!),
      popularity: Float32Array.from(order, (item) => Math.log1p(strength[item]!)),
      offsets: new Uint32Array(count + 1),
      targets: new Uint32Array(0),
      weights: new Float32Array(0),
    };
    const targets: number[] = [];
    const weights: number[] = [];
    let strongest = 0;
    order.forEach((item, position) => {
      for (const [target, weight] of lists[item] ?? []) {
        targets.push(rank[target]!);
        weights.push(weight);
        strongest = Math.max(strongest, weight);
      }
      data.offsets[position + 1] = targets.length;
    });
    data.targets = Uint32Array.from(targets);
    data.weights = Float32Array.from(weights, (weight) => weight / strongest);
    return data;
  }

  #index(key: number): number {
    let index = this.#indexOfKey.get(key);
    if (index === undefined) {
      index = this.#keys.push(key) - 1;
      this.#interest.push(0);
      this.#last.push(0);
      this.#indexOfKey.set(key, index);
    }
    return index;
  }

  #pair(shopper: string, item: number, at: number): void {
    let trail = this.#trails.get(shopper);
    if (trail === undefined) {
      if (this.#trails.size >= STATISTICS_LIMITS.shoppers) this.#trails.delete(this.#trails.keys().next().value!);
      trail = { items: [], at: [] };
      this.#trails.set(shopper, trail);
    }
    const { items } = trail;
    if (items.at(-1) === item) return;
    for (let back = 1; back <= items.length; back++) {
      const other = items[items.length - back]!;
      if (other === item) continue;
      const days = Math.abs(at - trail.at[items.length - back]!) / PAIR_GAP_MS;
      const weight = back ** -0.25 * (0.3 + Math.exp(-days));
      this.#addPair(other, item, weight);
      this.#addPair(item, other, weight * BACKWARD);
    }
    items.push(item);
    trail.at.push(at);
    if (items.length > STATISTICS_LIMITS.trail) {
      items.shift();
      trail.at.shift();
    }
  }

  #addPair(from: number, to: number, weight: number): void {
    const key = from * PAIR_STRIDE + to;
    this.#pairs.set(key, (this.#pairs.get(key) ?? 0) + weight);
    if (this.#pairs.size > STATISTICS_LIMITS.pairs) this.#prunePairs();
  }

  /** Halves all weights and forgets pairs that fall below what a single meeting gives: a decaying count sketch. */
  #prunePairs(): void {
    for (const [key, weight] of this.#pairs) {
      if (weight < 1) this.#pairs.delete(key);
      else this.#pairs.set(key, weight / 2);
    }
  }

  #neighborLists(strength: readonly number[]): (readonly (readonly [number, number])[])[] {
    const lists: [number, number][][] = [];
    for (const [key, weight] of this.#pairs) {
      const from = Math.floor(key / PAIR_STRIDE);
      const to = key % PAIR_STRIDE;
      const score = weight / (Math.sqrt(1 + strength[from]!) * (1 + strength[to]!) ** 0.05);
      (lists[from] ??= []).push([to, score]);
    }
    for (const list of lists) {
      list?.sort((a, b) => b[1] - a[1] || a[0] - b[0]).splice(STATISTICS_LIMITS.neighborsPerItem);
    }
    return lists;
  }
}
