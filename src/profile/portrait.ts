import type { Attributes } from '../domain/attributes.js';
import { EVENT_TYPES, EVENT_TYPE_INDEX, type EventType } from '../domain/event.js';
import { rfmScores, type Buyers, type RfmScores } from './buyers.js';
import { birthdayOf, daysUntil } from './birthday.js';
import { PORTRAIT_LIST_MAX, type Activity, type LifecycleStage, type PortraitDocument, type SocialRole, type ValueTier } from './portrait-schema.js';
import { HALF_LIFE_COUNT, HALF_LIVES_MS, PRICE_LEVELS, type Affinities, type Line, type Profile } from './profile.js';
import { affinityDecay } from './vector.js';

/** What the catalog tells of hashed names and of items; a hash that it does not know has none. */
export interface PortraitBook {
  readonly categories: HashedNames;
  readonly brands: HashedNames;
  readonly tags: HashedNames;
  /** @returns the row of the item with this hash48, or −1 */
  rowOfKey(key: number): number;
  item(row: number): PortraitItem | undefined;
}
interface HashedNames { nameOf(hash: number): string | undefined }
export interface PortraitItem { readonly id: string; readonly category: readonly string[]; readonly brand?: string; readonly tags?: readonly string[] }

/** What a shopper has grown to: see the growth ledger. */
export interface Growth { readonly points: number; readonly level: number; readonly badges: readonly string[] }

/** All that a portrait is made of. */
export interface PortraitParts {
  readonly profile: Profile;
  readonly attributes: Attributes | undefined;
  readonly growth: Growth | undefined;
  /** 0 … 1 */
  readonly riskScore: number | undefined;
  /** Ids of the segments and tags that the shopper is in. */
  readonly segments: readonly string[];
  readonly book: PortraitBook;
  readonly buyers: Buyers;
  /** ms */
  readonly now: number;
}

export const DAY_MS = 86_400_000;
/**
 * Where the stages of a lifecycle begin. Silence is the time since the latest event; whoever has ordered often enough is
 * measured by their own gap between orders, within bounds, because a buyer of coffee is lost sooner than one of coats.
 */
export const LIFECYCLE = {
  loyalOrders: 5,
  dormantDays: 30, churnedDays: 90,
  ownGapOrders: 3,
  dormantGaps: 2, dormantDaysMin: 14, dormantDaysMax: 180,
  churnedGaps: 4, churnedDaysMin: 45, churnedDaysMax: 365,
} as const;
/** Active events of about a week: decayed at 7 days. */
const ACTIVITY = { high: 20, medium: 5, low: 0.5 } as const;
const PASSIVE: ReadonlySet<EventType> = new Set(['view_item_list', 'view_promotion']);
/** Sums of the three scores. */
const VALUE = { high: 12, mid: 8 } as const;
/** What is taken for granted of promotions before anything was seen: two chances, a quarter of them taken. */
const PROMOTION_PRIOR = { taken: 0.5, chances: 2 } as const;
/** Social acts, decayed at 90 days, that make a role. */
const ROLE_MIN = 0.5;
const WEEK = 2;
const QUARTER = 3;

/** A shopper's portrait. Each field is worked out when it is first read: an expression pays for what it asks. Pure. */
export class PortraitView implements PortraitDocument {
  readonly parts: PortraitParts;
  #scores: RfmScores | null | undefined;
  #categories: ReadonlyMap<string, number> | undefined;
  #brands: ReadonlyMap<string, number> | undefined;
  #tags: ReadonlyMap<string, number> | undefined;
  #season: ReadonlyMap<string, number> | undefined;
  #recent: ReadonlyMap<string, number> | undefined;
  #attributes: ReadonlyMap<string, string | number | boolean> | undefined;
  #consent: ReadonlyMap<string, boolean> | undefined;

  constructor(parts: PortraitParts) {
    this.parts = parts;
  }

  get lifecycle(): LifecycleStage {
    const { profile, now } = this.parts;
    const silence = (now - profile.updatedAt) / DAY_MS;
    const { dormant, churned } = silenceLimits(profile);
    if (profile.events > 0 && silence > churned) return 'churned';
    if (profile.events > 0 && silence > dormant) return 'dormant';
    if (profile.orders >= LIFECYCLE.loyalOrders) return 'loyal';
    if (profile.orders > 1) return 'active';
    return profile.orders === 1 ? 'new' : 'potential';
  }

  get activity(): Activity {
    let acts = 0;
    for (const type of EVENT_TYPES) if (!PASSIVE.has(type)) acts += this.counted(type, WEEK);
    if (acts >= ACTIVITY.high) return 'high';
    if (acts >= ACTIVITY.medium) return 'medium';
    return acts >= ACTIVITY.low ? 'low' : 'idle';
  }

  get valueTier(): ValueTier {
    const scores = this.scores;
    if (scores === null) return 'none';
    const sum = scores.recency + scores.frequency + scores.money;
    if (sum >= VALUE.high) return 'high';
    return sum >= VALUE.mid ? 'mid' : 'low';
  }

  get recencyScore(): bigint { return BigInt(this.scores?.recency ?? 0); }
  get frequencyScore(): bigint { return BigInt(this.scores?.frequency ?? 0); }
  get moneyScore(): bigint { return BigInt(this.scores?.money ?? 0); }

  get socialRole(): SocialRole {
    const acts = this.socialActs;
    const [role, strength] = (['sharer', 'reviewer', 'follower'] as const).map((name) => [name, acts[name]] as const)
      .reduce((best, next) => (next[1] > best[1] ? next : best));
    return strength < ROLE_MIN ? 'silent' : role;
  }

  get events(): bigint { return BigInt(this.parts.profile.events); }
  get sessions(): bigint { return BigInt(this.parts.profile.sessions); }
  get recent(): ReadonlyMap<string, number> {
    this.#recent ??= new Map(EVENT_TYPES.map((type) => [type, this.counted(type, WEEK)]));
    return this.#recent;
  }

  get daysKnown(): number | undefined { return this.#daysSince(this.parts.profile.firstAt); }
  get daysSinceEvent(): number | undefined { return this.parts.profile.events === 0 ? undefined : this.#daysSince(this.parts.profile.updatedAt); }
  get orders(): bigint { return BigInt(this.parts.profile.orders); }
  get units(): bigint { return BigInt(this.parts.profile.units); }
  get spentMinor(): bigint { return BigInt(this.#netMinor); }
  get refundedMinor(): bigint { return BigInt(this.parts.profile.refundedMinor); }
  get averageOrderMinor(): bigint | undefined {
    const { orders } = this.parts.profile;
    return orders === 0 ? undefined : BigInt(Math.round(this.#netMinor / orders));
  }

  get daysSinceOrder(): number | undefined { return this.#daysSince(this.parts.profile.lastOrderAt); }
  get daysBetweenOrders(): number | undefined { return gapDays(this.parts.profile); }

  get priceLevel(): number | undefined {
    let sum = 0;
    let weighted = 0;
    for (let level = 0; level < PRICE_LEVELS; level++) {
      const weight = Math.max(0, this.parts.profile.prices[level]!);
      sum += weight;
      weighted += weight * (level + 1);
    }
    return sum === 0 ? undefined : weighted / sum;
  }

  /** Chances taken of chances had: promotions chosen of those shown in 90 days (decayed), and orders that followed a choice of all orders. */
  get promotionSensitivity(): number | undefined {
    const { orders, promotedOrders } = this.parts.profile;
    const chosen = this.counted('select_promotion', QUARTER);
    const shown = Math.max(chosen, this.counted('view_promotion', QUARTER));
    if (shown === 0 && promotedOrders === 0) return undefined;
    return (chosen + promotedOrders + PROMOTION_PRIOR.taken) / (shown + orders + PROMOTION_PRIOR.chances);
  }

  get categories(): ReadonlyMap<string, number> {
    this.#categories ??= this.#interests(this.parts.profile.categories, this.parts.book.categories);
    return this.#categories;
  }

  get brands(): ReadonlyMap<string, number> {
    this.#brands ??= this.#interests(this.parts.profile.brands, this.parts.book.brands);
    return this.#brands;
  }

  get tags(): ReadonlyMap<string, number> {
    this.#tags ??= this.#interests(this.parts.profile.tags, this.parts.book.tags);
    return this.#tags;
  }

  get season(): ReadonlyMap<string, number> {
    this.#season ??= seasonOf(this.parts);
    return this.#season;
  }

  get cartItems(): bigint { return BigInt(openLines(this.parts.profile.cart).length); }
  get cartMinor(): bigint { return BigInt(openLines(this.parts.profile.cart).reduce((sum, line) => sum + line.priceMinor * line.quantity, 0)); }
  get wishlistItems(): bigint { return BigInt(openLines(this.parts.profile.wishlist).length); }

  get consent(): ReadonlyMap<string, boolean> {
    this.#consent ??= new Map(Object.entries(this.parts.attributes?.consent ?? {}));
    return this.#consent;
  }

  get attributes(): ReadonlyMap<string, string | number | boolean> {
    this.#attributes ??= flatten(this.parts.attributes);
    return this.#attributes;
  }

  get daysToBirthday(): bigint | undefined {
    const { attributes, now } = this.parts;
    const day = birthdayOf(attributes);
    return day === undefined ? undefined : BigInt(daysUntil(day, now, attributes?.timezone));
  }

  get points(): bigint { return BigInt(this.parts.growth?.points ?? 0); }
  get level(): bigint { return BigInt(this.parts.growth?.level ?? 0); }
  get badges(): readonly string[] { return this.parts.growth?.badges.slice(0, PORTRAIT_LIST_MAX.badges) ?? []; }
  get riskScore(): number { return this.parts.riskScore ?? 0; }
  get segments(): readonly string[] { return this.parts.segments.slice(0, PORTRAIT_LIST_MAX.segments); }

  /** Null without an order, or in a store with too few buyers. */
  get scores(): RfmScores | null {
    if (this.#scores === undefined) this.#scores = rfmScores(this.parts.profile, this.parts.buyers) ?? null;
    return this.#scores;
  }

  /** What makes a role, decayed at 90 days. */
  get socialActs(): Readonly<Record<Exclude<SocialRole, 'silent'>, number>> {
    const acts = (...types: readonly EventType[]): number => types.reduce((sum, type) => sum + this.counted(type, QUARTER), 0);
    return { sharer: acts('share'), reviewer: acts('review', 'comment'), follower: acts('follow', 'like') };
  }

  /** @returns events of a type, decayed by the half-life of this index until now */
  counted(type: EventType, halfLife: number): number {
    const { profile, now } = this.parts;
    const count = profile.counters[EVENT_TYPE_INDEX.get(type)! * HALF_LIFE_COUNT + halfLife]!;
    return count === 0 ? 0 : count * 2 ** (-Math.max(0, now - profile.updatedAt) / HALF_LIVES_MS[halfLife]!);
  }

  get #netMinor(): number {
    return this.parts.profile.spentMinor - this.parts.profile.refundedMinor;
  }

  #daysSince(at: number): number | undefined {
    return at === 0 ? undefined : Math.max(0, this.parts.now - at) / DAY_MS;
  }

  #interests(table: Affinities, names: HashedNames): Map<string, number> {
    const decay = affinityDecay(this.parts.profile, this.parts.now).long;
    const interests = new Map<string, number>();
    table.keys.forEach((key, i) => {
      const weight = table.long[i]! * decay;
      const name = weight > 0 ? names.nameOf(key) : undefined;
      if (name !== undefined) interests.set(name, weight);
    });
    return interests;
  }
}

/** Mean days between orders; undefined with fewer than two. */
function gapDays({ orders, firstOrderAt, lastOrderAt }: Profile): number | undefined {
  return orders < 2 ? undefined : (lastOrderAt - firstOrderAt) / (orders - 1) / DAY_MS;
}

/** @returns days of silence after which the shopper counts as dormant and as churned */
export function silenceLimits(profile: Profile): { dormant: number; churned: number } {
  const gap = profile.orders >= LIFECYCLE.ownGapOrders ? gapDays(profile) : undefined;
  if (gap === undefined) return { dormant: LIFECYCLE.dormantDays, churned: LIFECYCLE.churnedDays };
  const within = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));
  return {
    dormant: within(gap * LIFECYCLE.dormantGaps, LIFECYCLE.dormantDaysMin, LIFECYCLE.dormantDaysMax),
    churned: within(gap * LIFECYCLE.churnedGaps, LIFECYCLE.churnedDaysMin, LIFECYCLE.churnedDaysMax),
  };
}

const openLines = (lines: readonly Line[]): Line[] => lines.filter((line) => line.quantity > 0);
const quarterOf = (ms: number): number => Math.floor(new Date(ms).getUTCMonth() / 3);

function seasonOf({ profile, book, now }: PortraitParts): Map<string, number> {
  const season = new Map<string, number>();
  const quarter = quarterOf(now);
  let sum = 0;
  for (const touch of profile.touches) {
    const row = quarterOf(touch.at) === quarter ? book.rowOfKey(touch.item) : -1;
    const root = row < 0 ? undefined : book.item(row)?.category[0];
    if (root === undefined) continue;
    season.set(root, (season.get(root) ?? 0) + 1);
    sum += 1;
  }
  for (const [root, count] of season) season.set(root, count / sum);
  return season;
}

/** The store's own attributes beside the named ones, which have the last word. */
function flatten(attributes: Attributes | undefined): Map<string, string | number | boolean> {
  if (attributes === undefined) return new Map();
  const { consent: _, custom = {}, birthday, ...named } = attributes;
  const day = birthday === undefined ? {} : { birthday: birthday.slice(-'MM-DD'.length) };
  return new Map(Object.entries({ ...custom, ...named, ...day }));
}
