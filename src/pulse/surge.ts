import { FADING_MS } from './decay.js';

export const SURGE_RULE = {
  /** Carts of about the last minute from which on a rise means anything. */
  cartsMin: 8,
  /** So many times what was to be expected. */
  factor: 3,
  /** Carts a minute that every product is granted as usual: the first ones of a quiet hour are no surge. */
  usualMin: 0.2,
  suggestionsMax: 3,
} as const;

/** Carts of a product: fading sums, see `FADING_MS`. */
export interface CartLevels { readonly itemId: string; readonly now: number; readonly usual: number }

export interface Surge {
  readonly itemId: string;
  /** In about the last minute, and as were to be expected. */
  readonly carts: number;
  readonly expected: number;
}

/**
 * Products that go into carts much faster than usual. Expected is the product's own rate of the last twenty minutes, times how much the rest of the
 * room has surely grown meanwhile: when an audience doubles, no product surges.
 */
export function surgesOf(levels: readonly CartLevels[]): Surge[] {
  const all = levels.map((level) => ({ itemId: level.itemId, now: level.now * 60_000 / FADING_MS.carts, usual: level.usual * 60_000 / FADING_MS.usualCarts }));
  const [nowSum, usualSum] = [sum(all.map(({ now }) => now)), sum(all.map(({ usual }) => usual))];
  return all.map(({ itemId, now, usual }) => {
    const others = nowSum - now;
    // Less their standard deviation: three carts say little of a room.
    const growth = Math.max(1, (others - Math.sqrt(others) + SURGE_RULE.usualMin) / (usualSum - usual + SURGE_RULE.usualMin));
    return { itemId, carts: now, expected: Math.max(usual, SURGE_RULE.usualMin) * growth };
  }).filter(({ carts, expected }) => carts >= SURGE_RULE.cartsMin && carts >= SURGE_RULE.factor * expected)
    .sort((a, b) => b.carts / b.expected - a.carts / a.expected);
}

/** What the room knows of a product that surges. */
export interface SurgeContext {
  readonly pinnedItemId: string | undefined;
  /** Products on a flash sale that is open. */
  readonly onSale: ReadonlySet<string>;
  /** Price or discount is what is asked about most. */
  readonly isPriceAsked: boolean;
  /** Units left, undefined: not counted. */
  readonly stockOf: (itemId: string) => number | undefined;
}

export interface CueSuggestion {
  readonly kind: 'pin' | 'flash_sale' | 'coupon_ladder';
  readonly itemId: string;
  readonly reason: string;
}

/**
 * The next cue, for each surge: show the product that is not shown; where it is shown and people ask about the price, or have it on sale, help them
 * decide with a coupon each; else make orders of the demand by a flash sale. Nothing of what is sold out.
 */
export function suggestCues(surges: readonly Surge[], { pinnedItemId, onSale, isPriceAsked, stockOf }: SurgeContext): CueSuggestion[] {
  return surges.filter(({ itemId }) => stockOf(itemId) !== 0).slice(0, SURGE_RULE.suggestionsMax).map(({ itemId, carts, expected }) => {
    const seen = `${Math.round(carts)} carts in about a minute, ${(carts / expected).toFixed(1)} times what was to be expected`;
    if (itemId !== pinnedItemId) return { kind: 'pin', itemId, reason: `${seen}, and it is not pinned` };
    if (onSale.has(itemId)) return { kind: 'coupon_ladder', itemId, reason: `${seen}; its flash sale is on: coupons keep it going` };
    if (isPriceAsked) return { kind: 'coupon_ladder', itemId, reason: `${seen}; price or discount is what is asked about most` };
    return { kind: 'flash_sale', itemId, reason: `${seen}, and it is pinned` };
  });
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
