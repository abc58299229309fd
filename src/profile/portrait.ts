import { EVENT_TYPE_INDEX, type EventType } from '../domain/event.js';
import { toMajor } from '../domain/money.js';
import { HALF_LIFE_COUNT, PRICE_LEVELS, type Affinities, type Profile } from './profile.js';
import { affinityDecay } from './vector.js';

/** Names of hashed categories, brands and tags; an unknown hash has none. */
export interface NameBook {
  category(hash: number): string | undefined;
  brand(hash: number): string | undefined;
  tag(hash: number): string | undefined;
}

export interface Interest { readonly name: string; readonly weight: number; readonly now: number }

/** The profile as a person reads it. */
export interface Portrait {
  readonly lifecycle: 'potential' | 'new' | 'active' | 'loyal' | 'dormant' | 'churned';
  readonly orders: number;
  readonly spent: number;
  readonly daysSinceOrder: number | null;
  readonly daysSinceEvent: number;
  readonly categories: readonly Interest[];
  readonly brands: readonly Interest[];
  readonly tags: readonly Interest[];
  /** 1 (cheapest fifth of the catalog) … 5, the shopper's centre of interest. */
  readonly priceLevel: number | null;
  readonly social: 'sharer' | 'reviewer' | 'follower' | 'silent';
  readonly sessions: number;
  readonly cart: number;
  readonly wishlist: number;
}

const DAY_MS = 86_400_000;
/** Documented defaults; a later version takes each shopper's own purchase interval. */
const LIFECYCLE = { activeDays: 30, dormantDays: 90, loyalOrders: 5 } as const;

/** @param now ms */
export function portrait(profile: Profile, names: NameBook, now: number): Portrait {
  const open = (lines: Profile['cart']): number => lines.filter((line) => line.quantity > 0).length;
  return {
    lifecycle: lifecycle(profile, now),
    orders: profile.orders,
    spent: toMajor(profile.spentMinor - profile.refundedMinor),
    daysSinceOrder: profile.orders === 0 ? null : days(now - profile.lastOrderAt),
    daysSinceEvent: days(now - profile.updatedAt),
    categories: interests(profile, profile.categories, now, (hash) => names.category(hash)),
    brands: interests(profile, profile.brands, now, (hash) => names.brand(hash)),
    tags: interests(profile, profile.tags, now, (hash) => names.tag(hash)),
    priceLevel: priceLevel(profile),
    social: social(profile),
    sessions: profile.sessions,
    cart: open(profile.cart),
    wishlist: open(profile.wishlist),
  };
}

function lifecycle(profile: Profile, now: number): Portrait['lifecycle'] {
  const idleDays = (now - profile.updatedAt) / DAY_MS;
  if (idleDays > LIFECYCLE.dormantDays) return 'churned';
  if (idleDays > LIFECYCLE.activeDays) return 'dormant';
  if (profile.orders >= LIFECYCLE.loyalOrders) return 'loyal';
  if (profile.orders > 1) return 'active';
  return profile.orders === 1 ? 'new' : 'potential';
}

function interests(profile: Profile, table: Affinities, now: number, nameOf: (hash: number) => string | undefined): Interest[] {
  const decay = affinityDecay(profile, now);
  return table.keys
    .map((key, i) => ({ name: nameOf(key), weight: round(table.long[i]! * decay.long), now: round(table.short[i]! * decay.short) }))
    .filter((entry): entry is Interest => entry.name !== undefined && (entry.weight > 0 || entry.now > 0))
    .sort((a, b) => b.weight + b.now - a.weight - a.now)
    .slice(0, 8);
}

function priceLevel(profile: Profile): number | null {
  let sum = 0;
  let weighted = 0;
  for (let level = 0; level < PRICE_LEVELS; level++) {
    const weight = Math.max(0, profile.prices[level]!);
    sum += weight;
    weighted += weight * (level + 1);
  }
  return sum === 0 ? null : round(weighted / sum);
}

/** By what the shopper did most in the last 90 days, decayed. */
function social(profile: Profile): Portrait['social'] {
  const lasting = (type: EventType): number => profile.counters[EVENT_TYPE_INDEX.get(type)! * HALF_LIFE_COUNT + HALF_LIFE_COUNT - 1]!;
  const roles = [
    ['sharer', lasting('share')], ['reviewer', lasting('review') + lasting('comment')], ['follower', lasting('follow') + lasting('like')],
  ] as const;
  const [role, strength] = roles.reduce((best, next) => (next[1] > best[1] ? next : best));
  return strength < 0.5 ? 'silent' : role;
}

const days = (ms: number): number => round(Math.max(0, ms) / DAY_MS);
const round = (value: number): number => Math.round(value * 100) / 100;
