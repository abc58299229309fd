import { decayTo } from './fold.js';
import { PROFILE_LIMITS, type Affinities, type Line, type Profile } from './profile.js';

/**
 * Merges an anonymous shopper's profile into a user's, in place: as if the user had done all of it. Decayed values
 * and sums add exactly (they are linear); lists keep the latest within their bounds; sessions add.
 */
export function mergeProfile(into: Profile, from: Profile): void {
  const now = Math.max(into.updatedAt, from.updatedAt);
  decayTo(into, now);
  decayTo(from, now);
  into.firstAt = earliest(into.firstAt, from.firstAt);
  into.events += from.events;
  into.counters.forEach((_, i) => { into.counters[i]! += from.counters[i]!; });
  into.prices.forEach((_, i) => { into.prices[i]! += from.prices[i]!; });
  for (const table of ['categories', 'brands', 'tags'] as const) mergeAffinities(into[table], from[table]);
  mergeTouches(into, from);
  into.cart = mergeLines(into.cart, from.cart, PROFILE_LIMITS.cart);
  into.wishlist = mergeLines(into.wishlist, from.wishlist, PROFILE_LIMITS.wishlist);
  into.orders += from.orders;
  into.units += from.units;
  into.spentMinor = Math.min(Number.MAX_SAFE_INTEGER, into.spentMinor + from.spentMinor);
  into.refundedMinor = Math.min(Number.MAX_SAFE_INTEGER, into.refundedMinor + from.refundedMinor);
  into.firstOrderAt = earliest(into.firstOrderAt, from.firstOrderAt);
  into.lastOrderAt = Math.max(into.lastOrderAt, from.lastOrderAt);
  into.promotionAt = Math.max(into.promotionAt, from.promotionAt);
  into.promotedOrders += from.promotedOrders;
  into.sessions += from.sessions;
  if (from.sessionStartAt > into.sessionStartAt) {
    into.sessionStartAt = from.sessionStartAt;
    into.sessionEvents = from.sessionEvents;
  }
  const known = new Set(into.offers.map((entry) => entry.offer));
  into.offers = [...into.offers, ...from.offers.filter((entry) => !known.has(entry.offer))]
    .sort((a, b) => b.at - a.at || b.offer - a.offer).slice(0, PROFILE_LIMITS.offers);
  into.ids.ids = [...from.ids.ids, ...into.ids.ids].slice(-PROFILE_LIMITS.idsMax);
  into.ids.at = [...from.ids.at, ...into.ids.at].slice(-PROFILE_LIMITS.idsMax);
}

const earliest = (a: number, b: number): number => (a === 0 ? b : b === 0 ? a : Math.min(a, b));

function mergeAffinities(into: Affinities, from: Affinities): void {
  const rows = from.keys.map((key, i) => ({ key, short: from.short[i]!, long: from.long[i]! }));
  into.keys.forEach((key, i) => {
    const twin = rows.find((row) => row.key === key);
    if (twin === undefined) rows.push({ key, short: into.short[i]!, long: into.long[i]! });
    else {
      twin.short = Math.fround(twin.short + into.short[i]!);
      twin.long = Math.fround(twin.long + into.long[i]!);
    }
  });
  rows.sort((a, b) => Math.abs(b.long) + Math.abs(b.short) - Math.abs(a.long) - Math.abs(a.short) || a.key - b.key);
  rows.splice(PROFILE_LIMITS.affinities);
  into.keys = rows.map((row) => row.key);
  into.short = rows.map((row) => row.short);
  into.long = rows.map((row) => row.long);
}

function mergeTouches(into: Profile, from: Profile): void {
  for (const touch of from.touches) {
    const twin = into.touches.find((entry) => entry.item === touch.item);
    if (twin === undefined) into.touches.push({ ...touch });
    else {
      twin.mask |= touch.mask;
      twin.count = Math.min(255, twin.count + touch.count);
      twin.at = Math.max(twin.at, touch.at);
    }
  }
  into.touches.sort((a, b) => b.at - a.at || b.item - a.item).splice(PROFILE_LIMITS.touches);
}

function mergeLines(into: readonly Line[], from: readonly Line[], limit: number): Line[] {
  const lines = new Map<number, Line>();
  for (const line of [...into, ...from]) {
    const twin = lines.get(line.item);
    if (twin === undefined) lines.set(line.item, { ...line });
    // The later word counts: a removal after the add closes the line, an add after a removal opens it.
    else if (twin.quantity === 0 || line.quantity === 0) lines.set(line.item, line.at > twin.at ? { ...line } : twin);
    else lines.set(line.item, { ...(line.at > twin.at ? line : twin), quantity: Math.min(0xffff, twin.quantity + line.quantity) });
  }
  return [...lines.values()].sort((a, b) => b.at - a.at || b.item - a.item).slice(0, limit);
}
