import type { Cart } from '../../domain/cart.js';
import { reserveOf, type Offer, type OfferKind, type OfferTerms } from '../../domain/offer.js';
import { shareOut } from './share-out.js';

/** An offer as it is tried on a cart. */
export interface TriedOffer {
  readonly offer: Pick<Offer, 'id' | 'terms' | 'stacking'>;
  /** Whether each line of the cart is of what the offer applies to. */
  readonly covers: readonly boolean[];
  /** Units at its price, of a flash sale or group buy: a claim is one unit. Default 1. */
  readonly units?: number;
}

/** What an offer takes off. */
export interface AppliedOffer {
  readonly offerId: string;
  readonly discountMinor: number;
  /** Of the discount, what is taken off each line … */
  readonly lines: readonly number[];
  /** … and off shipping. */
  readonly shippingMinor: number;
  /** The item given on top. */
  readonly giftItemId?: string;
  /** Of a flash sale or group buy the units that are at its price. */
  readonly units?: number;
}

export interface PricedCart {
  readonly subtotalMinor: number;
  readonly shippingMinor: number;
  readonly discountMinor: number;
  readonly totalMinor: number;
  /** What is left of each line's amount. */
  readonly lines: readonly number[];
  readonly applied: readonly AppliedOffer[];
  /** For comparing combinations: the discount and what the gifts cost. */
  readonly worthMinor: number;
}

export type NotApplied = 'nothing_applies' | 'below_spend';

/** What the offers of a cart have left of it so far. */
interface Rest {
  readonly lines: number[];
  /** Units of each line that were sold at an offer's price already. */
  readonly priced: number[];
  shipping: number;
}

/**
 * The order in which offers apply: prices of items first; then percentages of what is left, then amounts off what is
 * left; shipping and gifts last. Within a kind by id. So a combination has one price, whoever lists it.
 */
const ORDER: Readonly<Record<OfferKind, number>> = {
  flash_sale: 0, group_buy: 0, percentage: 1, threshold: 2, fixed: 2, share_reward: 2, free_shipping: 3, gift: 3,
};

/**
 * Prices a cart under offers, all of them applied where they can be. Whole minor units throughout: a percentage is
 * rounded down to a minor unit, and a discount is shared out over its lines by largest remainders.
 * A spend that an offer asks for is measured on the lines that it covers, at the prices of flash sales and group buys
 * but before other discounts, so that coupons do not push each other below their thresholds.
 */
export function applyOffers(cart: Cart, offers: readonly TriedOffer[]): PricedCart {
  const rest = restOf(cart);
  const subtotalMinor = sum(rest.lines);
  const shippingMinor = rest.shipping;
  const applied: AppliedOffer[] = [];
  let worthMinor = 0;
  let spendable: readonly number[] | undefined;
  for (const tried of offers.toSorted(byOrder)) {
    if (!setsPrice(tried)) spendable ??= [...rest.lines];
    const outcome = applyOne(cart, tried, rest, spendable ?? rest.lines);
    if (typeof outcome === 'string') continue;
    applied.push(outcome);
    worthMinor += outcome.discountMinor + (tried.offer.terms.kind === 'gift' ? reserveOf(tried.offer.terms) : 0);
  }
  const discountMinor = sum(applied.map((one) => one.discountMinor));
  return { subtotalMinor, shippingMinor, discountMinor, totalMinor: subtotalMinor + shippingMinor - discountMinor, lines: rest.lines, applied, worthMinor };
}

/** @returns why an offer, alone, gives nothing on this cart, and what is missing of the spend it asks for; undefined: it gives something */
export function whyNot(cart: Cart, tried: TriedOffer): { reason: NotApplied; missingMinor?: number } | undefined {
  const rest = restOf(cart);
  const outcome = applyOne(cart, tried, rest, [...rest.lines]);
  if (outcome === 'below_spend') return { reason: outcome, missingMinor: spendOf(tried.offer.terms) - covered(rest.lines, tried.covers) };
  return typeof outcome === 'string' ? { reason: outcome } : undefined;
}

/** Takes an offer off what is left; where it gives nothing, says why and takes nothing. */
function applyOne(cart: Cart, { offer, covers, units = 1 }: TriedOffer, rest: Rest, spendable: readonly number[]): AppliedOffer | NotApplied {
  const { terms } = offer;
  if (terms.kind === 'flash_sale' || terms.kind === 'group_buy') return applyPrice(cart, offer.id, terms, units, rest);
  const spend = covered(spendable, covers);
  if (spend === 0) return 'nothing_applies';
  if (spend < spendOf(terms)) return 'below_spend';
  if (terms.kind === 'gift') return { offerId: offer.id, discountMinor: 0, lines: cart.lines.map(() => 0), shippingMinor: 0, giftItemId: terms.itemId };
  if (terms.kind === 'free_shipping') {
    const shippingMinor = Math.min(rest.shipping, terms.capMinor);
    rest.shipping -= shippingMinor;
    return shippingMinor === 0 ? 'nothing_applies' : { offerId: offer.id, discountMinor: shippingMinor, lines: cart.lines.map(() => 0), shippingMinor };
  }
  const weights = rest.lines.map((amount, i) => (covers[i] === true ? amount : 0));
  const discountMinor = amountOff(terms, sum(weights));
  return discountMinor === 0 ? 'nothing_applies' : takeOff(offer.id, shareOut(discountMinor, weights), rest);
}

/** Brings units of an item down to a price, the dearest first; never up. */
function applyPrice(cart: Cart, offerId: string, terms: { itemId: string; priceMinor: number }, units: number, rest: Rest): AppliedOffer | NotApplied {
  const off = cart.lines.map(() => 0);
  let left = units;
  const ofItem = cart.lines.map((line, i) => ({ line, i })).filter(({ line }) => line.itemId === terms.itemId)
    .toSorted((a, b) => b.line.unitMinor - a.line.unitMinor || a.i - b.i);
  for (const { line, i } of ofItem) {
    if (line.unitMinor <= terms.priceMinor) break;
    const count = Math.min(left, line.quantity - rest.priced[i]!);
    off[i] = count * (line.unitMinor - terms.priceMinor);
    rest.priced[i]! += count;
    left -= count;
  }
  return sum(off) === 0 ? 'nothing_applies' : { ...takeOff(offerId, off, rest), units: units - left };
}

function takeOff(offerId: string, off: readonly number[], rest: Rest): AppliedOffer {
  off.forEach((amount, i) => { rest.lines[i]! -= amount; });
  return { offerId, discountMinor: sum(off), lines: off, shippingMinor: 0 };
}

/** @param base what is left of the lines it covers; base × 10,000 is exact by the limit of a cart */
function amountOff(terms: Extract<OfferTerms, { kind: 'percentage' | 'threshold' | 'fixed' | 'share_reward' }>, base: number): number {
  if (terms.kind === 'percentage') return Math.min(terms.capMinor, Math.floor((base * terms.basisPoints) / 10_000));
  return Math.min(base, terms.kind === 'share_reward' ? terms.friendMinor : terms.saveMinor);
}

/** @returns what must be spent on what it covers, minor units */
function spendOf(terms: OfferTerms): number {
  return 'spendMinor' in terms ? terms.spendMinor ?? 0 : 0;
}

function restOf({ lines, shippingMinor = 0 }: Cart): Rest {
  return { lines: lines.map((line) => line.unitMinor * line.quantity), priced: lines.map(() => 0), shipping: shippingMinor };
}

const setsPrice = ({ offer }: TriedOffer): boolean => ORDER[offer.terms.kind] === 0;

function byOrder({ offer: a }: TriedOffer, { offer: b }: TriedOffer): number {
  return ORDER[a.terms.kind] - ORDER[b.terms.kind] || (a.id < b.id ? -1 : 1);
}

const covered = (amounts: readonly number[], covers: readonly boolean[]): number => sum(amounts.filter((_, i) => covers[i] === true));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
