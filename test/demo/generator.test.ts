import t from 'tap';
import { Compile } from 'typebox/compile';
import { makeShoppers } from '../../src/demo/shoppers.js';
import { DEMO, historyOf, seedDemo, type DemoState } from '../../src/demo/seed.js';
import { makeStore, STORE } from '../../src/demo/store.js';
import { utility } from '../../src/demo/taste.js';
import { visits, type DemoRecord, type ImpressionRecord } from '../../src/demo/visits.js';
import { makeWorld } from '../../src/demo/world.js';
import { EventInputSchema, type ShopperEvent } from '../../src/domain/event.js';
import { ItemSchema } from '../../src/domain/item.js';
import { toMajor } from '../../src/domain/money.js';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 5, 1, 12);
const SPAN = { from: NOW - 30 * DAY_MS, to: NOW };

const items = makeStore({ seed: 7, now: NOW });
const world = makeWorld(items, 7);
const shoppers = makeShoppers({ seed: 7, count: 600, world, ...SPAN });
const record = (seed = 7): DemoRecord[] => [...visits({ seed, world, shoppers, ...SPAN })];
const records = record();
const events = records.flatMap((entry) => (entry.kind === 'event' ? [entry.event] : []));
const impressions = records.filter((entry): entry is ImpressionRecord => entry.kind === 'impression');
const countOf = (type: string): number => events.filter((event) => event.type === type).length;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

void t.test('the same seed makes the same store and visits, another seed others', async (t) => {
  // Compared as text: a structural comparison of 30,000 records takes minutes.
  const text = (value: unknown): string => JSON.stringify(value);
  t.ok(text(makeStore({ seed: 7, now: NOW })) === text(items));
  t.ok(text(makeStore({ seed: 8, now: NOW })) !== text(items));
  t.ok(text(record()) === text(records));
  t.ok(text(record(8)) !== text(records));
});

void t.test('a catalog reads like a store', async (t) => {
  const isItem = Compile(ItemSchema);
  t.ok(items.every((item) => isItem.Check(item)), 'every item fits the schema');
  t.equal(new Set(items.map((item) => item.id)).size, STORE.items, 'ids are unique');
  t.equal(new Set(items.map((item) => item.category[0])).size, 13, 'root categories');
  t.ok(new Set(items.map((item) => item.category.join('/'))).size >= 50, 'leaves');
  const brands = new Set(items.map((item) => item.brand)).size;
  t.ok(brands >= 55 && brands <= 65, `about 60 brands: ${brands}`);
  const out = items.filter((item) => item.stock === 0).length / items.length;
  t.ok(out > 0.01 && out < 0.06, `out of stock: ${out}`);
  const fresh = items.filter((item) => NOW - Date.parse(item.publishedAt!) < 14 * DAY_MS).length / items.length;
  t.ok(fresh > 0.015 && fresh < 0.05, `fresh: ${fresh}`);
  t.ok(items.every((item) => Date.parse(item.publishedAt!) <= NOW), 'nothing comes from the future');
  const prices = items.flatMap((item) => item.price ?? []);
  t.ok(Math.min(...prices) > 0 && Math.max(...prices) < 5000, 'prices are plausible');
  t.ok(new Set(items.map((item) => item.title)).size > 0.9 * items.length, 'titles tell items apart');
});

void t.test('visits come in time order, within the span, as valid events with unique ids', async (t) => {
  t.ok(records.every((entry, i) => i === 0 || entry.at >= records[i - 1]!.at), 'time order');
  t.ok(records.every(({ at }) => at >= SPAN.from && at < SPAN.to), 'span');
  t.equal(new Set(events.map((event) => event.id)).size, events.length, 'unique ids');
  const isEvent = Compile(EventInputSchema);
  t.ok(events.every((event) => isEvent.Check(asInput(event))), 'every event fits the schema');
  const published = new Map(items.map((item) => [item.id, Date.parse(item.publishedAt!)]));
  t.ok(impressions.every((list) => list.items.every((id) => published.get(id)! <= list.at)), 'nothing is shown before it is published');
  t.ok(impressions.every((list) => new Set(list.items).size === list.items.length), 'no item twice in a list');
});

void t.test('what shoppers do narrows like a funnel, and every kind of thing happens', async (t) => {
  const types = ['view_item_list', 'view_item', 'add_to_cart', 'purchase'].map(countOf);
  t.ok(types.every((count, i) => i === 0 || count < types[i - 1]!), `funnel ${types.join(' > ')}`);
  for (const type of ['search', 'add_to_wishlist', 'remove_from_cart', 'refund', 'review', 'like', 'share', 'dismiss', 'join_live']) {
    t.ok(countOf(type) > 0, type);
  }
  const perShopper = groupBy(events, (event) => event.shopper);
  const loyal = shoppers.filter((shopper) => shopper.lifecycle === 'loyal').map(({ key }) => perShopper.get(key)?.length ?? 0);
  const churned = shoppers.filter((shopper) => shopper.lifecycle === 'churned').map(({ key }) => perShopper.get(key)?.length ?? 0);
  t.ok(mean(loyal) > 5 * mean(churned), 'loyal shoppers do more than those who left');
  t.ok(shoppers.filter((s) => s.lifecycle === 'churned').every(({ key }) => (perShopper.get(key) ?? []).every(({ at }) => at < SPAN.from + 12 * DAY_MS)));
});

void t.test('clicks follow the hidden taste, position and popularity', async (t) => {
  const byKey = new Map(shoppers.map((shopper) => [shopper.key, shopper]));
  const appeal = (list: ImpressionRecord, id: string): number => {
    const row = world.rowOf.get(id)!;
    // The lasting part of the taste alone: a leaf never wanted gives no boost to speak of.
    return utility(world, byKey.get(list.shopper)!, row, { leaf: world.leaf[row]! }, list.at);
  };
  let wins = 0;
  let pairs = 0;
  const positions = Array.from({ length: 10 }, () => 0);
  for (const list of impressions) {
    for (const clicked of list.clicked) {
      positions[list.items.indexOf(clicked)]! += 1;
      for (const other of list.items) {
        if (list.clicked.includes(other)) continue;
        pairs += 1;
        if (appeal(list, clicked) > appeal(list, other)) wins += 1;
      }
    }
  }
  t.ok(wins / pairs > 0.75, `a clicked item appeals more than one passed over in ${((100 * wins) / pairs).toFixed(1)} % of pairs`);
  t.ok(wins / pairs < 0.98, 'yet there is noise');
  t.ok(positions[0]! > 2 * positions[9]!, `position bias: ${positions.join(' ')}`);
  const clicks = [...groupBy(events.filter(({ type }) => type === 'select_item'), ({ itemId }) => itemId).values()].map((all) => all.length).sort((a, b) => b - a);
  const top = clicks.slice(0, 200).reduce((sum, count) => sum + count, 0) / clicks.reduce((sum, count) => sum + count, 0);
  t.ok(top > 0.25, `a tenth of the items draws ${(100 * top).toFixed(0)} % of the clicks`);
});

void t.test('what goes together is looked at together', async (t) => {
  let together = 0;
  let byChance = 0;
  let pairs = 0;
  for (const visit of groupBy(events.filter(({ type }) => type === 'view_item'), ({ shopper }) => shopper).values()) {
    for (let i = 1; i < visit.length; i++) {
      const [a, b] = [visit[i - 1]!, visit[i]!];
      const c = events[(i * 7919) % events.length]!.itemId;
      if (b.at - a.at > 10 * 60_000 || c === undefined) continue;
      pairs += 1;
      const goesWith = world.complements[world.leaf[world.rowOf.get(a.itemId!)!]!]!;
      if (goesWith.includes(world.leaf[world.rowOf.get(b.itemId!)!]!)) together += 1;
      if (goesWith.includes(world.leaf[world.rowOf.get(c)!]!)) byChance += 1;
    }
  }
  t.ok(together > 2 * byChance, `${together} of ${pairs} views follow to a complement, ${byChance} by chance`);
});

void t.test('seeding is complete, in order for each shopper, and taken up where it was cut', async (t) => {
  let state: DemoState | undefined;
  let stored = 0;
  let received: ShopperEvent[] = [];
  let failAfter = 20_000;
  let largest = 0;
  const seed = (clock = NOW): Promise<boolean> => seedDemo({
    loadState: async () => state,
    saveState: async (next) => { state = next; },
    putItems: async (put) => { stored += put.length; },
    ingest: async (batch) => {
      largest = Math.max(largest, batch.length);
      if ((failAfter -= batch.length) < 0) throw new Error('Redis went away');
      received.push(...batch);
    },
    clock: () => clock,
    log: () => {},
  });
  await t.rejects(seed(), { message: 'Redis went away' });
  const before = received;
  received = [];
  failAfter = Infinity;
  t.equal(await seed(NOW + DAY_MS), true, 'a second start goes on');
  t.equal(stored, 2 * DEMO.items);
  t.ok(received.length >= 40_000 && received.length <= 75_000, `${received.length} events`);
  const again = new Map(received.map((event) => [event.id, event]));
  t.equal(again.size, received.length);
  t.ok(before.every((event) => JSON.stringify(again.get(event.id)) === JSON.stringify(event)), 'with the very same events');
  const latest = new Map<string, number>();
  t.ok(received.every(({ shopper, at }) => {
    const inOrder = at >= (latest.get(shopper) ?? 0);
    latest.set(shopper, at);
    return inOrder;
  }), 'each shopper in order');
  t.ok(largest <= DEMO.batchSize);
  t.equal(await seed(), false, 'a third start has nothing to do');
  t.equal([...historyOf(makeStore({ seed: DEMO.seed, now: NOW }), { seed: DEMO.seed, until: NOW })].length, received.length);
});

/** The event as a client would have sent it. */
function asInput({ shopper, at, valueMinor, ...event }: ShopperEvent): object {
  return {
    ...event, timestamp: at, [shopper.startsWith('u:') ? 'userId' : 'anonymousId']: shopper.slice(2),
    ...(valueMinor !== undefined && { value: toMajor(valueMinor, event.currency) }),
  };
}

/** `Map.groupBy` came with Node 21. */
function groupBy<T, K>(values: readonly T[], keyOf: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}
