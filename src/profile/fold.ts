import { EVENT_TYPE_INDEX, type EventType, type ShopperEvent } from '../domain/event.js';
import { hash48 } from '../util/hash.js';
import {
  AFFINITY_LONG_MS, AFFINITY_SHORT_MS, HALF_LIFE_COUNT, HALF_LIVES_MS, PROFILE_LIMITS, PROMOTION_MS, SESSION_GAP_MS, TOUCH,
  type Affinities, type Line, type Profile,
} from './profile.js';

/** What the fold needs to know of the event's item: hashed names and the price level; absent for an unknown item. */
export interface ItemFacts {
  /** hash32 of each category path from the root down. */
  readonly categories: readonly number[];
  readonly brand: number | undefined;
  readonly tags: readonly number[];
  /** 0 (cheapest fifth) … 4; undefined when the item has no price. */
  readonly priceLevel: number | undefined;
  readonly priceMinor: number | undefined;
}

interface Effect {
  /** How much the event says of the shopper's taste. */
  readonly weight: number;
  readonly touch: number;
}

/** What each event type says of taste, and which touch it leaves. A purchase outweighs a view about six to one. */
const EFFECTS: Readonly<Record<EventType, Effect>> = {
  view_item: { weight: 1, touch: TOUCH.viewed },
  view_item_list: { weight: 0, touch: 0 },
  select_item: { weight: 1, touch: TOUCH.clicked },
  search: { weight: 0, touch: 0 },
  add_to_wishlist: { weight: 3, touch: TOUCH.wished },
  add_to_cart: { weight: 4, touch: TOUCH.carted },
  remove_from_cart: { weight: -2, touch: TOUCH.uncarted },
  begin_checkout: { weight: 2, touch: 0 },
  purchase: { weight: 6, touch: TOUCH.purchased },
  refund: { weight: -6, touch: TOUCH.refunded },
  share: { weight: 3, touch: TOUCH.shared },
  view_promotion: { weight: 0, touch: 0 },
  select_promotion: { weight: 0, touch: 0 },
  like: { weight: 2, touch: TOUCH.liked },
  comment: { weight: 2, touch: TOUCH.commented },
  review: { weight: 2, touch: TOUCH.reviewed },
  follow: { weight: 0, touch: 0 },
  // Of the room as an item: its host and category. Coming counts, staying does not: nobody tells how long a page was looked at.
  join_live: { weight: 1, touch: 0 },
  leave_live: { weight: 0, touch: 0 },
  send_gift: { weight: 2, touch: 0 },
  open_group_buy: { weight: 4, touch: TOUCH.groupBuy },
  join_group_buy: { weight: 4, touch: TOUCH.groupBuy },
  dismiss: { weight: -4, touch: TOUCH.dismissed },
};

/** Purchases no further apart than this belong to one order, ms. */
const ORDER_GAP_MS = 60_000;
/** A line's quantity saturates here: two bytes in the codec. */
const QUANTITY_MAX = 0xffff;
const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000;
const decayOf = (elapsedMs: number, halfLifeMs: number): number => 2 ** (-elapsedMs / halfLifeMs);

/**
 * Folds one event into the profile, in place, and returns whether it counted (false: its id was seen before).
 * Pure in the sense that matters: no I/O, no clock, no randomness; the same events give the same profile everywhere.
 *
 * Order: decayed values, sums, touches and cart removals do not depend on the order of arrival (up to float32
 * rounding). Exceptions: lists that are full forget by what they knew then; a late event cannot reopen or split
 * a session or an order, nor put an order down to a promotion; a removal older than the cart's line is ignored; an event id is remembered for the newest
 * 1,024 arrivals and for 10 minutes of event time (4,096 at most).
 */
export function fold(profile: Profile, event: ShopperEvent, item: ItemFacts | undefined): boolean {
  const id = hash48(event.id);
  if (profile.ids.ids.includes(id)) return false;
  const { at } = event;
  // A late event adds what is left of it by now; a newer one first lets everything else decay to its time.
  if (at > profile.updatedAt) advance(profile, at);
  const age = profile.updatedAt - at;
  remember(profile, id, at);
  profile.events += 1;
  if (profile.firstAt === 0 || at < profile.firstAt) profile.firstAt = at;
  count(profile, event.type, age);
  const effect = EFFECTS[event.type];
  if (event.itemId !== undefined) {
    const key = hash48(event.itemId);
    if (effect.touch !== 0) touch(profile, key, effect.touch, wholeSeconds(at));
    foldLists(profile, event, key, item);
  }
  if (item !== undefined && effect.weight !== 0) foldTaste(profile, item, effect.weight, age);
  if (event.type === 'purchase') foldPurchase(profile, event);
  else if (event.type === 'refund') profile.refundedMinor = addMoney(profile.refundedMinor, event);
  if (event.type === 'select_promotion') profile.promotionAt = Math.max(profile.promotionAt, at);
  foldOffer(profile, event);
  return true;
}

/** Lets every decayed value decay to `at`, and opens a session after a pause. */
function advance(profile: Profile, at: number): void {
  const elapsed = at - profile.updatedAt;
  if (profile.updatedAt === 0 || elapsed > SESSION_GAP_MS) {
    profile.sessions += 1;
    profile.sessionStartAt = at;
    profile.sessionEvents = 0;
  }
  decayTo(profile, at);
}

/** Brings every decayed value from the profile's instant to `at`, which is not before it. */
export function decayTo(profile: Profile, at: number): void {
  const elapsed = at - profile.updatedAt;
  profile.updatedAt = at;
  const { counters } = profile;
  for (let h = 0; h < HALF_LIFE_COUNT; h++) {
    const factor = decayOf(elapsed, HALF_LIVES_MS[h]!);
    for (let i = h; i < counters.length; i += HALF_LIFE_COUNT) {
      if (counters[i] !== 0) counters[i]! *= factor;
    }
  }
  const short = decayOf(elapsed, AFFINITY_SHORT_MS);
  const long = decayOf(elapsed, AFFINITY_LONG_MS);
  for (const table of [profile.categories, profile.brands, profile.tags]) {
    for (let i = 0; i < table.keys.length; i++) {
      table.short[i] = Math.fround(table.short[i]! * short);
      table.long[i] = Math.fround(table.long[i]! * long);
    }
  }
  for (let i = 0; i < profile.prices.length; i++) profile.prices[i]! *= long;
}

function count(profile: Profile, type: EventType, age: number): void {
  const base = EVENT_TYPE_INDEX.get(type)! * HALF_LIFE_COUNT;
  for (let h = 0; h < HALF_LIFE_COUNT; h++) profile.counters[base + h]! += decayOf(age, HALF_LIVES_MS[h]!);
  if (profile.updatedAt - age >= profile.sessionStartAt) profile.sessionEvents += 1;
}

function remember(profile: Profile, id: number, at: number): void {
  const { ids, at: times } = profile.ids;
  ids.push(id);
  times.push(Math.floor(at / 1000));
  if (ids.length <= PROFILE_LIMITS.idsMin) return;
  const oldest = (profile.updatedAt - PROFILE_LIMITS.idsWindowMs) / 1000;
  let drop = Math.max(0, ids.length - PROFILE_LIMITS.idsMax);
  while (drop < ids.length - PROFILE_LIMITS.idsMin && times[drop]! < oldest) drop += 1;
  if (drop > 0) {
    ids.splice(0, drop);
    times.splice(0, drop);
  }
}

function touch(profile: Profile, item: number, bit: number, at: number): void {
  const { touches } = profile;
  let index = touches.findIndex((entry) => entry.item === item);
  const entry = index < 0 ? { item, mask: 0, count: 0, at: 0 } : touches[index]!;
  if (index < 0) index = touches.push(entry) - 1;
  entry.mask |= bit;
  entry.count = Math.min(255, entry.count + 1);
  entry.at = Math.max(entry.at, at);
  // Sorted by time, latest first; equal times by item, so that arrival order does not show.
  while (index > 0 && isLater(entry, touches[index - 1]!)) {
    touches[index] = touches[index - 1]!;
    touches[--index] = entry;
  }
  if (touches.length > PROFILE_LIMITS.touches) touches.pop();
}

const isLater = (a: { at: number; item: number }, b: { at: number; item: number }): boolean =>
  a.at > b.at || (a.at === b.at && a.item > b.item);

function foldLists(profile: Profile, event: ShopperEvent, item: number, facts: ItemFacts | undefined): void {
  const at = wholeSeconds(event.at);
  const quantity = Math.min(event.quantity ?? 1, QUANTITY_MAX);
  const unitMinor = facts?.priceMinor ?? (event.valueMinor === undefined || quantity === 0 ? 0 : Math.round(event.valueMinor / quantity));
  switch (event.type) {
    case 'add_to_cart': addLine(profile.cart, { item, quantity, priceMinor: unitMinor, at }, PROFILE_LIMITS.cart); break;
    case 'add_to_wishlist': addLine(profile.wishlist, { item, quantity: 1, priceMinor: unitMinor, at }, PROFILE_LIMITS.wishlist); break;
    case 'remove_from_cart': removeLine(profile.cart, item, at, PROFILE_LIMITS.cart); break;
    case 'purchase':
      // Only what is there is closed: a purchase that never passed through the cart leaves no mark in it.
      closeLine(profile.cart, item, at);
      closeLine(profile.wishlist, item, at);
      break;
    case 'dismiss': closeLine(profile.wishlist, item, at); break;
    default: break;
  }
}

function addLine(lines: Line[], added: Line, limit: number): void {
  const line = lines.find((entry) => entry.item === added.item);
  if (line === undefined) {
    lines.push(added);
    lines.sort((a, b) => (isLater(a, b) ? -1 : 1));
    if (lines.length > limit) lines.pop();
    return;
  }
  if (line.quantity === 0 && line.at >= added.at) return; // removed later than this late add
  line.quantity = Math.min(line.quantity + added.quantity, QUANTITY_MAX);
  if (added.at >= line.at) line.priceMinor = added.priceMinor;
  line.at = Math.max(line.at, added.at);
}

function removeLine(lines: Line[], item: number, at: number, limit: number): void {
  if (lines.some((entry) => entry.item === item)) closeLine(lines, item, at);
  else addLine(lines, { item, quantity: 0, priceMinor: 0, at }, limit);
}

function closeLine(lines: Line[], item: number, at: number): void {
  const line = lines.find((entry) => entry.item === item);
  if (line === undefined || line.at > at) return;
  line.quantity = 0;
  line.at = at;
}

function foldTaste(profile: Profile, item: ItemFacts, weight: number, age: number): void {
  const short = weight * decayOf(age, AFFINITY_SHORT_MS);
  const long = weight * decayOf(age, AFFINITY_LONG_MS);
  for (const category of item.categories) addAffinity(profile.categories, category, short, long);
  if (item.brand !== undefined) addAffinity(profile.brands, item.brand, short, long);
  for (const tag of item.tags) addAffinity(profile.tags, tag, short, long);
  if (item.priceLevel !== undefined) profile.prices[item.priceLevel]! += long;
}

function addAffinity(table: Affinities, key: number, short: number, long: number): void {
  let index = table.keys.indexOf(key);
  if (index < 0) {
    index = table.keys.length;
    if (index === PROFILE_LIMITS.affinities) index = weakest(table);
    table.keys[index] = key;
    table.short[index] = 0;
    table.long[index] = 0;
  }
  table.short[index] = Math.fround(table.short[index]! + short);
  table.long[index] = Math.fround(table.long[index]! + long);
}

function weakest(table: Affinities): number {
  let index = 0;
  let least = Infinity;
  for (let i = 0; i < table.keys.length; i++) {
    const strength = Math.abs(table.long[i]!) + Math.abs(table.short[i]!);
    if (strength < least) {
      least = strength;
      index = i;
    }
  }
  return index;
}

function foldPurchase(profile: Profile, event: ShopperEvent): void {
  const { at } = event;
  if (profile.orders === 0 || at > profile.lastOrderAt + ORDER_GAP_MS || at < profile.firstOrderAt - ORDER_GAP_MS) {
    profile.orders += 1;
    if (profile.promotionAt !== 0 && at >= profile.promotionAt && at - profile.promotionAt <= PROMOTION_MS) profile.promotedOrders += 1;
  }
  profile.firstOrderAt = profile.firstOrderAt === 0 ? at : Math.min(profile.firstOrderAt, at);
  profile.lastOrderAt = Math.max(profile.lastOrderAt, at);
  profile.units += event.quantity ?? 1;
  profile.spentMinor = addMoney(profile.spentMinor, event);
}

/** Sums stay exact integers: they saturate where doubles would start to round. */
const addMoney = (sumMinor: number, event: ShopperEvent): number => Math.min(Number.MAX_SAFE_INTEGER, sumMinor + (event.valueMinor ?? 0));

/** Offers are known by `context.offerId` of promotion events and dismissals. */
function foldOffer(profile: Profile, event: ShopperEvent): void {
  const offerId = event.context?.['offerId'];
  if (typeof offerId !== 'string') return;
  const state = event.type === 'view_promotion' ? 1 : event.type === 'select_promotion' ? 2 : event.type === 'dismiss' ? 4 : 0;
  if (state === 0) return;
  const offer = hash48(offerId);
  const at = wholeSeconds(event.at);
  const known = profile.offers.find((entry) => entry.offer === offer);
  if (known === undefined) profile.offers.push({ offer, state, at });
  else {
    known.state |= state;
    known.at = Math.max(known.at, at);
  }
  profile.offers.sort((a, b) => b.at - a.at || b.offer - a.offer);
  if (profile.offers.length > PROFILE_LIMITS.offers) profile.offers.pop();
}
