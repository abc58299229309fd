import t from 'tap';
import { StatisticsBuilder } from '../../src/candidates/build-statistics.js';
import { encodeStatistics, StatisticsDecoder } from '../../src/candidates/statistics-codec.js';
import { emptyStatisticsData, ROW_SCORE, type StatisticsData } from '../../src/candidates/statistics.js';
import { Catalog } from '../../src/catalog/catalog.js';
import { StatisticsFollower } from '../../src/follow/statistics-follower.js';
import { StatisticsStore } from '../../src/redis/statistics-store.js';
import { TrendingStore } from '../../src/redis/trending-store.js';
import { hash48 } from '../../src/util/hash.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, commandsTo, keys, longestTurn, silent, until } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
t.beforeEach(async () => { await redis.flushall(); });

const store = new StatisticsStore(redis, keys);

function someStatistics(items: number): StatisticsData {
  const builder = new StatisticsBuilder();
  for (let i = 0; i < items * 3; i++) builder.add(anEvent({ shopper: `u:${i % 97}`, itemId: `i${(i * 7919) % items}`, at: 1e12 + i * 60_000 }));
  return builder.build();
}

function decode(bytes: Uint8Array, chunk: number): StatisticsData {
  const decoder = new StatisticsDecoder(bytes.length);
  for (let at = 0; at < bytes.length; at += chunk) decoder.push(bytes.subarray(at, at + chunk));
  return decoder.finish();
}

function follow(catalog: Catalog, onErased: (shopper: string) => void = () => { /* Not asked. */ }): StatisticsFollower {
  const follower = new StatisticsFollower({ url: server.url, keys, redis, catalog, log: silent, onErased });
  t.teardown(() => follower.stop());
  return follower;
}

await t.test('statistics survive the way through bytes, in chunks of any size', async (t) => {
  for (const data of [emptyStatisticsData(), someStatistics(1), someStatistics(300)]) {
    const bytes = encodeStatistics(data);
    for (const chunk of [1, 7, 24, 4096, bytes.length]) if (bytes.length / chunk < 50_000) t.strictSame(decode(bytes, chunk), data);
  }
});

await t.test('bytes that are damaged, cut off or foreign are refused', async (t) => {
  const bytes = encodeStatistics(someStatistics(50));
  const flipped = Buffer.from(bytes);
  flipped[100]! ^= 1;
  t.throws(() => decode(flipped, 4096), /checksum/u);
  t.throws(() => decode(bytes.subarray(0, bytes.length - 8), 4096), /length/u);
  t.throws(() => decode(Buffer.from('RVST and then nothing of ours at all'), 4096), /format/u);
  t.throws(() => decode(Buffer.alloc(3), 4096), /3 of 3 bytes/u);
});

await t.test('a version is written in chunks, becomes current, and the one before goes in time', async (t) => {
  let now = 1;
  const clock = (): number => now++;
  t.equal(await store.currentVersion(), undefined);
  const big: StatisticsData = { ...emptyStatisticsData(), keys: new Float64Array(90_000).map((_, i) => i), popularity: new Float32Array(90_000), lasting: new Float32Array(90_000), firstDay: new Float32Array(90_000), offsets: new Uint32Array(90_001) };
  const first = await store.write(big, clock);
  t.ok(await redis.llen(keys.statistics(first)) > 5);
  t.equal(await redis.ttl(keys.statistics(first)), -1);
  t.strictSame(await store.read(first), big);
  const second = await store.write(someStatistics(20), clock);
  t.equal(await store.currentVersion(), second);
  const ttl = await redis.ttl(keys.statistics(first));
  t.ok(ttl > 500 && ttl <= 600, 'a reader of the old one can finish');
  t.equal(await store.read('none'), undefined);
  await redis.lset(keys.statistics(second), 0, 'x'.repeat(await redis.lindexBuffer(keys.statistics(second), 0).then((chunk) => chunk!.length)));
  await t.rejects(store.read(second), /statistics/u);
});

await t.test('every process swaps in what a worker published, and binds items that come later', async (t) => {
  const catalog = new Catalog();
  catalog.put({ id: 'i1', title: 'One', category: ['a'] });
  const erased: string[] = [];
  const follower = follow(catalog, (shopper) => { erased.push(shopper); });
  await follower.ready;
  const empty = follower.current;
  t.ok(empty.scores.every((score) => score === 0));
  const data = someStatistics(3);
  const version = await store.write(data, Date.now);
  await until('it is swapped in', () => follower.version === version, 2000);
  t.not(follower.current, empty);
  t.ok(follower.current.scores[catalog.rowOf('i1') * ROW_SCORE.width]! > 0);
  catalog.put({ id: 'i2', title: 'Two', category: ['a'] });
  await new TrendingStore(redis, keys).publish({ version: 1, lists: { all: [[hash48('i2'), 2]] } }, 1);
  await until('the new item is bound and trends', () => follower.current.scores[catalog.rowOf('i2') * ROW_SCORE.width]! > 0 && follower.current.scores[catalog.rowOf('i2') * ROW_SCORE.width + ROW_SCORE.trending] === 1, 2000);
  await redis.publish(keys.notices, 'no JSON');
  await redis.publish(keys.notices, JSON.stringify({ kind: 'erased', shopper: 'u:ann' }));
  await until('the erasure is heard', () => erased.includes('u:ann'));
  t.same(erased, ['u:ann']);
});

await t.test('a version published while Redis came back is not missed; a damaged one does not replace a good one', async (t) => {
  const catalog = new Catalog();
  catalog.put({ id: 'i1', title: 'One', category: ['a'] });
  const follower = follow(catalog);
  await follower.ready;
  const version = await store.write(someStatistics(3), Date.now);
  await until('it is swapped in', () => follower.version === version);
  await redis.set(keys.statisticsVersion, 'damaged');
  await redis.rpush(keys.statistics('damaged'), 'x'.repeat(40));
  await redis.publish(keys.notices, JSON.stringify({ kind: 'statistics', version: 'damaged' }));
  await new Promise((done) => { setTimeout(done, 300); });
  t.equal(follower.version, version);
  await server.restart();
  await until('Redis is back', () => redis.status === 'ready');
  const next = await store.write(someStatistics(4), Date.now);
  await until('the new one is swapped in', () => follower.version === next, 8000);
  t.ok(follower.current.scores[catalog.rowOf('i1') * ROW_SCORE.width]! > 0);
});

await t.test('binding 100,000 items does not hold up the event loop', async (t) => {
  const catalog = new Catalog();
  const count = 100_000;
  for (let i = 0; i < count; i++) catalog.put({ id: `i${i}`, title: 'x', category: ['a', `b${i % 200}`], brand: `c${i % 300}` });
  const pairs = count * 16;
  const data: StatisticsData = {
    ...emptyStatisticsData(), keys: Float64Array.from({ length: count }, (_, i) => hash48(`i${i}`)), popularity: new Float32Array(count).fill(1), lasting: new Float32Array(count).fill(1), firstDay: new Float32Array(count).fill(1),
    offsets: Uint32Array.from({ length: count + 1 }, (_, i) => i * 16), targets: Uint32Array.from({ length: pairs }, (_, i) => (i * 31) % count), weights: new Float32Array(pairs).fill(0.5),
  };
  const follower = follow(catalog);
  await follower.ready;
  const version = await store.write(data, Date.now);
  const turns = longestTurn();
  await until('it is swapped in', () => follower.version === version);
  const { ms, share } = turns.end();
  t.equal(follower.current.order.length, count);
  t.ok(share < 0.3, `longest turn ${ms.toFixed(1)} ms, ${share.toFixed(2)} of the work`);
});
