import type { Item } from '../domain/item.js';
import { hash32 } from '../util/hash.js';
import { gaussian, seededRandom, type Random } from '../util/random.js';
import { EXTRA_TAGS, ROOTS, SERIES, STYLES, type Leaf, type Root } from './taxonomy.js';

const DAY_MS = 86_400_000;

/** What the demo store is like. */
export const STORE = {
  items: 2000,
  currency: 'EUR',
  /** Oldest publication before `now`, days. */
  ageDaysMax: 730,
  /** Share of items published within `freshDays`. */
  freshShare: 0.03,
  freshDays: 14,
  outOfStockShare: 0.03,
  lowStockShare: 0.04,
  /** Share of items that are videos about a category, not products: no price, no stock. */
  videoShare: 0.015,
} as const;

const VIDEO_TITLES = ['How to choose your next', 'Three looks with one', 'We tested: the', 'Care guide: the', 'Live recap: the'] as const;

interface StoreOptions {
  readonly seed: number;
  readonly items?: number;
  /** ms; publication dates count back from here. */
  readonly now: number;
}

/**
 * Makes a believable catalog: 13 root categories of 4–5 leaves, 65 brands, each with a speciality and a price position,
 * prices log-normal per leaf. Pure: the same options give the same items. An item keeps its id and looks whatever `now`
 * is; only the publication date moves along.
 */
export function makeStore({ seed, items = STORE.items, now }: StoreOptions): Item[] {
  const random = seededRandom(hash32(`store:${seed}`));
  const leaves = ROOTS.flatMap((root) => root.leaves.map((leaf) => ({ root, leaf, weight: 0.5 + random() })));
  const weightSum = leaves.reduce((sum, { weight }) => sum + weight, 0);
  return Array.from({ length: items }, (_, index) => {
    let at = random() * weightSum;
    const chosen = leaves.find(({ weight }) => (at -= weight) < 0) ?? leaves[0]!;
    const id = `sku-${String(index + 1).padStart(5, '0')}`;
    return random() < STORE.videoShare
      ? makeVideo(id, chosen.root, chosen.leaf, now, random)
      : makeProduct(id, chosen.root, chosen.leaf, now, random);
  });
}

function makeProduct(id: string, root: Root, leaf: Leaf, now: number, random: Random): Item {
  const brand = brandFor(root, random);
  const noun = pick(leaf.nouns, random);
  const color = pick(root.colors, random);
  const words = [pick(SERIES, random), ...(random() < 0.6 ? [pick(root.words, random)] : []), noun];
  return {
    id,
    title: `${brand} ${words.join(' ')}${random() < 0.25 ? `, ${color}` : ''}`,
    category: [root.name, leaf.name],
    brand,
    price: shelfPrice(leaf.median * pricePosition(brand) * Math.exp(leaf.sigma * gaussian(random))),
    currency: STORE.currency,
    stock: stockOf(random),
    tags: tagsOf(random),
    kind: 'product',
    publishedAt: publishedAt(now, random),
    attributes: { color, rating: Math.round(Math.min(5, Math.max(2.5, 4.2 + 0.45 * gaussian(random))) * 10) / 10 },
  };
}

function makeVideo(id: string, root: Root, leaf: Leaf, now: number, random: Random): Item {
  const brand = brandFor(root, random);
  return {
    id,
    title: `${pick(VIDEO_TITLES, random)} ${pick(leaf.nouns, random).toLowerCase()}`,
    category: [root.name, leaf.name],
    brand,
    tags: tagsOf(random),
    kind: 'video',
    publishedAt: publishedAt(now, random),
    attributes: { seconds: 30 + Math.floor(random() * 240) },
  };
}

/** Four in five items carry a specialist's brand, skewed to the root's first ones; the rest anyone's. */
function brandFor(root: Root, random: Random): string {
  const brands = random() < 0.8 ? root.brands : pick(ROOTS, random).brands;
  return brands[Math.floor(brands.length * random() ** 1.4)]!;
}

/** A brand's place in the market, 0.65 (budget) … 1.8 (premium): a property of its name, so that it is the same in every store. */
export function pricePosition(brand: string): number {
  return Math.exp(-0.43 + (hash32(brand) / 2 ** 32) * 1.02);
}

/** Prices people set: whole euros less a cent or ten from 20 up, x.49 or x.99 below. */
function shelfPrice(price: number): number {
  if (price >= 200) return Math.round(price / 10) * 10 - 1;
  if (price >= 20) return Math.round(price) - 0.1;
  return Math.max(0.99, Math.round(price * 2) / 2 - 0.01);
}

function stockOf(random: Random): number {
  const draw = random();
  if (draw < STORE.outOfStockShare) return 0;
  if (draw < STORE.outOfStockShare + STORE.lowStockShare) return 1 + Math.floor(random() * 4);
  return Math.round(20 * Math.exp(gaussian(random) * 0.9)) + 5;
}

function tagsOf(random: Random): string[] {
  const tags = new Set([pick(STYLES, random)]);
  while (random() < 0.45 && tags.size < 4) tags.add(pick(EXTRA_TAGS, random));
  return [...tags];
}

function publishedAt(now: number, random: Random): string {
  const days = random() < STORE.freshShare
    ? random() * STORE.freshDays
    : STORE.freshDays + random() * (STORE.ageDaysMax - STORE.freshDays);
  return new Date(Math.floor(now - days * DAY_MS)).toISOString();
}

export function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)]!;
}
