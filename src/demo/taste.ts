import type { Shopper } from './shoppers.js';
import type { World } from './world.js';

const FRESH_MS = 10 * 86_400_000;

/** What a visit is about: the leaf in mind, and what goes with it. */
export interface Intent {
  readonly leaf: number;
}

/**
 * The hidden model: how much an item appeals to a shopper now.
 *
 *   utility = liking of the leaf + fond of the brand + liking of the style
 *           − price sensitivity × (dearness − budget)² + novelty × freshness + mainstream × fame + ½ quality
 *           + what the visit is about (same leaf 1.5, goes with it 0.9, same root 0.3)
 *
 * A shown item is looked at with probability falling with its position, and a looked-at item is clicked with probability
 * sigmoid(utility − CLICK): so clicks carry taste, intent and popularity, plus position bias and noise. A viewed item goes
 * into the cart with sigmoid(utility + impulse − CART), where quality counts once more. A ranker that recovers the utility
 * from the profile ranks as well as can be.
 */
export function utility(world: World, shopper: Shopper, row: number, intent: Intent, at: number): number {
  const leaf = world.leaf[row]!;
  const miss = world.dearness[row]! - shopper.budget;
  const age = at - world.publishedAt[row]!;
  return shopper.leaves[leaf]!
    + (shopper.brands.includes(world.brand[row]!) ? shopper.loyalty : 0)
    + shopper.styles[world.style[row]!]!
    - shopper.priceSensitivity * Math.min(6, miss * miss)
    + (age < 4 * FRESH_MS ? shopper.novelty * Math.exp(-age / FRESH_MS) : 0)
    + shopper.mainstream * world.fame[row]!
    + 0.5 * world.quality[row]!
    + intentBoost(world, leaf, intent.leaf);
}

function intentBoost(world: World, leaf: number, wanted: number): number {
  if (leaf === wanted) return 1.5;
  if (world.complements[wanted]!.includes(leaf)) return 0.9;
  return world.rootOfLeaf[leaf] === world.rootOfLeaf[wanted] ? 0.3 : 0;
}

/** Utility at which a looked-at item is clicked every other time; and at which a viewed one is put into the cart. */
export const CLICK = 3.7;
export const CART = 6.4;

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Probability that the item at a position (0 = first) is looked at. */
export const examined = (position: number): number => 1 / (1 + 0.22 * position);
