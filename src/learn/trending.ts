import type { TrendingData } from '../candidates/statistics.js';
import type { ShopperEvent } from '../domain/event.js';
import { trendingList, weigh } from '../jobs/trending.js';
import { TRENDING_LIMITS, type TrendingCount } from '../redis/trending-store.js';

const { shortHalfLifeMs, longHalfLifeMs, considered } = TRENDING_LIMITS;

/** The trending lists of the service, counted in memory: the same sums and the same choice, without Redis. */
export class ReplayedTrending {
  readonly #scopes = new Map<string, Map<number, { short: number; long: number }>>();
  #waiting: ShopperEvent[] = [];
  #at = 0;

  add(event: ShopperEvent): void {
    this.#waiting.push(event);
  }

  /** The lists as of `now`, which never goes back. */
  lists(now: number): TrendingData {
    this.#decay(now);
    for (const { scope, item, short, long } of weigh(this.#waiting, now)) {
      let items = this.#scopes.get(scope);
      if (items === undefined) this.#scopes.set(scope, items = new Map());
      const sum = items.get(item);
      if (sum === undefined) items.set(item, { short, long });
      else {
        sum.short += short;
        sum.long += long;
      }
    }
    this.#waiting = [];
    return Object.fromEntries([...this.#scopes].map(([scope, items]) => [scope, trendingList(strongest(items))]));
  }

  #decay(now: number): void {
    const short = 2 ** (-(now - this.#at) / shortHalfLifeMs);
    const long = 2 ** (-(now - this.#at) / longHalfLifeMs);
    this.#at = now;
    for (const items of this.#scopes.values()) {
      for (const sum of items.values()) {
        sum.short *= short;
        sum.long *= long;
      }
    }
  }
}

function strongest(items: ReadonlyMap<number, { short: number; long: number }>): TrendingCount[] {
  const counts: TrendingCount[] = [];
  // Below this, the excess over the average can no longer make a list.
  for (const [item, { short, long }] of items) if (short > 1e-3) counts.push({ item, short, long });
  return counts.toSorted((a, b) => b.short - a.short).slice(0, considered);
}
