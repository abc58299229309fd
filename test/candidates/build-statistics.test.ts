import t from 'tap';
import { StatisticsBuilder } from '../../src/candidates/build-statistics.js';
import { PairTable } from '../../src/candidates/pair-table.js';
import { DEFAULT_STATISTICS, StatisticsSettingsSchema, type StatisticsSettings } from '../../src/candidates/statistics-settings.js';
import { Trails } from '../../src/candidates/trails.js';
import { Value } from 'typebox/value';
import { seededRandom } from '../../src/util/random.js';

const MINUTE_MS = 60_000;

/** What `builder.neighbors` says of an item, by the items' own keys. */
function rowOf(builder: StatisticsBuilder, key: number): Map<number, number> {
  const { items, scores } = builder.neighbors(builder.indexOf(key));
  return new Map(items.map((item, i) => [builder.keyOf(item), scores[i]!]));
}

/** No exponents: a pair's weight is what was counted. */
const plain: StatisticsSettings = { ...DEFAULT_STATISTICS, sourceExponent: 0, targetExponent: 0, lengthExponent: 0, gapFloor: 1, gapDays: 1e-3 };

function count(settings: StatisticsSettings, ...touches: readonly (readonly [item: number, atMinutes: number])[]): StatisticsBuilder {
  const builder = new StatisticsBuilder(settings);
  for (const [item, at] of touches) builder.count(1, item, 1, 1e12 + at * MINUTE_MS);
  return builder;
}

await t.test('the default settings follow the schema', async (t) => {
  t.ok(Value.Check(StatisticsSettingsSchema, DEFAULT_STATISTICS));
});

await t.test('pairs weigh by distance, length, gap and direction as the settings say', async (t) => {
  const far = 24 * 60;
  const builder = count({ ...plain, distanceExponent: 1, backward: 0.5 }, [10, 0], [20, far], [30, 2 * far]);
  t.same(rowOf(builder, 10), new Map([[20, 1], [30, 0.5]]));
  t.same(rowOf(builder, 30), new Map([[20, 0.5], [10, 0.25]]));
  const byLength = count({ ...plain, distanceExponent: 0, lengthExponent: 1, backward: 0 }, [10, 0], [20, far], [30, 2 * far]);
  t.match(rowOf(byLength, 10).get(20), 1 / 2);
  t.ok(Math.abs(rowOf(byLength, 10).get(30)! - 1 / 3) < 1e-6);
  const soon = count({ ...plain, gapFloor: 0, gapDays: 1, distanceExponent: 0 }, [10, 0], [20, far]);
  t.ok(Math.abs(rowOf(soon, 10).get(20)! - Math.exp(-1)) < 1e-6);
});

await t.test('items of one moment are one step apart from what follows, and among themselves', async (t) => {
  const settings = { ...plain, distanceExponent: 1, backward: 0, gapFloor: 0, gapDays: 3650 };
  const order = count({ ...settings, stepMs: 1000 }, [10, 0], [20, 0], [30, 1 / 60], [40, 60]);
  t.same([...rowOf(order, 10).values()].map((weight) => Math.round(weight * 10) / 10), [1, 1, 1]);
  const apart = count(settings, [10, 0], [20, 0], [30, 1 / 60], [40, 60]);
  t.same([...rowOf(apart, 10)].map(([item, weight]) => [item, Math.round(weight * 10) / 10]), [[20, 1], [30, 1], [40, 0.5]]);
});

await t.test('an item is its own neighbour when shoppers come back to it, not when they go on with it', async (t) => {
  t.notOk(rowOf(count(plain, [10, 0], [10, 1], [20, 2]), 10).has(10));
  t.ok(rowOf(count(plain, [10, 0], [20, 1], [10, 2]), 10).has(10));
});

await t.test('the same counts come out in whatever order shoppers follow one another', async (t) => {
  const random = seededRandom(5);
  const touches = Array.from({ length: 2000 }, (_, i) => ({ shopper: Math.floor(random() * 50), item: Math.floor(random() * 40), at: 1e12 + i * MINUTE_MS }));
  const build = (order: typeof touches) => {
    const builder = new StatisticsBuilder({ ...DEFAULT_STATISTICS, neighborsPerItem: 10 });
    for (const { shopper, item, at } of order) builder.count(shopper, item, 1, at);
    return builder;
  };
  const one = build(touches);
  const other = build(touches.toSorted((a, b) => a.shopper - b.shopper || a.at - b.at));
  for (let item = 0; item < 40; item++) {
    const expected = rowOf(one, item);
    t.equal(expected.size, 10);
    t.same([...rowOf(other, item)].map(([key, score]) => [key, score.toPrecision(4)]), [...expected].map(([key, score]) => [key, score.toPrecision(4)]));
  }
});

await t.test('strength is in units of a typical best neighbour', async (t) => {
  const data = count(plain, [10, 0], [20, 1], [30, 2]).build();
  t.equal(data.offsets.at(-1), data.targets.length);
  const best = Array.from(data.keys, (_, i) => data.weights[data.offsets[i]!]!).sort((a, b) => a - b);
  t.equal(best[1], 1);
});

await t.test('a pair table holds what a Map would, and lets the weaker half go beyond its bound', async (t) => {
  const random = seededRandom(3);
  const table = new PairTable(50_000);
  const map = new Map<string, number>();
  for (let i = 0; i < 60_000; i++) {
    const from = Math.floor(random() * 300);
    const to = Math.floor(random() * 100);
    table.add(from, to, 0.5);
    map.set(`${from} ${to}`, (map.get(`${from} ${to}`) ?? 0) + 0.5);
  }
  t.equal(table.count, map.size);
  let wrong = 0;
  let met = 0;
  for (let from = 0; from < 300; from++) {
    for (let at = table.first(from); at >= 0; at = table.next(at)) {
      met += 1;
      if (map.get(`${from} ${table.target(at)}`) !== table.weight(at)) wrong += 1;
    }
  }
  t.same([met, wrong], [map.size, 0]);
  t.equal(table.first(5000), -1);
  const bounded = new PairTable(1000);
  for (let i = 0; i < 5000; i++) bounded.add(i % 100, i, i);
  t.ok(bounded.count <= 1000);
  const { weight } = bounded.columns();
  t.ok(weight.includes(4999) && weight.every((value) => value > 2000), 'the strong stay');
});

await t.test('trails are rings, and the shoppers silent longest go', async (t) => {
  const trails = new Trails(3, 1500);
  for (let shopper = 0; shopper < 1500; shopper++) for (let i = 0; i < 5; i++) trails.push(trails.slot(shopper), shopper * 10 + i, shopper, i);
  const slot = trails.slot(7);
  t.same([trails.touches(slot), trails.length(slot)], [5, 3]);
  t.same([1, 2, 3].map((back) => trails.item(trails.place(slot, back))), [74, 73, 72]);
  t.equal(trails.length(trails.slot(-5)), 0, 'one too many');
  const kept = trails.slot(1400);
  t.same([1, 2, 3].map((back) => trails.item(trails.place(kept, back))), [14_004, 14_003, 14_002]);
  t.equal(trails.length(trails.slot(7)), 0, 'forgotten');
});
