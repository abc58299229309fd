import fc from 'fast-check';
import t from 'tap';
import type { Cart } from '../../../src/domain/cart.js';
import { OFFER_KINDS, type OfferTerms } from '../../../src/domain/offer.js';
import { applyOffers, whyNot, type TriedOffer } from '../../../src/offers/price/apply-offers.js';
import { bestCombination } from '../../../src/offers/price/best-combination.js';
import { shareOut } from '../../../src/offers/price/share-out.js';

/** Carts and offers: small amounts, so that rounding shows, and large ones, so that overflow would. */
const amount = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 1_000_000_000 }));
const positive = amount.map((minor) => minor + 1);
const itemId = fc.constantFrom('a', 'b', 'c');
const cart: fc.Arbitrary<Cart> = fc.record({
  lines: fc.array(fc.record({ itemId, unitMinor: amount, quantity: fc.integer({ min: 1, max: 4 }) }), { minLength: 1, maxLength: 4 }),
  shippingMinor: fc.integer({ min: 0, max: 900 }),
});
const spendMinor = positive;
const terms: fc.Arbitrary<OfferTerms> = fc.oneof(
  fc.record({ kind: fc.constant('threshold' as const), spendMinor, saveMinor: positive }),
  fc.record({ kind: fc.constant('percentage' as const), basisPoints: fc.integer({ min: 1, max: 10_000 }), capMinor: positive }),
  fc.record({ kind: fc.constant('percentage' as const), basisPoints: fc.integer({ min: 1, max: 10_000 }), capMinor: positive, spendMinor }),
  fc.record({ kind: fc.constant('fixed' as const), saveMinor: positive }),
  fc.record({ kind: fc.constant('free_shipping' as const), capMinor: positive, spendMinor }),
  fc.record({ kind: fc.constant('gift' as const), itemId, spendMinor, costMinor: amount }),
  fc.record({ kind: fc.constant('flash_sale' as const), itemId, priceMinor: amount, stock: fc.constant(5), costMinor: amount }),
  fc.record({ kind: fc.constant('group_buy' as const), itemId, priceMinor: amount, size: fc.constant(2), withinS: fc.constant(60), costMinor: amount }),
  fc.record({ kind: fc.constant('share_reward' as const), sharerMinor: amount, friendMinor: amount, refundableS: fc.constant(0) }),
);
const stacking = fc.record({ group: fc.constantFrom('x', 'y', 'z'), alone: fc.boolean() });

interface Case { readonly cart: Cart; readonly tried: readonly TriedOffer[] }
const cases: fc.Arbitrary<Case> = cart.chain((cart) => fc.record({
  cart: fc.constant(cart),
  tried: fc.array(fc.record({
    terms, stacking, units: fc.integer({ min: 1, max: 3 }),
    covers: fc.oneof(fc.constant(cart.lines.map(() => true)), fc.array(fc.boolean(), { minLength: cart.lines.length, maxLength: cart.lines.length })),
  }), { maxLength: 6 }).map((all) => all.map(({ terms, stacking, units, covers }, i): TriedOffer => ({ offer: { id: `o${i}`, terms, stacking }, covers, units }))),
}));

await t.test('a discount is shared out to the last cent, each share the exact one rounded down or up', async (t) => {
  fc.assert(fc.property(fc.array(amount, { minLength: 1, maxLength: 8 }), fc.double({ min: 0, max: 1, noNaN: true }), (weights, part) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const shared = Math.floor(total * part);
    const shares = shareOut(shared, weights);
    if (shares.reduce((sum, share) => sum + share, 0) !== shared) return false;
    return shares.every((share, i) => {
      const exact = BigInt(shared) * BigInt(weights[i]!);
      return total === 0 || (BigInt(share) >= exact / BigInt(total) && BigInt(share) * BigInt(total) < exact + BigInt(total) && share <= weights[i]!);
    });
  }), { numRuns: 500 });
  t.same(shareOut(10, [1, 1, 1]), [4, 3, 3], 'of equal remainders the earlier goes first');
});

await t.test('every kind and combination is priced as by exact arithmetic', async (t) => {
  const seen = new Set<string>();
  fc.assert(fc.property(cases, ({ cart, tried }) => {
    const priced = applyOffers(cart, tried);
    const expected = reference(cart, tried);
    for (const { offerId } of priced.applied) seen.add(tried.find(({ offer }) => offer.id === offerId)!.offer.terms.kind);
    const found = new Map(priced.applied.map((one) => [one.offerId, [...one.lines, one.shippingMinor].map(BigInt)]));
    for (const { offer } of tried) {
      const exact = expected.off.get(offer.id);
      const mine = found.get(offer.id);
      if (JSON.stringify(exact, bigint) !== JSON.stringify(mine, bigint)) return false;
    }
    const parts = [priced.subtotalMinor, priced.discountMinor, priced.totalMinor, ...priced.lines];
    return parts.every((part) => Number.isSafeInteger(part) && part >= 0) && BigInt(priced.totalMinor) === expected.total
      && priced.applied.every((one) => one.discountMinor === one.shippingMinor + one.lines.reduce((sum, off) => sum + off, 0));
  }), { numRuns: 4000 });
  t.same([...seen].toSorted(), [...OFFER_KINDS].toSorted(), 'each kind was applied');
});

await t.test('the order in which offers are listed does not matter', async () => {
  fc.assert(fc.property(cases, fc.infiniteStream(fc.nat()), ({ cart, tried }, order) => {
    const shuffled = tried.map((one) => ({ one, at: order.next().value as number })).toSorted((a, b) => a.at - b.at).map(({ one }) => one);
    return JSON.stringify(applyOffers(cart, tried)) === JSON.stringify(applyOffers(cart, shuffled));
  }), { numRuns: 500 });
});

await t.test('the best combination is the best of all that the stacking rules allow', async () => {
  fc.assert(fc.property(cases, ({ cart, tried }) => {
    const best = bestCombination(cart, tried);
    const allowed = subsets(tried).filter(mayStack).map((offers) => ({ worth: applyOffers(cart, offers).worthMinor, count: offers.length }));
    const most = Math.max(...allowed.map(({ worth }) => worth));
    const fewest = Math.min(...allowed.filter(({ worth }) => worth === most).map(({ count }) => count));
    return best.isProven && best.priced.worthMinor === most && best.chosen.length === fewest
      && mayStack(tried.filter(({ offer }) => best.chosen.includes(offer.id)));
  }), { numRuns: 1500 });
});

await t.test('an offer that gives nothing says why', async (t) => {
  const cart: Cart = { lines: [{ itemId: 'a', unitMinor: 1000, quantity: 2 }], shippingMinor: 0 };
  const tried = (terms: OfferTerms, covers = [true]): TriedOffer => ({ offer: { id: 'o', terms }, covers });
  t.same(whyNot(cart, tried({ kind: 'threshold', spendMinor: 2500, saveMinor: 300 })), { reason: 'below_spend', missingMinor: 500 });
  t.same(whyNot(cart, tried({ kind: 'fixed', saveMinor: 300 }, [false])), { reason: 'nothing_applies' });
  t.same(whyNot(cart, tried({ kind: 'free_shipping', capMinor: 300 })), { reason: 'nothing_applies' });
  t.same(whyNot(cart, tried({ kind: 'threshold', spendMinor: 2000, saveMinor: 300 })), undefined);
});

/** An independent pricing in BigInt and fractions, written from the documentation of `applyOffers`, not from its code. */
function reference(cart: Cart, tried: readonly TriedOffer[]): { off: Map<string, bigint[]>; total: bigint } {
  const off = new Map<string, bigint[]>();
  /** Every unit of the cart with its price and the offer that set it. */
  const units = cart.lines.flatMap((line, i) => Array.from({ length: line.quantity }, () => ({ line: i, itemId: line.itemId, price: BigInt(line.unitMinor), taken: false })));
  const byId = (kinds: readonly string[]): TriedOffer[] => tried.filter(({ offer }) => kinds.includes(offer.terms.kind)).toSorted((a, b) => (a.offer.id < b.offer.id ? -1 : 1));
  const none = (): bigint[] => [...cart.lines.map(() => 0n), 0n];
  for (const { offer, units: count = 1 } of byId(['flash_sale', 'group_buy'])) {
    const { itemId, priceMinor } = offer.terms as Extract<OfferTerms, { kind: 'flash_sale' }>;
    const lowered = units.filter((unit) => !unit.taken && unit.itemId === itemId && unit.price > BigInt(priceMinor))
      .toSorted((a, b) => (a.price === b.price ? a.line - b.line : a.price > b.price ? -1 : 1)).slice(0, count);
    const taken = none();
    for (const unit of lowered) {
      taken[unit.line]! += unit.price - BigInt(priceMinor);
      unit.price = BigInt(priceMinor);
      unit.taken = true;
    }
    if (lowered.length > 0) off.set(offer.id, taken);
  }
  const left = cart.lines.map((_, i) => units.filter((unit) => unit.line === i).reduce((sum, unit) => sum + unit.price, 0n));
  const spent = [...left];
  let shipping = BigInt(cart.shippingMinor ?? 0);
  for (const { offer, covers } of [...byId(['percentage']), ...byId(['threshold', 'fixed', 'share_reward']), ...byId(['free_shipping', 'gift'])]) {
    const { terms } = offer;
    const over = (amounts: readonly bigint[]): bigint => amounts.reduce((sum, one, i) => (covers[i] === true ? sum + one : sum), 0n);
    const asked = 'spendMinor' in terms ? BigInt(terms.spendMinor ?? 0) : 0n;
    if (over(spent) === 0n || over(spent) < asked) continue;
    const base = over(left);
    const taken = none();
    if (terms.kind === 'gift') {
      off.set(offer.id, taken);
      continue;
    }
    if (terms.kind === 'free_shipping') {
      const free = least(shipping, BigInt(terms.capMinor));
      shipping -= free;
      taken[cart.lines.length] = free;
      if (free > 0n) off.set(offer.id, taken);
      continue;
    }
    const wished = terms.kind === 'percentage' ? least(BigInt(terms.capMinor), (base * BigInt(terms.basisPoints)) / 10_000n)
      : terms.kind === 'share_reward' ? BigInt(terms.friendMinor) : BigInt((terms as { saveMinor: number }).saveMinor);
    const discount = least(base, wished);
    if (discount === 0n) continue;
    // Hamilton's method: whole parts first, then one each by remainder, ties to the earlier line.
    const quotas = left.map((one, i) => (covers[i] === true ? { i, whole: (discount * one) / base, rest: (discount * one) % base } : { i, whole: 0n, rest: -1n }));
    let missing = discount - quotas.reduce((sum, quota) => sum + quota.whole, 0n);
    for (const quota of quotas.toSorted((a, b) => (a.rest === b.rest ? a.i - b.i : a.rest > b.rest ? -1 : 1))) {
      const more = missing > 0n && quota.rest >= 0n ? 1n : 0n;
      missing -= more;
      taken[quota.i] = quota.whole + more;
      left[quota.i]! -= quota.whole + more;
    }
    off.set(offer.id, taken);
  }
  return { off, total: left.reduce((sum, one) => sum + one, 0n) + shipping };
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function bigint(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function subsets(offers: readonly TriedOffer[]): TriedOffer[][] {
  return Array.from({ length: 2 ** offers.length }, (_, bits) => offers.filter((__, i) => (bits & (1 << i)) !== 0));
}

function mayStack(offers: readonly TriedOffer[]): boolean {
  if (offers.some(({ offer }) => offer.stacking?.alone === true)) return offers.length === 1;
  return new Set(offers.map(({ offer }) => offer.stacking?.group)).size === offers.length;
}
