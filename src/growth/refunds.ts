import type { GrowthState, Pot, Purchase } from './state.js';

/** Purchases and refunds kept of a shopper together; the items longest untouched are then settled for good. */
const RECORDS_MAX = 300;

/**
 * Puts the refunds of an item down to its purchases: each, in order of time, to the latest purchases before it that are not yet
 * refunded. It follows from all of them together, whichever came first, so that no amount is ever taken back twice.
 * What a purchase put into the pots stays in proportion, rounded up: of one that was refunded in whole nothing.
 * @returns names of the pots that changed
 */
export function allotRefunds(state: GrowthState, item: string): string[] {
  const purchases = state.purchases.filter((purchase) => purchase.item === item).sort((a, b) => later(b, a));
  const back = purchases.map(() => 0);
  for (const refund of state.refunds.filter((one) => one.item === item).sort(later)) {
    let left = refund.value ?? 1;
    purchases.forEach(({ at, value }, i) => {
      const open = value - back[i]!;
      if (left === 0 || open === 0 || at > refund.at) return;
      const taken = refund.value === undefined ? open : Math.min(left, open);
      back[i]! += taken;
      left = refund.value === undefined ? 0 : left - taken;
    });
  }
  return purchases.flatMap((purchase, i) => takeBack(state.pots, purchase, back[i]!));
}

function takeBack(pots: Record<string, Pot>, purchase: Purchase, back: number): string[] {
  if (back === purchase.back) return [];
  for (const [name, n] of purchase.shares) {
    const pot = pots[name];
    if (pot !== undefined) pot.n += kept(n, purchase.value, back) - kept(n, purchase.value, purchase.back);
  }
  purchase.back = back;
  return purchase.shares.map(([name]) => name);
}

/** n × (value − back) / value, rounded up; exact, since the product may be beyond what a double holds. */
const kept = (n: number, value: number, back: number): number =>
  Number((BigInt(n) * BigInt(value - back) + BigInt(value - 1)) / BigInt(value));

const later = (a: { at: number; id: string }, b: { at: number; id: string }): number => a.at - b.at || (a.id < b.id ? -1 : 1);

/** Forgets what can be forgotten: an item's purchases only together with its refunds, which would else be put down to others. */
export function settleOldest(state: GrowthState): void {
  if (state.purchases.length + state.refunds.length <= RECORDS_MAX) return;
  const touched = new Map<string, number>();
  for (const { item, at } of [...state.purchases, ...state.refunds]) touched.set(item, Math.max(touched.get(item) ?? 0, at));
  const [oldest] = [...touched].reduce((a, b) => (b[1] < a[1] ? b : a));
  state.purchases = state.purchases.filter(({ item }) => item !== oldest);
  state.refunds = state.refunds.filter(({ item }) => item !== oldest);
}
