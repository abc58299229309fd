import type { Cart } from '../../domain/cart.js';
import { applyOffers, type PricedCart, type TriedOffer } from './apply-offers.js';

const COMBINATION_LIMITS = {
  /** Combinations priced at most, of 20 offers on a long cart some milliseconds. */
  triesMax: 1000,
} as const;

export interface BestCombination {
  readonly priced: PricedCart;
  /** Ids of the offers chosen. */
  readonly chosen: readonly string[];
  /** false: the search ended at its limit, and a better one may exist. */
  readonly isProven: boolean;
}

/**
 * The combination that is worth most to the shopper: at most one offer of each stacking group, an offer that stands
 * `alone` with no other. Exact within the limit of tries; of equal ones the one with fewer offers.
 */
export function bestCombination(cart: Cart, offers: readonly TriedOffer[]): BestCombination {
  const search = new Search(cart, offers);
  return { priced: search.best, chosen: search.chosen.map(({ offer }) => offer.id), isProven: search.tries < COMBINATION_LIMITS.triesMax };
}

/**
 * Branch and bound over the stacking groups. The bound: what is left of a cart only shrinks with every offer, so none is
 * worth more in company than alone. Only the rounding of a discount that is shared out over lines can shift a minor unit
 * from line to line, to the good of an offer that covers some of them: the slack.
 */
class Search {
  best: PricedCart;
  chosen: readonly TriedOffer[] = [];
  tries = 0;
  readonly #cart: Cart;
  /** Offers by stacking group, of each group the one worth most alone first. */
  readonly #groups: readonly (readonly TriedOffer[])[];
  /** The most that the groups from each on can add. */
  readonly #bounds: readonly number[];

  constructor(cart: Cart, offers: readonly TriedOffer[]) {
    this.#cart = cart;
    const solos = offers.map((tried) => ({ tried, worth: applyOffers(cart, [tried]).worthMinor })).filter(({ worth }) => worth > 0)
      .toSorted((a, b) => b.worth - a.worth || (a.tried.offer.id < b.tried.offer.id ? -1 : 1));
    const groups = new Map<string, typeof solos>();
    for (const solo of solos) {
      const { stacking } = solo.tried.offer;
      if (stacking?.alone === true) continue;
      const group = stacking?.group ?? 'default';
      groups.set(group, [...groups.get(group) ?? [], solo]);
    }
    const best = [...groups.values()].map((group) => group[0]!.worth);
    const slack = offers.some(({ covers }) => covers.includes(false)) ? offers.length * cart.lines.length : 0;
    this.#groups = [...groups.values()].map((group) => group.map(({ tried }) => tried));
    this.#bounds = [...best.keys(), best.length].map((from) => slack + best.slice(from).reduce((sum, worth) => sum + worth, 0));
    this.best = applyOffers(cart, []);
    for (const { tried } of solos) if (tried.offer.stacking?.alone === true) this.#consider([tried]);
    this.#extend(0, [], this.best);
  }

  /** Tries every way to go on from the group `at`, given what was picked of those before and its price. */
  #extend(at: number, picked: readonly TriedOffer[], priced: PricedCart): void {
    const group = this.#groups[at];
    if (group === undefined || this.tries >= COMBINATION_LIMITS.triesMax) return;
    const most = priced.worthMinor + this.#bounds[at]!;
    // A pick more and no better is no better.
    if (most < this.best.worthMinor || (most === this.best.worthMinor && picked.length >= this.chosen.length)) return;
    for (const tried of group) {
      const more = [...picked, tried];
      this.#extend(at + 1, more, this.#consider(more));
    }
    this.#extend(at + 1, picked, priced);
  }

  #consider(picked: readonly TriedOffer[]): PricedCart {
    this.tries += 1;
    const priced = applyOffers(this.#cart, picked);
    const gain = priced.worthMinor - this.best.worthMinor;
    if (gain > 0 || (gain === 0 && picked.length < this.chosen.length)) {
      this.best = priced;
      this.chosen = picked;
    }
    return priced;
  }
}
