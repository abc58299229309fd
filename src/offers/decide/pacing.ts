import type { Offer } from '../../domain/offer.js';
import type { OfferUsage } from '../live-offer.js';

/**
 * Pacing: what a unit of an offer's budget is worth to keep. An offer is worth showing when its expected profit exceeds its expected
 * cost times this price, so a scarce budget goes to those on whom it earns most, over the whole window.
 *
 * The price is the dual variable of the budget constraint, learned by dual mirror descent with the entropy as its distance (S. Balseiro,
 * H. Lu, V. Mirrokni, "Dual Mirror Descent for Online Allocation Problems", ICML 2020): after each step of the plan
 * price ← price · exp(gain · (spent in the step − planned for it)). The steps multiply, so the price depends on the sums alone:
 *
 *   price = priceOnPlan · exp(gain · (spent share − planned share)),  the shares of the budget, the plan even over the window
 *
 * and there is no state to keep: all processes agree as far as they know of the same claims, a restart forgets nothing, a replay is exact.
 */
export const PACING = {
  /** Price while spending is on plan. Small: a budget that nobody would use up should cost nothing. */
  priceOnPlan: 0.1,
  /** Per share of the budget: 1 % above the plan makes the price 7 times as high, 1 % below a seventh. */
  gain: 200,
  /** Beyond it nothing is shown anyway. */
  priceMax: 1e6,
} as const;

/** @returns the share of its budget, money, count or stock, that an offer has handed out: the greatest of them */
export function spentShare({ budget, terms }: Pick<Offer, 'budget' | 'terms'>, { count, moneyMinor }: OfferUsage): number {
  const countMax = terms.kind === 'flash_sale' ? Math.min(terms.stock, budget.count) : budget.count;
  return Math.max(count / countMax, budget.moneyMinor > 0 ? moneyMinor / budget.moneyMinor : 0);
}

/** @returns the share of its budget that an offer should have handed out by `now` (ms), 0 to 1 */
export function plannedShare({ window }: Pick<Offer, 'window'>, now: number): number {
  return Math.min(1, Math.max(0, (now - window.startsAt) / Math.max(1, window.endsAt - window.startsAt)));
}

/** @returns the price of a unit of cost beside the unit itself, from 0 on */
export function pacingPrice(offer: Pick<Offer, 'budget' | 'terms' | 'window'>, usage: OfferUsage, now: number): number {
  const ahead = spentShare(offer, usage) - plannedShare(offer, now);
  return Math.min(PACING.priceMax, PACING.priceOnPlan * Math.exp(PACING.gain * ahead));
}
