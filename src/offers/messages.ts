import { createHash } from 'node:crypto';
import type { OfferMessage } from '../domain/offer-message.js';
import { toMajor } from '../domain/money.js';

const OFFER_LIMITS = {
  titleCharsMax: 80,
  idBytes: 12,
  /** Percent off the cart. */
  cartPercent: 10,
  /** Time that an offer stands, ms. */
  cartMs: 86_400_000,
  priceDropMs: 3 * 86_400_000,
} as const;

/** The item an offer is about, as far as its words need it. */
export interface OfferedItem {
  readonly id: string;
  readonly title: string;
  readonly currency?: string | undefined;
}

/**
 * A coupon for a cart that was left behind.
 * @param cause.changedAt when the cart changed last, ms: one pause, one offer
 */
export function cartOffer(shopper: string, cause: { changedAt: number; item: OfferedItem | undefined }, now: number): OfferMessage {
  const { item } = cause;
  const percent = OFFER_LIMITS.cartPercent;
  return {
    id: offerId('cart', shopper, String(cause.changedAt)),
    kind: 'coupon', cause: 'cart_abandoned',
    title: item === undefined ? `Your cart is waiting: ${percent} % off today` : `Still thinking about ${short(item.title)}? ${percent} % off your cart today`,
    ...(item === undefined ? {} : { itemId: item.id }),
    discount: { type: 'percent', value: percent },
    createdAt: new Date(now).toISOString(), expiresAt: new Date(now + OFFER_LIMITS.cartMs).toISOString(),
  };
}

/** Tells of a lower price of something in the cart or on the wishlist. Prices in minor units. */
export function priceDropOffer(shopper: string, item: OfferedItem, price: { wasMinor: number; nowMinor: number }, now: number): OfferMessage {
  const { currency } = item;
  const amount = (minor: number): number => toMajor(minor, currency);
  return {
    id: offerId('price', shopper, item.id, String(price.nowMinor)),
    kind: 'price_drop', cause: 'price_drop',
    title: `${short(item.title)} now costs ${words(amount(price.nowMinor), currency)} instead of ${words(amount(price.wasMinor), currency)}`,
    itemId: item.id,
    discount: { type: 'amount', value: amount(price.wasMinor - price.nowMinor) },
    price: { was: amount(price.wasMinor), now: amount(price.nowMinor) },
    ...(currency === undefined ? {} : { currency }),
    createdAt: new Date(now).toISOString(), expiresAt: new Date(now + OFFER_LIMITS.priceDropMs).toISOString(),
  };
}

/** The same for the same cause, and tells nothing of it. */
function offerId(kind: string, ...cause: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify([kind, ...cause])).digest();
  return `${kind}-${digest.subarray(0, OFFER_LIMITS.idBytes).toString('base64url')}`;
}

function words(amount: number, currency: string | undefined): string {
  if (currency === undefined) return amount.toFixed(2);
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount);
}

function short(title: string): string {
  const { titleCharsMax } = OFFER_LIMITS;
  return title.length <= titleCharsMax ? title : `${title.slice(0, titleCharsMax - 1).toWellFormed().trimEnd()}…`;
}
