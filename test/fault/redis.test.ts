import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { startEngine, type Engine } from '../helpers/engine.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { until } from '../helpers/streams.js';
import { Traffic, putItems, type Ranked } from '../helpers/traffic.js';

/** Redis stopped, paused and restarted under traffic: what the engine promises of it. */

const ITEMS = 60;
/** Lists in a row that make a service full. */
const ROW = 50;

const EVENTS_MIN = 100;

interface Fault {
  /** What takes Redis away; nothing where mending alone does. */
  readonly signal?: NodeJS.Signals;
  readonly awayMs: number;
  readonly mend: (redis: TestRedis) => Promise<void>;
}
const faults: Readonly<Record<string, Fault>> = {
  'paused for five seconds (SIGSTOP)': { signal: 'SIGSTOP', awayMs: 5000, mend: (redis) => redis.kill('SIGCONT') },
  'killed, gone for two seconds, and started again': { signal: 'SIGKILL', awayMs: 2000, mend: (redis) => redis.restart() },
  'restarted in good order': { awayMs: 0, mend: (redis) => redis.restart() },
};

const isFull = (one: Ranked): boolean => one.degraded.length === 0;
const isDegraded = (one: Ranked): boolean => one.degraded.some((rung) => /features|list/u.test(rung));

// Each has a Redis and an engine of its own, and all mostly wait.
t.jobs = Object.keys(faults).length;
await Promise.all(Object.entries(faults).map(([name, { signal, awayMs, mend }]) => t.test(`Redis ${name}`, { timeout: 150_000 }, async (t) => {
  const redis = await startRedis({ appendOnly: true });
  t.teardown(() => redis.stop());
  // Where the machine is busy a list may take its time; a Redis that is away still takes longer.
  const engine = await startEngine({ role: 'api', redis, env: { RECOMMEND_DEADLINE_MS: '500' } });
  t.teardown(() => engine.stop());
  await putItems(engine.url, ITEMS);
  const traffic = new Traffic(engine.url, { readers: 4, writers: 4, items: ITEMS });
  await until('some events are taken', () => traffic.events > EVENTS_MIN);
  await traffic.untilRow(ROW, isFull);
  if (signal !== undefined) {
    await redis.kill(signal);
    const awayAt = Date.now() + 300;
    const meanwhile = (): Ranked[] => traffic.ranked.filter((one) => one.askedAt > awayAt);
    await Promise.all([pause(awayMs), until('lists are asked for meanwhile', () => meanwhile().length > 5)]);
    // A Redis that does not answer leaves nothing but older features; a list that says nothing of it would be a lie.
    t.ok(meanwhile().every(isDegraded), `${meanwhile().length} lists meanwhile say that they are degraded`);
  }
  await mend(redis);
  const mendedAt = Date.now();
  const fullAt = await traffic.untilRow(ROW, isFull);
  await traffic.stop();
  t.pass(`full service ${fullAt - mendedAt} ms after it was back`);
  t.same(traffic.ranked.filter((one) => one.status !== 200), [], 'no ranking failed');
  t.same(traffic.broken, [], 'no connection broke');
  t.same(traffic.ranked.filter((one) => one.count === 0), [], 'no list was empty');
  await eachCountedOnce(t, engine, redis, traffic);
})));

await t.test('Redis that says nothing while the engine starts is waited for', { timeout: 150_000 }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const client = new Redis(redis.url);
  t.teardown(() => { client.disconnect(); });
  const silentMs = 4000;
  await client.client('PAUSE', silentMs, 'ALL');
  const startedAt = Date.now();
  const engine = await startEngine({ role: 'both', redis, env: { REDIS_TIMEOUT_MS: '200' } });
  t.teardown(() => engine.stop());
  t.ok(Date.now() - startedAt > 200, 'longer than a command gets once it runs');
  await putItems(engine.url, ITEMS);
  await client.client('PAUSE', silentMs, 'ALL');
  const refused = await fetch(`${engine.url}/v1/users/somebody/profile`);
  t.match([refused.status, await refused.json()], [503, { code: 'store_unavailable' }], 'then no longer');
});

/** Every event was acknowledged in the end: it must be in the profile and in the stream, once. */
async function eachCountedOnce(t: Test, engine: Engine, redis: TestRedis, traffic: Traffic): Promise<void> {
  const client = new Redis(redis.url);
  const streamed = new Map<string, number>();
  for (const key of await client.keys('*:events')) {
    for (const [, fields] of await client.xrange(key, '-', '+')) {
      const { id } = JSON.parse(fields[1]!) as { id: string };
      streamed.set(id, (streamed.get(id) ?? 0) + 1);
    }
  }
  client.disconnect();
  let total = 0;
  for (const [shopper, sent] of traffic.sent) {
    total += sent;
    const profile = await (await fetch(`${engine.url}/v1/users/${shopper}/profile`)).json() as { events: number };
    t.equal(profile.events, sent, `${shopper}: ${sent} events sent, each in the profile once`);
    for (let n = 0; n < sent; n++) if (streamed.get(`${shopper}-${n}`) !== 1) t.fail(`${shopper}-${n} is in the stream ${streamed.get(`${shopper}-${n}`) ?? 0} times`);
  }
  t.ok(total > EVENTS_MIN, `${total} events`);
  t.equal(streamed.size, total, 'nothing else is in the streams');
}
