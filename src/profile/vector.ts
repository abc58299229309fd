import { EVENT_TYPE_INDEX, type EventType } from '../domain/event.js';
import { SCENES, type Scene } from '../domain/scene.js';
import {
  AFFINITY_LONG_MS, AFFINITY_SHORT_MS, HALF_LIFE_COUNT, HALF_LIVES_MS, PRICE_LEVELS, type Profile,
} from './profile.js';

/** Event types whose decayed counts are features, and the names of their half-lives. */
const COUNTED: readonly EventType[] = [
  'view_item', 'view_item_list', 'select_item', 'search', 'add_to_wishlist', 'add_to_cart', 'purchase', 'share', 'like', 'dismiss',
];
const HALF_LIFE_NAMES = ['30m', '1d', '7d', '90d'] as const;

/** Names of the shopper's features, in vector order. Generated: the documentation and the model manifest read this. */
export const USER_FEATURES: readonly string[] = [
  ...COUNTED.flatMap((type) => HALF_LIFE_NAMES.map((name) => `${type}_${name}`)),
  ...Array.from({ length: PRICE_LEVELS }, (_, level) => `price_level_${level + 1}_share`),
  'is_new', 'hours_since_event', 'events', 'sessions', 'session_events', 'session_minutes',
  'orders', 'has_order', 'days_since_order', 'average_order', 'refund_share', 'cart_lines', 'wishlist_lines',
  ...SCENES.map((scene) => `scene_${scene}`),
];

const COUNTED_BASES = COUNTED.map((type) => EVENT_TYPE_INDEX.get(type)! * HALF_LIFE_COUNT);

/**
 * Writes the shopper's features as of `now` into `out[0 … USER_FEATURES.length)`.
 * Counts and amounts enter as log(1 + x); shares are in [0, 1]; a time that never was is 0.
 */
export function writeUserFeatures(out: Float32Array, profile: Profile, scene: Scene, now: number): void {
  const idle = Math.max(0, now - profile.updatedAt);
  let at = 0;
  const decays = HALF_LIVES_MS.map((halfLife) => 2 ** (-idle / halfLife));
  for (const base of COUNTED_BASES) {
    for (let h = 0; h < HALF_LIFE_COUNT; h++) out[at++] = Math.log1p(Math.max(0, profile.counters[base + h]! * decays[h]!));
  }
  let interest = 0;
  for (const value of profile.prices) interest += Math.max(0, value);
  for (const value of profile.prices) out[at++] = interest > 0 ? Math.max(0, value) / interest : 0;
  const inSession = profile.events > 0 && idle < HALF_LIVES_MS[0];
  out[at++] = profile.events === 0 ? 1 : 0;
  out[at++] = profile.events === 0 ? 0 : Math.log1p(idle / 3_600_000);
  out[at++] = Math.log1p(profile.events);
  out[at++] = Math.log1p(profile.sessions);
  out[at++] = inSession ? Math.log1p(profile.sessionEvents) : 0;
  out[at++] = inSession ? Math.log1p(Math.max(0, now - profile.sessionStartAt) / 60_000) : 0;
  out[at++] = Math.log1p(profile.orders);
  out[at++] = profile.orders > 0 ? 1 : 0;
  out[at++] = profile.orders > 0 ? Math.log1p(Math.max(0, now - profile.lastOrderAt) / 86_400_000) : 0;
  out[at++] = profile.orders > 0 ? Math.log1p(profile.spentMinor / profile.orders) : 0;
  out[at++] = profile.spentMinor > 0 ? Math.min(1, profile.refundedMinor / profile.spentMinor) : 0;
  out[at++] = Math.log1p(openLines(profile.cart));
  out[at++] = Math.log1p(openLines(profile.wishlist));
  for (const name of SCENES) out[at++] = name === scene ? 1 : 0;
}

function openLines(lines: Profile['cart']): number {
  let open = 0;
  for (const line of lines) if (line.quantity > 0) open += 1;
  return open;
}

/** Factors that bring the profile's affinities from its own instant to `now`. */
export function affinityDecay(profile: Profile, now: number): { short: number; long: number } {
  const idle = Math.max(0, now - profile.updatedAt);
  return { short: 2 ** (-idle / AFFINITY_SHORT_MS), long: 2 ** (-idle / AFFINITY_LONG_MS) };
}
