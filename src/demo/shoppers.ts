import { hash32 } from '../util/hash.js';
import { gaussian, seededRandom, type Random } from '../util/random.js';
import { REGIONS, ROOTS, STYLES } from './taxonomy.js';
import { pick } from './store.js';
import type { World } from './world.js';

export const LIFECYCLES = ['new', 'active', 'loyal', 'dormant', 'churned'] as const;
export type Lifecycle = (typeof LIFECYCLES)[number];
export const ROLES = ['lurker', 'liker', 'reviewer', 'sharer'] as const;
export type Role = (typeof ROLES)[number];

/** Share of shoppers, visits a day, and the part of the span in which they visit. */
const LIFE: Readonly<Record<Lifecycle, { share: number; visitsPerDay: number; from: number; to: number }>> = {
  new: { share: 0.15, visitsPerDay: 0.3, from: 0.85, to: 1 },
  active: { share: 0.35, visitsPerDay: 0.12, from: 0, to: 1 },
  loyal: { share: 0.12, visitsPerDay: 0.34, from: 0, to: 1 },
  dormant: { share: 0.2, visitsPerDay: 0.12, from: 0, to: 0.6 },
  churned: { share: 0.18, visitsPerDay: 0.1, from: 0, to: 0.3 },
};
const ROLE_SHARES: Readonly<Record<Role, number>> = { lurker: 0.55, liker: 0.27, reviewer: 0.1, sharer: 0.08 };

/** One simulated person. Everything here is hidden: an engine sees only what the visits show of it. */
export interface Shopper {
  readonly index: number;
  /** `u:…`, or `a:…` for half of the newcomers. */
  readonly key: string;
  readonly lifecycle: Lifecycle;
  readonly role: Role;
  readonly region: string;
  /** Visits fall in [activeFrom, activeTo), ms. */
  readonly activeFrom: number;
  readonly activeTo: number;
  readonly visitsPerDay: number;
  /** Usual hour of the day, 0 … 24. */
  readonly hour: number;
  /** Liking of each leaf, about −1.5 … 3. */
  readonly leaves: Float32Array;
  /** Cumulative probability that a visit is about each leaf. */
  readonly intents: Float32Array;
  /** Liking of each style. */
  readonly styles: Float32Array;
  /** Brand numbers this shopper is fond of, and how fond. */
  readonly brands: readonly number[];
  readonly loyalty: number;
  /** Preferred dearness within a leaf (standard deviations of log price), and how much a miss costs. */
  readonly budget: number;
  readonly priceSensitivity: number;
  /** Liking of what is new, and of what everybody buys. */
  readonly novelty: number;
  readonly mainstream: number;
  /** Readiness to buy. */
  readonly impulse: number;
}

interface ShopperOptions {
  readonly seed: number;
  readonly count: number;
  readonly world: World;
  /** Span of the visits to come, ms. */
  readonly from: number;
  readonly to: number;
}

/** Makes the people; pure. A shopper's tastes depend on the seed and index only, not on how many there are. */
export function makeShoppers({ seed, count, world, from, to }: ShopperOptions): Shopper[] {
  const brandsOfRoot = ROOTS.map((root) => root.brands.map((name) => world.brandNames.indexOf(name)).filter((n) => n >= 0));
  const regionTaste = REGIONS.map((region) => {
    const random = seededRandom(hash32(`region:${seed}:${region}`));
    return ROOTS.map(() => 0.4 * gaussian(random));
  });
  return Array.from({ length: count }, (_, index) => {
    const random = seededRandom(hash32(`shopper:${seed}:${index}`));
    const lifecycle = draw(LIFECYCLES, (name) => LIFE[name].share, random);
    const regionIndex = Math.floor(REGIONS.length * random() ** 1.5);
    const { leaves, loved } = tastes(world, regionTaste[regionIndex]!, random);
    const life = LIFE[lifecycle];
    const span = to - from;
    const begins = lifecycle === 'new' ? life.from + random() * (life.to - life.from) : life.from;
    return {
      index, lifecycle, leaves,
      key: `${lifecycle === 'new' && random() < 0.5 ? 'a' : 'u'}:demo-${seed.toString(36)}-${index}`,
      role: draw(ROLES, (name) => ROLE_SHARES[name], random),
      region: REGIONS[regionIndex]!,
      activeFrom: from + begins * span,
      activeTo: from + life.to * span,
      visitsPerDay: life.visitsPerDay * Math.exp(0.4 * gaussian(random) - 0.08),
      hour: random() < 0.65 ? 20 + 1.5 * gaussian(random) : 12.5 + 2 * gaussian(random),
      intents: intentsOf(leaves),
      styles: Float32Array.from(STYLES, () => 0.6 * gaussian(random)),
      brands: Array.from({ length: 3 }, () => pick(brandsOfRoot[pick(loved, random)]!, random) ?? -1),
      loyalty: 0.4 + random(),
      budget: 0.9 * gaussian(random),
      priceSensitivity: 0.1 + 0.4 * random(),
      novelty: 0.3 + 0.5 * gaussian(random),
      mainstream: 0.3 + 0.3 * gaussian(random),
      impulse: 0.5 * gaussian(random) + (lifecycle === 'loyal' ? 0.4 : 0),
    };
  });
}

/** Two or three loved roots, lukewarm others; leaves vary about their root. */
function tastes(world: World, regional: readonly number[], random: Random): { leaves: Float32Array; loved: number[] } {
  const loved = Array.from({ length: random() < 0.5 ? 2 : 3 }, () => Math.floor(random() * ROOTS.length));
  const roots = regional.map((lean, root) => lean - 0.8 + 0.4 * gaussian(random) + (loved.includes(root) ? 2 : 0));
  return { loved, leaves: Float32Array.from(world.rootOfLeaf, (root) => roots[root]! + 0.6 * gaussian(random)) };
}

function intentsOf(leaves: Float32Array): Float32Array {
  let sum = 0;
  const cumulative = leaves.map((liking) => (sum += Math.exp(1.6 * liking)));
  return cumulative.map((value) => value / sum);
}

function draw<T>(names: readonly T[], share: (name: T) => number, random: Random): T {
  let at = random();
  return names.find((name) => (at -= share(name)) < 0) ?? names[0]!;
}
