import t from 'tap';
import fc from 'fast-check';
import { EVENT_TYPE_INDEX, type ShopperEvent } from '../../src/domain/event.js';
import { fold } from '../../src/profile/fold.js';
import { mergeProfile } from '../../src/profile/merge.js';
import { HALF_LIFE_COUNT, HALF_LIVES_MS, PROFILE_LIMITS, TOUCH, emptyProfile, type Profile } from '../../src/profile/profile.js';
import { USER_FEATURES, writeUserFeatures } from '../../src/profile/vector.js';
import { T0, factsOf, shopperEvents } from '../helpers/events.js';

const foldAll = (events: readonly ShopperEvent[], profile = emptyProfile()): Profile => {
  for (const event of events) fold(profile, event, factsOf(event.itemId));
  return profile;
};
const event = (over: Partial<ShopperEvent>): ShopperEvent => ({ id: 'x', type: 'view_item', shopper: 'u:one', itemId: 'item-1', at: T0, ...over });
/** Equal up to float32 rounding of sums taken in another order. */
const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-3 * (1 + Math.abs(a) + Math.abs(b));
/** Affinities as a map: the order of rows is the order of arrival. */
const table = ({ keys, long, short }: Profile['brands']): Map<number, [number, number]> => new Map(keys.map((key, i) => [key, [short[i]!, long[i]!]]));

await t.test('an event counts once, whatever is sent again and in between', async (t) => {
  fc.assert(fc.property(shopperEvents(60), fc.array(fc.nat(59), { maxLength: 60 }), (events, again) => {
    const once = foldAll(events);
    const twice = emptyProfile();
    events.forEach((one, i) => {
      fold(twice, one, factsOf(one.itemId));
      const repeat = events[again[i % again.length] ?? 0];
      if (repeat !== undefined && events.indexOf(repeat) <= i && fold(twice, repeat, factsOf(repeat.itemId))) throw new Error('counted twice');
    });
    t.same(twice, once);
  }), { numRuns: 100 });
});

await t.test('decayed values, sums, touches and removals do not depend on the order of arrival', async (t) => {
  fc.assert(fc.property(shopperEvents(40).chain((events) => fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length }))), ([events, shuffled]) => {
    const inOrder = foldAll([...events].sort((a, b) => a.at - b.at));
    const anyOrder = foldAll(shuffled);
    inOrder.counters.forEach((value, i) => { if (!close(value, anyOrder.counters[i]!)) throw new Error(`counter ${i}: ${value} ≠ ${anyOrder.counters[i]}`); });
    inOrder.prices.forEach((value, i) => { if (!close(value, anyOrder.prices[i]!)) throw new Error(`price level ${i}`); });
    for (const name of ['categories', 'brands', 'tags'] as const) {
      const other = table(anyOrder[name]);
      for (const [key, [short, long]] of table(inOrder[name])) {
        const twin = other.get(key);
        if (twin === undefined || !close(short, twin[0]) || !close(long, twin[1])) throw new Error(`${name} ${key}`);
      }
    }
    for (const field of ['updatedAt', 'firstAt', 'events', 'units', 'spentMinor', 'refundedMinor', 'firstOrderAt', 'lastOrderAt'] as const) {
      if (inOrder[field] !== anyOrder[field]) throw new Error(`${field}: ${inOrder[field]} ≠ ${anyOrder[field]}`);
    }
    t.same(anyOrder.touches, inOrder.touches);
    t.same(anyOrder.offers, inOrder.offers);
  }), { numRuns: 150 });
});

await t.test('every list stays within its bound and every number finite, for any stream', async (t) => {
  const now = T0 + 200 * 86_400_000;
  fc.assert(fc.property(shopperEvents(400), (events) => {
    const profile = foldAll(events);
    const vector = new Float32Array(USER_FEATURES.length);
    writeUserFeatures(vector, profile, 'home', now);
    if (![...profile.counters, ...profile.prices, ...vector, ...profile.brands.long, ...profile.categories.short].every(Number.isFinite)) throw new Error('not finite');
    t.ok(profile.touches.length <= PROFILE_LIMITS.touches && profile.cart.length <= PROFILE_LIMITS.cart && profile.wishlist.length <= PROFILE_LIMITS.wishlist);
    t.ok(profile.offers.length <= PROFILE_LIMITS.offers && profile.brands.keys.length <= PROFILE_LIMITS.affinities);
    t.equal(profile.ids.ids.length, Math.min(profile.events, profile.ids.ids.length));
  }), { numRuns: 60 });
});

await t.test('a counter halves in its half-life', async (t) => {
  const base = EVENT_TYPE_INDEX.get('view_item')! * HALF_LIFE_COUNT;
  for (const [h, halfLife] of HALF_LIVES_MS.entries()) {
    const profile = foldAll([event({ id: 'a' }), event({ id: 'b', type: 'search', at: T0 + halfLife })]);
    t.ok(close(profile.counters[base + h]!, 0.5), `half-life ${h}`);
  }
});

await t.test('the window of event ids: 1,024 arrivals always, ten minutes of event time up to 4,096', async (t) => {
  const far = (i: number, stepMs: number): ShopperEvent => event({ id: `e${i}`, at: T0 + i * stepMs });
  const sparse = foldAll(Array.from({ length: 1024 }, (_, i) => far(i, 60_000)));
  t.notOk(fold(sparse, far(0, 60_000), undefined), 'the oldest of 1,024 is still known');
  fold(sparse, far(1024, 60_000), undefined);
  t.ok(fold(sparse, far(0, 60_000), undefined), 'with one more it is forgotten');
  const dense = foldAll(Array.from({ length: 4096 }, (_, i) => far(i, 100)));
  t.notOk(fold(dense, far(0, 100), undefined), 'the oldest of 4,096 within ten minutes is still known');
  fold(dense, far(4096, 100), undefined);
  t.ok(fold(dense, far(0, 100), undefined), 'the bound holds even within ten minutes');
  const edge = foldAll([event({ id: 'first' }), ...Array.from({ length: 1500 }, (_, i) => event({ id: `e${i}`, at: T0 + PROFILE_LIMITS.idsWindowMs }))]);
  t.notOk(fold(edge, event({ id: 'first' }), undefined), 'exactly ten minutes old is inside');
});

await t.test('the cart follows the latest word on each item', async (t) => {
  const open = (profile: Profile): number[] => profile.cart.map((line) => line.quantity);
  const add = event({ id: 'add', type: 'add_to_cart', quantity: 2, at: T0 + 1000 });
  const remove = event({ id: 'remove', type: 'remove_from_cart', at: T0 + 2000 });
  t.same(open(foldAll([add, remove])), [0]);
  t.same(open(foldAll([remove, add])), [0], 'a late add does not undo the removal');
  t.same(open(foldAll([add, event({ id: 'more', type: 'add_to_cart', quantity: 3, at: T0 + 3000 })])), [5]);
  t.same(open(foldAll([add, event({ id: 'buy', type: 'purchase', at: T0 + 4000 })])), [0], 'what is bought leaves the cart');
});

await t.test('purchases close in time are one order; refunds are kept apart', async (t) => {
  const profile = foldAll([
    event({ id: '1', type: 'purchase', valueMinor: 500, quantity: 2 }), event({ id: '2', type: 'purchase', itemId: 'item-2', valueMinor: 250 }),
    event({ id: '3', type: 'purchase', valueMinor: 100, at: T0 + 86_400_000 }), event({ id: '4', type: 'refund', valueMinor: 100, at: T0 + 90_000_000 }),
  ]);
  t.match(profile, { orders: 2, units: 4, spentMinor: 850, refundedMinor: 100 });
  t.equal(profile.touches[0]!.mask & (TOUCH.purchased | TOUCH.refunded), TOUCH.purchased | TOUCH.refunded);
});

await t.test('a pause of more than half an hour opens a session', async (t) => {
  const profile = foldAll([event({ id: '1' }), event({ id: '2', at: T0 + 29 * 60_000 }), event({ id: '3', at: T0 + 60 * 60_000 })]);
  t.match(profile, { sessions: 2, sessionEvents: 1, sessionStartAt: T0 + 60 * 60_000 });
});

await t.test('merging two shoppers equals one who did it all, where the maths is linear', async (t) => {
  fc.assert(fc.property(shopperEvents(40), fc.nat(40), (events, cut) => {
    const whole = foldAll([...events].sort((a, b) => a.at - b.at));
    const merged = foldAll(events.slice(cut));
    mergeProfile(merged, foldAll(events.slice(0, cut)));
    merged.counters.forEach((value, i) => { if (!close(value, whole.counters[i]!)) throw new Error(`counter ${i}`); });
    for (const field of ['updatedAt', 'firstAt', 'events', 'units', 'spentMinor', 'refundedMinor', 'lastOrderAt'] as const) t.equal(merged[field], whole[field], field);
    t.same(new Set(merged.ids.ids), new Set(whole.ids.ids));
    t.same(merged.touches, whole.touches);
  }), { numRuns: 60 });
});
