import { EVENT_TYPES } from '../domain/event.js';
import { toMajor } from '../domain/money.js';
import { HALF_LIFE_COUNT, TOUCH, type Line, type Profile } from './profile.js';

/** Finds an item's id by its hash48; an item the catalog does not know (any more) shows as its hash. */
export interface ItemBook {
  rowOfKey(key: number): number;
  item(row: number): { readonly id: string } | undefined;
}

/** A profile as JSON: the whole state but the ring of event ids. Times are ISO 8601, amounts decimals of the store's currency. */
export function describeProfile(profile: Profile, items: ItemBook, currency: string | undefined): Record<string, unknown> {
  const idOf = (key: number): string => {
    const row = items.rowOfKey(key);
    return (row < 0 ? undefined : items.item(row)?.id) ?? `#${key.toString(16)}`;
  };
  const lines = (from: readonly Line[]): unknown[] => from.filter((line) => line.quantity > 0)
    .map((line) => ({ itemId: idOf(line.item), quantity: line.quantity, price: toMajor(line.priceMinor, currency), at: time(line.at) }));
  return {
    events: profile.events, firstAt: time(profile.firstAt), updatedAt: time(profile.updatedAt),
    counters: counters(profile),
    touches: profile.touches.map((touch) => ({ itemId: idOf(touch.item), did: did(touch.mask), count: touch.count, at: time(touch.at) })),
    cart: lines(profile.cart), wishlist: lines(profile.wishlist),
    orders: profile.orders, units: profile.units, spent: toMajor(profile.spentMinor, currency), refunded: toMajor(profile.refundedMinor, currency),
    ...(currency === undefined ? {} : { currency }),
    firstOrderAt: time(profile.firstOrderAt), lastOrderAt: time(profile.lastOrderAt),
    session: { count: profile.sessions, startedAt: time(profile.sessionStartAt), events: profile.sessionEvents },
    priceLevels: Array.from(profile.prices, rounded),
    offers: profile.offers.length, promotionAt: time(profile.promotionAt), promotedOrders: profile.promotedOrders,
  };
}

/** Decayed counts at 30 minutes, 1, 7 and 90 days of each type that happened, as of the latest event. */
function counters(profile: Profile): Record<string, number[]> {
  const entries = EVENT_TYPES.map((type, i) => [type, Array.from(profile.counters.subarray(i * HALF_LIFE_COUNT, (i + 1) * HALF_LIFE_COUNT), rounded)] as const);
  return Object.fromEntries(entries.filter(([, values]) => values.some((value) => value !== 0)));
}

const did = (mask: number): string[] => Object.entries(TOUCH).filter(([, bit]) => (mask & bit) !== 0).map(([name]) => name);
const time = (ms: number): string | null => (ms === 0 ? null : new Date(ms).toISOString());
const rounded = (value: number): number => Math.round(value * 1000) / 1000;
