import fc from 'fast-check';
import { EVENT_TYPES, type ShopperEvent } from '../../src/domain/event.js';
import type { ItemFacts } from '../../src/profile/fold.js';
import { hash32 } from '../../src/util/hash.js';

/** 2026-01-01, the origin of generated times. */
export const T0 = Date.UTC(2026, 0, 1);
const SPAN_MS = 120 * 86_400_000;

/** Events of one shopper over four months, a few items and offers; ids are unique. */
export const shopperEvents = (max: number): fc.Arbitrary<ShopperEvent[]> => fc.array(fc.record({
  type: fc.constantFrom(...EVENT_TYPES),
  item: fc.integer({ min: 0, max: 90 }),
  offset: fc.integer({ min: 0, max: SPAN_MS }),
  valueMinor: fc.integer({ min: 0, max: 1_000_000 }),
  quantity: fc.integer({ min: 0, max: 5 }),
  offer: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
}), { maxLength: max }).map((rows) => rows.map((row, i): ShopperEvent => ({
  id: `e${i}`, type: row.type, shopper: 'u:one', itemId: `item-${row.item}`, at: T0 + row.offset,
  valueMinor: row.valueMinor, quantity: row.quantity,
  ...(row.offer === undefined ? {} : { context: { offerId: `offer-${row.offer}` } }),
})));

/** A little catalog by rule: ten categories under three roots, seven brands; every ninth item is unknown. */
export function factsOf(itemId: string | undefined): ItemFacts | undefined {
  if (itemId === undefined) return undefined;
  const n = Number(itemId.slice(5));
  if (n % 9 === 8) return undefined;
  return {
    categories: [hash32(`root-${n % 3}`), hash32(`root-${n % 3}/leaf-${n % 10}`)], brand: hash32(`brand-${n % 7}`),
    tags: [hash32(`tag-${n % 5}`)], priceLevel: n % 5, priceMinor: 100 + n * 7,
  };
}
