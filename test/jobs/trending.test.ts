import t from 'tap';
import { TrendingCounter, trendingList, TrendingPublisher, weigh } from '../../src/jobs/trending.js';
import type { EventEntry } from '../../src/jobs/streams.js';
import type { ShopperEvent } from '../../src/domain/event.js';
import { Lease } from '../../src/redis/lease.js';
import { TRENDING_LIMITS, TrendingStore } from '../../src/redis/trending-store.js';
import { hash48 } from '../../src/util/hash.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, commandsTo, keys, silent } from '../helpers/streams.js';

const HOUR_MS = 3_600_000;
const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
t.beforeEach(async () => { await redis.flushall(); });

const entry = (record: ShopperEvent): EventEntry => ({ partition: 0, id: '1-0', record, json: '' });
const store = new TrendingStore(redis, keys);
const publisherAt = (clock: () => number): TrendingPublisher =>
  new TrendingPublisher({ store, clock, everyMs: 50, log: silent, lease: new Lease(redis, keys.lock('trending'), 'me'), onPublish: async () => { /* Nothing. */ } });
const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));

await t.test('events are weighed by type and age, per scope', async (t) => {
  const now = Date.now();
  const weights = weigh([
    anEvent({ at: now, context: { scene: 'home', region: 'SG' } }),
    anEvent({ at: now - 2 * HOUR_MS, type: 'add_to_cart', context: { scene: 'no such scene', region: 'x'.repeat(65) } }),
    anEvent({ at: now, type: 'search' }), anEvent({ at: now - 400 * 24 * HOUR_MS }),
  ], now);
  t.same(weights.map(({ scope }) => scope), ['all', 'scene:home', 'region:SG']);
  t.ok(near(weights[0]!.short, 1 + 3 / 2));
  t.equal(weights[1]!.long, 1);
});

await t.test('what is met more than usual trends, not what always sells', async (t) => {
  const ratio = TRENDING_LIMITS.shortHalfLifeMs / TRENDING_LIMITS.longHalfLifeMs;
  const list = trendingList([
    { item: 1, short: 1000, long: 1000 / ratio }, { item: 2, short: 60, long: 100 / ratio * 0.1 }, { item: 3, short: 1, long: 1 }, { item: 4, short: 0, long: 50 },
  ]);
  t.same(list.map(([item]) => item), [2, 3]);
  t.ok(list[0]![1] > list[1]![1]);
});

await t.test('counters of several workers add up, decay, and outlive a rescaling', async (t) => {
  let now = Date.now();
  const clock = (): number => now;
  const workers = [new TrendingCounter(store, clock, () => false), new TrendingCounter(store, clock, () => false)];
  for (let i = 0; i < 20; i++) await workers[i % 2]!.handle([entry(anEvent({ at: now, itemId: 'hot', context: { region: 'SG' } }))]);
  await workers[0]!.handle([entry(anEvent({ at: now, itemId: 'mild' }))]);
  const [hot] = await store.top('all', now);
  t.ok(near(hot!.short, 20) && near(hot!.long, 20));
  now += 2 * HOUR_MS;
  const [later] = await store.top('all', now);
  t.ok(near(later!.short, 10));
  now += 8 * 24 * HOUR_MS;
  const before = await store.top('all', now);
  await workers[1]!.handle([entry(anEvent({ at: now, itemId: 'new' }))]);
  const after = await store.top('all', now);
  t.equal(Number(await redis.hget(`${keys.trending}:state`, 'landmark')), now, 'rescaled');
  const longOf = (counts: typeof before): number => counts.find(({ item }) => item === hash48('hot'))!.long;
  t.ok(near(longOf(before), longOf(after)));
  t.ok(near(after.find(({ item }) => item === hash48('new'))!.short, 1));
});

await t.test('an event that comes again does not count again, a failed write is finished later', async (t) => {
  const now = Date.now();
  const counter = new TrendingCounter(store, () => now, () => false);
  const events = Array.from({ length: 600 }, (_, i) => entry(anEvent({ at: now, itemId: `i${i}` })));
  let fails = true;
  const count = store.count.bind(store);
  let calls = 0;
  store.count = async (...args) => {
    if (++calls === 2 && fails) throw new Error('Redis is away');
    await count(...args);
  };
  await t.rejects(counter.handle(events));
  fails = false;
  await counter.handle(events);
  await counter.handle(events);
  store.count = count;
  const counts = await store.top('all', now);
  t.equal(counts.length, TRENDING_LIMITS.considered);
  t.ok(counts.every(({ short }) => near(short, 1)));
  t.equal(await redis.zcard(`${keys.trending}:scopes:all:long`), 600);
});

await t.test('lists are published when something changed, bounded in scopes, by one worker', async (t) => {
  const now = Date.now();
  const clock = (): number => now;
  const counter = new TrendingCounter(store, clock, () => false);
  const publisher = publisherAt(clock);
  t.equal(await publisher.publish(), false);
  const heard: string[] = [];
  const listener = await commandsTo(server.url);
  t.teardown(() => { listener.disconnect(); });
  listener.on('message', (_channel, text) => { heard.push(text); });
  await listener.subscribe(keys.notices);
  for (let region = 0; region < 90; region++) {
    const events = Array.from({ length: region < 10 ? 3 : 1 }, () => entry(anEvent({ at: now, itemId: `i${region}`, context: { scene: 'home', region: `r${region}` } })));
    await counter.handle(events);
  }
  t.equal(await publisher.publish(), true);
  t.equal(await publisher.publish(), false, 'nothing new');
  const { lists: data } = await store.read();
  const scopes = Object.keys(data);
  t.equal(scopes.length, TRENDING_LIMITS.scopes);
  for (const scope of ['all', 'scene:home', 'region:r0', 'region:r9']) t.ok(scopes.includes(scope), scope);
  t.ok(data['all']!.length <= 200);
  t.ok(data['all']![0]![1] >= data['all']!.at(-1)![1]);
  t.equal((await redis.keys(`${keys.trending}:scopes:*`)).length, 2 * TRENDING_LIMITS.scopes, 'the others are forgotten');
  t.same(heard, ['{"kind":"trending"}']);
  publisher.start();
  const other = new Lease(redis, keys.lock('trending'), 'other');
  await new Promise((done) => { setTimeout(done, 100); });
  t.equal(await other.take(1000), false);
  await publisher.stop();
  t.equal(await other.take(1000), true);
});
