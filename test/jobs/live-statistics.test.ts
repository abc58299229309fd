import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { StatisticsBuilder } from '../../src/candidates/build-statistics.js';
import { decodeIncrement, encodeIncrement } from '../../src/candidates/statistics-increment.js';
import { DEFAULT_STATISTICS, type StatisticsSettings } from '../../src/candidates/statistics-settings.js';
import { ROW_SCORE, Statistics } from '../../src/candidates/statistics.js';
import { Catalog } from '../../src/catalog/catalog.js';
import type { ShopperEvent } from '../../src/domain/event.js';
import { StatisticsFollower } from '../../src/follow/statistics-follower.js';
import { EventArchiver } from '../../src/jobs/archive.js';
import { LiveStatistics, STATISTICS_GROUP, type LiveStatisticsEvent } from '../../src/jobs/live-statistics.js';
import { LiveStatisticsProcess } from '../../src/jobs/live-statistics-process.js';
import { loadCheckpoint } from '../../src/jobs/statistics-state.js';
import { groupLag } from '../../src/jobs/streams.js';
import { Lease } from '../../src/redis/lease.js';
import { StatisticsStore } from '../../src/redis/statistics-store.js';
import { StreamKeeper } from '../../src/redis/stream-keeper.js';
import { seededRandom } from '../../src/util/random.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, append, commandsTo, consume, eventStreams, keys, listenTo, longestTurn, silent, tempDir, until } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
t.beforeEach(async () => { await redis.flushall(); });
t.setTimeout(120_000);

const ITEMS = 40;
const store = new StatisticsStore(redis, keys);

function aCatalog(items = ITEMS): Catalog {
  const catalog = new Catalog();
  for (let i = 0; i < items; i++) catalog.put({ id: `i${i}`, title: `Item ${i}`, category: ['all', `c${i % 3}`], brand: `b${i % 2}` });
  return catalog;
}

const random = seededRandom(11);
let clock = Date.now() - 3_600_000;
const someEvents = (count: number): ShopperEvent[] => Array.from({ length: count }, () =>
  anEvent({ shopper: `u:${Math.floor(random() * 25)}`, itemId: `i${Math.floor(random() ** 2 * ITEMS)}`, at: clock += 1000 }));

function follow(t: Test, catalog: Catalog): StatisticsFollower {
  const follower = new StatisticsFollower({ url: server.url, keys, redis, catalog, log: silent, onErased: () => { /* Not asked. */ } });
  t.teardown(() => follower.stop());
  return follower;
}

/** What an api process has of each item, as shares of the most popular and of its best neighbour: comparable at any time. */
function sharesOf(statistics: Statistics, catalog: Catalog): Map<string, number> {
  const shares = new Map<string, number>();
  const top = Math.expm1(statistics.scores[statistics.order[0]! * ROW_SCORE.width]!);
  for (let i = 0; i < ITEMS; i++) {
    const row = catalog.rowOf(`i${i}`);
    shares.set(`i${i}`, Math.expm1(statistics.scores[row * ROW_SCORE.width]!) / top);
    const from = statistics.neighborsFrom(row);
    for (let at = from; at < statistics.neighborsTo(row, 99); at++) {
      shares.set(`i${i} i${statistics.neighborRow(at)}`, statistics.neighborWeight(at) / statistics.neighborWeight(from));
    }
  }
  return shares;
}

function counted(events: readonly ShopperEvent[], settings: StatisticsSettings = DEFAULT_STATISTICS): StatisticsBuilder {
  const builder = new StatisticsBuilder(settings);
  for (const event of events) builder.add(event);
  return builder;
}

/** Sums depend on their order in the last digits. */
const EXACT = 1e-4;
/** A list that did not change itself does not hear, before all is published again, that a neighbour became more popular. */
const LIVE = 0.12;

const areClose = (a: Map<string, number>, b: Map<string, number>, share: number): boolean =>
  a.size === b.size && [...a].every(([name, value]) => Math.abs(value - (b.get(name) ?? Infinity)) <= share * value);

const isSame = (follower: StatisticsFollower, catalog: Catalog, events: readonly ShopperEvent[], share = EXACT): boolean =>
  follower.version !== undefined && areClose(sharesOf(follower.current, catalog), sharesOf(new Statistics(counted(events).build(), catalog), catalog), share);

interface Counter { readonly events: LiveStatisticsEvent[]; stop(): Promise<void> }

async function countHere(archiveDir: string, settings: StatisticsSettings = DEFAULT_STATISTICS): Promise<Counter> {
  const events: LiveStatisticsEvent[] = [];
  const stopping = new AbortController();
  const listening = listenTo(server.url)();
  const running = new LiveStatistics({
    redis, listening, store, streams: eventStreams, archiveDir, statePath: join(archiveDir, 'statistics.state'), settings, clock: Date.now,
    onEvent: (event) => { events.push(event); }, onVersion: async () => { /* Not kept. */ }, onIncrement: async () => { /* Not kept. */ },
  }).run(stopping.signal);
  running.catch(() => { /* Seen by whoever stops it. */ });
  return {
    events,
    stop: async () => {
      stopping.abort();
      await running.finally(() => { listening.disconnect(); });
    },
  };
}

async function archiveDir(t: Test): Promise<string> {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  return dir.path;
}

await t.test('an increment survives the way through bytes; others are refused', async (t) => {
  const builder = counted(someEvents(200));
  builder.trackChanges();
  builder.build();
  for (const event of someEvents(20)) builder.add(event);
  const increment = { items: builder.takeChanges(5) };
  const bytes = encodeIncrement(increment);
  t.same(decodeIncrement(bytes), increment);
  t.equal(increment.items.length, 5);
  t.throws(() => decodeIncrement(bytes.subarray(0, bytes.length - 8)), /cut off/u);
  t.throws(() => decodeIncrement(Buffer.alloc(16)), /format/u);
  t.throws(() => decodeIncrement(Buffer.alloc(3)), /3 bytes/u);
});

await t.test('a builder taken up from its state goes on as if nothing had been', async (t) => {
  const events = someEvents(600);
  const whole = counted(events);
  const first = counted(events.slice(0, 300));
  first.trackChanges();
  const second = StatisticsBuilder.restore(DEFAULT_STATISTICS, structuredClone(first.state()));
  for (const event of events.slice(300)) second.add(event);
  t.same(second.build(), whole.build());
  t.equal(second.changes, 0, 'a whole publication leaves nothing to tell');
});

await t.test('an event is in the neighbours and the popularity of every api process within seconds', async (t) => {
  const catalog = aCatalog();
  const first = someEvents(400);
  await append(redis, ...first);
  const counter = await countHere(await archiveDir(t));
  const follower = follow(t, catalog);
  await until('what was there is published', () => isSame(follower, catalog, first), 10_000);
  const version = follower.version;
  const statistics = follower.current;
  const before = statistics.scores[catalog.rowOf('i39') * ROW_SCORE.width]!;
  const later = Array.from({ length: 30 }, (_, i) => anEvent({ shopper: `u:new${i % 3}`, itemId: i % 2 === 0 ? 'i39' : 'i38', type: 'purchase', at: clock += 1000 }));
  const startedAt = performance.now();
  const turns = longestTurn();
  await append(redis, ...later);
  await until('it is counted', () => isSame(follower, catalog, [...first, ...later], LIVE), 5000);
  t.comment(`after ${Math.round(performance.now() - startedAt)} ms, longest turn ${turns.end().ms.toFixed(1)} ms`);
  t.equal(follower.current, statistics, 'the same statistics, changed in place');
  t.equal(follower.version, version);
  t.match(statistics.version, new RegExp(`^${version}\\+\\d+$`, 'u'));
  t.ok(statistics.scores[catalog.rowOf('i39') * ROW_SCORE.width]! > before);
  t.same([...statistics.order], [...statistics.order].toSorted((a, b) => statistics.scores[b * ROW_SCORE.width]! - statistics.scores[a * ROW_SCORE.width]!), 'still in order of popularity');
  const ofBrand = [...statistics.topOfBrand(catalog.brandOf(catalog.rowOf('i39')))];
  t.ok(ofBrand.indexOf(catalog.rowOf('i39')) < 3, 'risen in its brand');

  const newcomer = anEvent({ shopper: 'u:new1', itemId: 'i-new', at: clock += 1000 });
  await append(redis, newcomer);
  catalog.put({ id: 'i-new', title: 'New', category: ['all'] });
  await until('an item that came after the statistics is in them', () => {
    const row = catalog.rowOf('i-new');
    return row < follower.current.scores.length / ROW_SCORE.width && follower.current.neighborsTo(row, 9) > follower.current.neighborsFrom(row);
  }, 8000);
  const another = follow(t, catalog);
  await until('a process that starts later has the same', () => another.version !== undefined
    && areClose(sharesOf(another.current, catalog), sharesOf(follower.current, catalog), EXACT), 5000);
  await counter.stop();
});

await t.test('streams go only behind the checkpoint, and a stopped count goes on from it', async (t) => {
  const dir = await archiveDir(t);
  const catalog = aCatalog();
  const first = someEvents(300);
  await append(redis, ...first);
  const counter = await countHere(dir);
  await until('a checkpoint holds them all', async () => (await groupLag(redis, eventStreams, STATISTICS_GROUP)) === 0, 10_000);
  await new StreamKeeper(redis).trim(eventStreams, [STATISTICS_GROUP]);
  await counter.stop();
  const later = someEvents(100);
  await append(redis, ...later);
  t.equal(await new StreamKeeper(redis).trim(eventStreams, [STATISTICS_GROUP]), 0, 'what is not counted stays');
  const next = await countHere(dir);
  const follower = follow(t, catalog);
  await until('both are counted, once', () => isSame(follower, catalog, [...first, ...later], LIVE), 10_000);
  t.match(next.events[0], { kind: 'resumed' });
  await next.stop();
  await writeFile(join(dir, 'statistics.state'), 'damaged');
  const third = await countHere(dir);
  await until('without its checkpoint it counts from the archive', () => third.events.some(({ kind }) => kind === 'recounted'), 5000);
  await third.stop();
});

await t.test('a recount takes from the archive what left the streams, and nothing twice', async (t) => {
  const dir = await archiveDir(t);
  const catalog = aCatalog();
  const writer = new ArchiveWriter(dir, 'w', Date.now);
  const archiver = consume(server.url, redis, new EventArchiver({ writer, clock: Date.now, onErased: async () => { /* Not asked. */ } }));
  const first = someEvents(300);
  await append(redis, ...first);
  const counter = await countHere(dir);
  await until('all is archived and counted', async () => (await groupLag(redis, eventStreams, 'archive')) + (await groupLag(redis, eventStreams, STATISTICS_GROUP)) === 0, 10_000);
  t.equal(await new StreamKeeper(redis).trim(eventStreams, [STATISTICS_GROUP, 'archive']), 300);
  const later = someEvents(100);
  await append(redis, ...later);
  await store.askRecount('test');
  await until('it is recounted', () => counter.events.some((event) => event.kind === 'recounted' && event.reason === 'test'), 10_000);
  const last = someEvents(50);
  await append(redis, ...last);
  const follower = follow(t, catalog);
  await until('all is in, once', () => isSame(follower, catalog, [...first, ...later, ...last], LIVE), 10_000);
  await archiver.stop();
  await writer.close();
  await counter.stop();
});

await t.test('who is flagged as a risk no longer counts, and after a recount never did', async (t) => {
  const dir = await archiveDir(t);
  const catalog = aCatalog();
  const writer = new ArchiveWriter(dir, 'w', Date.now);
  const archiver = consume(server.url, redis, new EventArchiver({ writer, clock: Date.now, onErased: async () => { /* Not asked. */ } }));
  const others = someEvents(200);
  const theirs = someEvents(60).map((event) => ({ ...event, shopper: 'u:bot' }));
  const counter = await countHere(dir);
  await append(redis, ...others, ...theirs.slice(0, 30));
  await append(redis, { type: 'risk', id: 'r1', shopper: 'u:bot', flagged: true, at: clock });
  await append(redis, ...theirs.slice(30));
  const follower = follow(t, catalog);
  await until('what came before the flag counts', () => isSame(follower, catalog, [...others, ...theirs.slice(0, 30)], LIVE), 10_000);
  await until('all is archived', async () => (await groupLag(redis, eventStreams, 'archive')) === 0, 10_000);
  await store.askRecount('test');
  await until('nothing of theirs counts', () => isSame(follower, catalog, others, LIVE), 10_000);
  await archiver.stop();
  await writer.close();
  await counter.stop();
});

await t.test('other settings count anew', async (t) => {
  const dir = await archiveDir(t);
  await (await countHere(dir)).stop();
  const other = await countHere(dir, { ...DEFAULT_STATISTICS, again: 2 });
  await until('it is published', async () => (await store.currentVersion()) !== undefined && other.events.some(({ kind }) => kind === 'published'));
  t.match(other.events[0], { kind: 'recounted' });
  t.equal((await store.read((await store.currentVersion())!))?.use.again, 2);
  await other.stop();
});

await t.test('workers that are killed in the middle leave nothing out and count nothing twice', async (t) => {
  const dir = await archiveDir(t);
  const catalog = aCatalog();
  const follower = follow(t, catalog);
  const all: ShopperEvent[] = [];
  const program = join(import.meta.dirname, '..', 'helpers', 'live-statistics-child.js');
  const launch = (): ChildProcess => fork(program, [server.url, dir], { stdio: 'ignore' });
  const send = async (count: number): Promise<void> => {
    const events = someEvents(count);
    all.push(...events);
    await append(redis, ...events);
  };
  for (let round = 0; round < 3; round++) {
    const worker = launch();
    await send(40);
    await until('a checkpoint holds them', async () => (await groupLag(redis, eventStreams, STATISTICS_GROUP)) === 0, 20_000);
    for (let i = 0; i < 15; i++) {
      await send(10);
      await new Promise((done) => { setTimeout(done, 20 + 40 * round); });
    }
    const ended = once(worker, 'exit');
    worker.kill('SIGKILL');
    await ended;
    await redis.del(keys.lock('statistics'));
    await new StreamKeeper(redis).trim(eventStreams, [STATISTICS_GROUP]);
  }
  const reports: unknown[] = [];
  const log = pino({ level: 'info' }, { write: (line) => { reports.push(JSON.parse(line)); } });
  const last = new LiveStatisticsProcess({
    task: { archiveDir: dir, redisUrl: server.url, keyPrefix: keys.prefix },
    settings: async () => DEFAULT_STATISTICS, lease: new Lease(redis, keys.lock('statistics'), randomUUID()), log,
  });
  last.start();
  await until('all is counted', () => isSame(follower, catalog, all, LIVE), 30_000);
  await last.stop();
  t.match(reports[0], { kind: 'resumed' });
  const { settings, counts } = (await loadCheckpoint(join(dir, 'statistics.state')))!;
  const resumed = new Statistics(StatisticsBuilder.restore(settings, counts).build(), catalog);
  t.ok(areClose(sharesOf(resumed, catalog), sharesOf(new Statistics(counted(all).build(), catalog), catalog), EXACT), 'as an uninterrupted count');
  t.equal(counts.events.reduce((sum, count) => sum + count), all.length);
});
