import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { startEngine, type Engine } from '../helpers/engine.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { Traffic, putItems } from '../helpers/traffic.js';

/** Redis stopped, paused and restarted under traffic: what the engine promises of it. */

const ITEMS = 60;
const RECOVERED_MS = 5000;

const faults: Readonly<Record<string, (redis: TestRedis) => Promise<void>>> = {
  'paused for five seconds (SIGSTOP)': async (redis) => {
    await redis.kill('SIGSTOP');
    await pause(5000);
    await redis.kill('SIGCONT');
  },
  'killed, gone for two seconds, and started again': async (redis) => {
    await redis.kill('SIGKILL');
    await pause(2000);
    await redis.restart();
  },
  'restarted in good order': async (redis) => {
    await redis.restart();
  },
};

for (const [name, fault] of Object.entries(faults)) {
  await t.test(`Redis ${name}`, { timeout: 60_000 }, async (t) => {
    const redis = await startRedis({ appendOnly: true });
    t.teardown(() => redis.stop());
    const engine = await startEngine({ role: 'api', redis });
    t.teardown(() => engine.stop());
    await putItems(engine.url, ITEMS);
    const traffic = new Traffic(engine.url, { readers: 4, writers: 4, items: ITEMS });
    await pause(1500);
    const brokeAt = Date.now();
    await fault(redis);
    const mendedAt = Date.now();
    await pause(RECOVERED_MS + 1500);
    await traffic.stop();
    check(t, traffic, brokeAt, mendedAt, name.startsWith('restarted'));
    await eachCountedOnce(t, engine, redis, traffic);
  });
}

function check(t: Test, traffic: Traffic, brokeAt: number, mendedAt: number, brief: boolean): void {
  t.same(traffic.ranked.filter((one) => one.status !== 200), [], 'no ranking failed');
  t.same(traffic.broken, [], 'no connection broke');
  t.same(traffic.ranked.filter((one) => one.count === 0), [], 'no list was empty');
  const before = traffic.ranked.filter((one) => one.at < brokeAt);
  t.ok(before.length > 20 && before.every((one) => one.degraded.length === 0), 'full service before');
  const during = traffic.ranked.filter((one) => one.at > brokeAt + 300 && one.at < mendedAt - 50);
  // A Redis that does not answer leaves nothing but older features; a list that says nothing of it would be a lie.
  if (!brief) t.ok(during.length > 5 && during.every((one) => one.degraded.some((rung) => /features|list/u.test(rung))), `${during.length} lists meanwhile say that they are degraded`);
  const after = traffic.ranked.filter((one) => one.at > mendedAt + RECOVERED_MS);
  t.ok(after.length > 20 && after.every((one) => one.degraded.length === 0), `full service within ${RECOVERED_MS} ms (${after.length} lists)`);
}

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
  t.ok(total > 100, `${total} events`);
  t.equal(streamed.size, total, 'nothing else is in the streams');
}
