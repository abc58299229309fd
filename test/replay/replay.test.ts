import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { EVENT_TYPES, type EventInput } from '../../src/domain/event.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { openLog } from '../../src/replay/log.js';
import { runReplay } from '../../src/replay/run-replay.js';
import { seededRandom } from '../../src/util/random.js';
import { PATIENT, startEngine, type Engine } from '../helpers/engine.js';
import { Folded } from '../helpers/folded.js';

const RETAIL = join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'data', 'online-retail');
/** Of online-retail so many events are replayed; `REPLAY_EVENTS=Infinity`, all of them, is the measurement. */
const EVENTS = Number(process.env['REPLAY_EVENTS'] ?? 10_000);
const IS_WHOLE = EVENTS === Infinity;
/** Bytes of its table for each of those: more than a line has, and than the lines between them that are no event. */
const EVENT_BYTES = 200;
/** Of the whole file. */
const ITEMS = 3665;
const CUSTOMERS = 4338;
const PURCHASES = 397_884;
const MEDIAN_BYTES_MAX = 1200;
const keys = makeKeys('rivulet:');

async function redisOf(t: Test, engine: Engine) {
  const redis = connectRedis(engine.redis.url, 'commands', { timeoutMs: 20_000, name: 'test' });
  t.teardown(() => redis.disconnect());
  await untilReady(redis, 10_000);
  return redis;
}

/** Events of some shoppers, well mixed, each shopper's in order of time. */
function someEvents(count: number): EventInput[] {
  const random = seededRandom(7);
  const from = Date.UTC(2025, 0, 1);
  return Array.from({ length: count }, (_, i): EventInput => {
    const shopper = Math.floor(random() * 40);
    return {
      id: `r${i}`, type: EVENT_TYPES[Math.floor(random() * EVENT_TYPES.length)]!, itemId: `item-${Math.floor(random() * 60)}`,
      ...(shopper % 3 === 0 ? { anonymousId: `s${shopper}` } : { userId: `s${shopper}` }),
      timestamp: from + i * 47_000, value: Math.floor(random() * 10_000) / 100, currency: 'EUR', quantity: 1 + Math.floor(random() * 3),
    };
  });
}

await t.test('a log of events arrives in order and once, though Redis stops in the middle', async (t) => {
  const engine = await startEngine();
  t.teardown(() => engine.stop());
  const redis = await redisOf(t, engine);
  const events = someEvents(6000);
  const file = join(t.testdir({}), 'events.ndjson');
  await writeFile(file, `${events.map((event) => JSON.stringify(event)).join('\n')}\nnot an event\n${JSON.stringify({ id: 'x', type: 'unknown', userId: 'u' })}\n`);
  let isPaused = false;
  const paused = async (): Promise<void> => {
    await engine.redis.kill('SIGSTOP');
    await pause(2500);
    await engine.redis.kill('SIGCONT');
  };
  let fault: Promise<void> | undefined;
  let last = { bytesRead: 0, bytes: 1, sent: 0 };
  const report = await runReplay({
    path: file, url: engine.url, concurrency: 3,
    onProgress: (progress) => {
      last = progress;
      if (isPaused || progress.sent < 1500) return;
      isPaused = true;
      fault = paused();
    },
  });
  await fault;
  t.ok(isPaused, 'Redis was stopped');
  t.match(report, { events: events.length + 1, rejected: 1, skipped: 1, items: 0 });
  // What a write of unknown fate had stored after all is told as seen before, when it is sent again.
  t.equal(report.accepted + report.duplicates, events.length);
  t.ok(report.retries > 0, 'requests were repeated');
  t.match([...report.reasons.keys()], [/unknown/u]);
  t.same(last, { bytesRead: last.bytes, bytes: last.bytes, sent: events.length + 1 });
  const folded = new Folded([]);
  for (const event of events) folded.add(event);
  t.same(await folded.different((shoppers) => redis.mgetBuffer(shoppers.map(keys.profile))), [], 'each profile is the fold of its events');

  const again = await runReplay({ path: file, url: engine.url, concurrency: 2, limit: 2500 });
  t.match(again, { events: 2500, accepted: 0, duplicates: 2500 }, 'a second replay counts nothing twice');
});

await t.test('an engine that refuses ends the replay with its message', async (t) => {
  const engine = await startEngine({ env: { ...PATIENT, API_KEYS: 'readers-key:recommend' } });
  t.teardown(() => engine.stop());
  const file = join(t.testdir({ 'e.ndjson': JSON.stringify(someEvents(1)[0]) }), 'e.ndjson');
  await t.rejects(runReplay({ path: file, url: engine.url, concurrency: 1 }), /API key/u);
  await t.rejects(runReplay({ path: file, url: engine.url, apiKey: 'readers-key', concurrency: 1 }), /scope/u);
});

/** The beginning of the table, which is read once for its items and once for its events. */
async function shortTable(t: Test): Promise<string> {
  const table = gunzipSync(await readFile(join(RETAIL, 'transactions.csv.gz'))).subarray(0, EVENTS * EVENT_BYTES);
  const path = join(t.testdir({}), 'transactions.csv');
  await writeFile(path, table.subarray(0, table.lastIndexOf('\n') + 1));
  return path;
}

const skip = existsSync(RETAIL) ? false : 'no ../shared/data/online-retail here';
await t.test(`online-retail (${IS_WHOLE ? 'all' : EVENTS} events) over HTTP leaves every profile equal to folding the file in memory, and small`, { skip, timeout: 380_000 }, async (t) => {
  const engine = await startEngine({ env: PATIENT });
  t.teardown(() => engine.stop());
  const redis = await redisOf(t, engine);
  const path = IS_WHOLE ? RETAIL : await shortTable(t);
  const log = await openLog(path);
  const items = await log.items();
  t.ok(IS_WHOLE ? items.length === ITEMS : items.length > ITEMS / 4, `${items.length} items`);
  const report = await runReplay({ path, url: engine.url, concurrency: 4, limit: EVENTS });
  t.match(report, { accepted: report.events, duplicates: 0, rejected: 0, items: items.length });
  t.comment(`${report.events} events in ${report.seconds.toFixed(1)} s`);

  const folded = new Folded(items);
  const purchases = new Map<string, number>();
  let count = 0;
  for await (const event of log.events({})) {
    if (count++ === EVENTS) break;
    folded.add(event);
    if (event.type === 'purchase') purchases.set(event.userId!, (purchases.get(event.userId!) ?? 0) + 1);
  }
  if (IS_WHOLE) {
    t.equal(purchases.size, CUSTOMERS, 'customers of the clean subset');
    t.equal([...purchases.values()].reduce((sum, count) => sum + count, 0), PURCHASES, 'its rows');
  } else t.equal(report.events, EVENTS);
  t.same(await folded.different((shoppers) => redis.mgetBuffer(shoppers.map(keys.profile))), []);

  const pipeline = redis.pipeline();
  for (const customer of purchases.keys()) pipeline.memory('USAGE', keys.profile(`u:${customer}`));
  const sizes = (await pipeline.exec() ?? []).map(([, bytes]) => Number(bytes)).toSorted((a, b) => a - b);
  const median = sizes[sizes.length >> 1]!;
  t.comment(`MEMORY USAGE: median ${median} bytes, 99 % ${sizes[Math.floor(sizes.length * 0.99)]!}, largest ${sizes.at(-1)!}`);
  t.ok(median <= MEDIAN_BYTES_MAX, `the median profile takes ${median} bytes in Redis`);
});
