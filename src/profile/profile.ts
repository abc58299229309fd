import { EVENT_TYPES } from '../domain/event.js';

/**
 * The rolling state of one shopper. Every number is kept at the precision the codec stores (float32 or integer),
 * so that decode(encode(profile)) is the profile and a fold in memory equals a fold through Redis, bit for bit.
 */

/** Half-lives of the event counters, ms: 30 minutes, 1 day, 7 days, 90 days. */
export const HALF_LIVES_MS = [30 * 60_000, 86_400_000, 7 * 86_400_000, 90 * 86_400_000] as const;
export const HALF_LIFE_COUNT = HALF_LIVES_MS.length;
/** Half-lives of the affinities, ms: within the visit, and lasting. */
export const AFFINITY_SHORT_MS = 2 * 3_600_000;
export const AFFINITY_LONG_MS = 30 * 86_400_000;
/** An order this soon after a promotion was chosen is put down to it, ms. */
export const PROMOTION_MS = 7 * 86_400_000;
/** A pause longer than this ends a session. */
export const SESSION_GAP_MS = 30 * 60_000;

/** Bounds of every list in a profile. */
export const PROFILE_LIMITS = {
  touches: 64,
  affinities: 16,
  cart: 32,
  wishlist: 32,
  offers: 8,
  /** Event ids kept always (newest by arrival) … */
  idsMin: 1024,
  /** … and those whose event is not older than this before the shopper's latest event … */
  idsWindowMs: 10 * 60_000,
  /** … up to this many in all. */
  idsMax: 4096,
} as const;

/** Price levels: quintiles of the catalog's prices, cheapest first. */
export const PRICE_LEVELS = 5;

/** What a shopper did with an item, as bits of `Touch.mask`. */
export const TOUCH = {
  viewed: 1, clicked: 2, wished: 4, carted: 8, purchased: 16, refunded: 32,
  liked: 64, shared: 128, reviewed: 256, commented: 512, dismissed: 1024, uncarted: 2048, groupBuy: 4096,
} as const;

/** The latest dealings with one item. */
export interface Touch {
  /** hash48 of the item id. */
  item: number;
  mask: number;
  /** Touches in all, saturating at 255. */
  count: number;
  /** Time of the latest, ms (whole seconds). */
  at: number;
}

/** A line of the cart or wishlist; quantity 0 marks a removal, so that a late add cannot undo it. */
export interface Line {
  item: number;
  quantity: number;
  /** Unit price when put there, minor units; 0 when unknown. */
  priceMinor: number;
  /** ms (whole seconds). */
  at: number;
}

/** What became of an offer shown to the shopper. */
export interface OfferMemory {
  /** hash48 of the offer id. */
  offer: number;
  /** 1 shown, 2 selected, 4 dismissed. */
  state: number;
  at: number;
}

/** A bounded table of decayed affinities: parallel arrays, one row a name. */
export interface Affinities {
  /** hash32 of the name. */
  keys: number[];
  /** Decayed at AFFINITY_SHORT_MS, float32. */
  short: number[];
  /** Decayed at AFFINITY_LONG_MS, float32. */
  long: number[];
}

export interface Profile {
  /** Time of the latest event, ms: the instant every decayed value refers to. 0 for a new profile. */
  updatedAt: number;
  /** Time of the earliest event, ms. */
  firstAt: number;
  /** Events folded in all. */
  events: number;
  /** Decayed event counts, [type × half-life], float32. */
  counters: Float32Array;
  categories: Affinities;
  brands: Affinities;
  tags: Affinities;
  /** Decayed interest per price level, half-life AFFINITY_LONG_MS, float32. */
  prices: Float32Array;
  /** Latest first. */
  touches: Touch[];
  cart: Line[];
  wishlist: Line[];
  /** Purchases no more than a minute apart are one order. */
  orders: number;
  units: number;
  spentMinor: number;
  refundedMinor: number;
  firstOrderAt: number;
  lastOrderAt: number;
  sessions: number;
  sessionStartAt: number;
  sessionEvents: number;
  offers: OfferMemory[];
  /** Time of the latest promotion chosen, ms; orders that followed one within `PROMOTION_MS`. */
  promotionAt: number;
  promotedOrders: number;
  /** Shopper key this anonymous shopper was merged into; all later events and readings go there. */
  movedTo: string | undefined;
  ids: RecentIds;
}

/** Ids of the latest events (hash48) with their times, in order of arrival. */
export interface RecentIds {
  ids: number[];
  /** Event times in whole seconds; exact inside the window, older ones may read as 0. */
  at: number[];
}

export function emptyAffinities(): Affinities {
  return { keys: [], short: [], long: [] };
}

const COUNTERS = EVENT_TYPES.length * HALF_LIFE_COUNT;
/** Profiles whose floats share one buffer: a buffer each costs a microsecond and as much again when it is collected. */
const PROFILES_PER_SLAB = 32;
const SLAB_FLOATS = PROFILES_PER_SLAB * (COUNTERS + PRICE_LEVELS);
let slab = new ArrayBuffer(0);
let slabAt = 0;

/** @returns zeros, never handed out before */
function floats(length: number): Float32Array {
  if (slabAt + length * 4 > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_FLOATS * 4);
    slabAt = 0;
  }
  slabAt += length * 4;
  return new Float32Array(slab, slabAt - length * 4, length);
}

export function emptyProfile(): Profile {
  return { counters: floats(COUNTERS), prices: floats(PRICE_LEVELS), ...nothing() };
}

/** Makes a profile an empty one: for who reads thousands, one after another. @returns it */
export function resetProfile(profile: Profile): Profile {
  profile.counters.fill(0);
  profile.prices.fill(0);
  return Object.assign(profile, nothing());
}

/** An empty profile without its arrays of floats. */
function nothing(): Omit<Profile, 'counters' | 'prices'> {
  return {
    updatedAt: 0, firstAt: 0, events: 0,
    categories: emptyAffinities(), brands: emptyAffinities(), tags: emptyAffinities(),
    touches: [], cart: [], wishlist: [],
    orders: 0, units: 0, spentMinor: 0, refundedMinor: 0, firstOrderAt: 0, lastOrderAt: 0,
    sessions: 0, sessionStartAt: 0, sessionEvents: 0,
    offers: [], promotionAt: 0, promotedOrders: 0, movedTo: undefined, ids: { ids: [], at: [] },
  };
}
