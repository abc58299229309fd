import fc from 'fast-check';
import t from 'tap';
import { addTo, FADING_MS, levelOf } from '../../src/pulse/decay.js';
import { SURGE_RULE, suggestCues, surgesOf, type CartLevels } from '../../src/pulse/surge.js';
import { seededRandom } from '../../src/util/random.js';

const START = 1_800_000_000_000;

/** Levels after carts of products at times, as they would be kept. */
function levelsAt(carts: readonly { readonly itemId: string; readonly at: number }[], now: number): CartLevels[] {
  const kept = new Map<string, [number | undefined, number | undefined]>();
  for (const { itemId, at } of carts) {
    const [fast, usual] = kept.get(itemId) ?? [undefined, undefined];
    kept.set(itemId, [addTo(fast, 1, at, FADING_MS.carts), addTo(usual, 1, at, FADING_MS.usualCarts)]);
  }
  return [...kept].map(([itemId, [fast, usual]]) => ({ itemId, now: levelOf(fast, now, FADING_MS.carts), usual: levelOf(usual, now, FADING_MS.usualCarts) }));
}

/** Carts that come by chance, so many a minute of each product, between two minutes. */
function steady(perMinute: Readonly<Record<string, number>>, from: number, to: number, seed: number): { itemId: string; at: number }[] {
  const random = seededRandom(seed);
  const carts = Object.entries(perMinute).flatMap(([itemId, rate]) => {
    const times: number[] = [];
    for (let at = from; (at += -Math.log(1 - random()) / rate) < to;) times.push(START + at * 60_000);
    return times.map((at) => ({ itemId, at }));
  });
  return carts.sort((a, b) => a.at - b.at);
}

await t.test('a fading count: order of additions does not matter, and it fades', async () => {
  fc.assert(fc.property(fc.array(fc.record({ at: fc.integer({ min: 0, max: 600_000 }), weight: fc.integer({ min: 1, max: 1000 }) }), { maxLength: 30 }), (added) => {
    const now = START + 600_000;
    const kept = added.reduce<number | undefined>((sum, { at, weight }) => addTo(sum, weight, START + at, FADING_MS.carts), undefined);
    const expected = added.reduce((sum, { at, weight }) => sum + weight * Math.exp((START + at - now) / FADING_MS.carts), 0);
    return Math.abs(levelOf(kept, now, FADING_MS.carts) - expected) <= 1e-6 * Math.max(1, expected);
  }));
});

await t.test('a product that leaves its own pace and that of the room surges', async (t) => {
  const before = steady({ mask: 2, boots: 3, bag: 1 }, 0, 40, 1);
  const now = START + 41 * 60_000;
  t.same(surgesOf(levelsAt([...before, ...steady({ mask: 2, boots: 3, bag: 1 }, 40, 41, 2)], now)), [], 'not at its usual pace');
  const burst = [...before, ...steady({ mask: 40, boots: 3, bag: 1 }, 40, 41, 3)];
  t.same(surgesOf(levelsAt(burst, now)).map(({ itemId }) => itemId), ['mask']);
  t.same(surgesOf(levelsAt([...before, ...steady({ mask: 24, boots: 36, bag: 12 }, 40, 41, 4)], now)), [], 'nothing surges when the whole room grows');
  t.same(surgesOf(levelsAt(burst, START + 50 * 60_000)), [], 'it is over some minutes later');
  t.same(surgesOf(levelsAt(steady({ mask: 5, boots: 1 }, 0, 1, 5), START + 60_000)), [], 'a few carts are none');
});

await t.test('chance alone hardly ever makes a surge', async (t) => {
  let alarms = 0;
  let looks = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const carts = steady({ a: 1, b: 4, c: 10, d: 30 }, 0, 60, seed);
    for (let minute = 20; minute < 60; minute++, looks++) {
      const now = START + minute * 60_000;
      if (surgesOf(levelsAt(carts.filter(({ at }) => at <= now), now)).length > 0) alarms += 1;
    }
  }
  t.ok(alarms <= looks * 0.005, `${alarms} of ${looks}`);
});

await t.test('the next cue depends on what is shown, asked and on sale', async (t) => {
  const surge = { itemId: 'mask', carts: 40, expected: 4 };
  const room = { pinnedItemId: 'mask', onSale: new Set<string>(), isPriceAsked: false, stockOf: () => 10 };
  const kindOf = (context: Partial<typeof room>): string | undefined => suggestCues([surge], { ...room, ...context })[0]?.kind;
  t.equal(kindOf({ pinnedItemId: 'boots' }), 'pin');
  t.equal(kindOf({}), 'flash_sale');
  t.equal(kindOf({ isPriceAsked: true }), 'coupon_ladder');
  t.equal(kindOf({ onSale: new Set(['mask']) }), 'coupon_ladder');
  t.equal(kindOf({ stockOf: () => 0 }), undefined, 'nothing of what is sold out');
  t.match(suggestCues([surge], room)[0]?.reason, /40 carts in about a minute, 10\.0 times/u);
  t.equal(suggestCues(Array.from({ length: 9 }, () => surge), room).length, SURGE_RULE.suggestionsMax);
});
