import { once } from 'node:events';
import t from 'tap';
import type { Position } from '../../src/domain/channel.js';
import { ChannelLog, LOG_LIMITS, roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const server = await startRedis();
const redis = connectRedis(server.url, 'commands', { timeoutMs: 10_000, name: 'test' });
const listener = connectRedis(server.url, 'listening', { timeoutMs: 0, name: 'test' });
await Promise.all([untilReady(redis, 10_000), untilReady(listener, 10_000)]);
t.teardown(async () => {
  for (const connection of [redis, listener]) connection.disconnect();
  await server.stop();
});
const keys = makeKeys('test:');
const clock = { now: 1_800_000_000_000 };
const log = new ChannelLog(redis, () => clock.now);
const ann = shopperChannel(keys, 'u:ann "}{€');

async function framesAfter(channel: typeof ann, after: Position | number): Promise<unknown[] | 'lost'> {
  const { frames } = await log.read(channel, after);
  return frames === undefined ? 'lost' : frames.map(({ epoch, offset, json }) => {
    const frame = JSON.parse(json.toString()) as { epoch: string; offset: number; n: unknown };
    return frame.epoch === epoch && frame.offset === offset ? frame.n : 'does not say where it is';
  });
}

await t.test('frames are numbered, published and read back from any place', async (t) => {
  const { head } = await log.read(ann, 0);
  t.same(head, { epoch: String(clock.now), offset: 0 }, 'reading begins a log');
  const messages: string[] = [];
  listener.on('smessage', (_channel: string, message: string) => messages.push(message));
  await listener.ssubscribe(ann.push);
  clock.now += 5;
  for (let n = 1; n <= 4; n++) t.same(await log.publish(ann, 'note', { n }), { epoch: head.epoch, offset: n });
  while (messages.length < 4) await once(listener, 'smessage');
  t.equal(messages[0], `${head.epoch}-1 {"type":"note","channel":"user:ann \\"}{€","epoch":"${head.epoch}","offset":1,"n":1}`);
  t.same(await framesAfter(ann, head), [1, 2, 3, 4]);
  t.same(await framesAfter(ann, { ...head, offset: 3 }), [4]);
  t.same(await framesAfter(ann, { ...head, offset: 4 }), []);
  t.same(await framesAfter(ann, { ...head, offset: 5 }), 'lost', 'a place that never was');
  t.same(await framesAfter(ann, { epoch: '1', offset: 2 }), 'lost', 'another log');
  t.same(await framesAfter(ann, 3), [2, 3, 4], 'the last ones');
  t.same((await log.read(ann, 1)).head, { ...head, offset: 4 });
  await log.publishState(ann, 'count', {});
  while (messages.length < 5) await once(listener, 'smessage');
  t.equal(messages[4], `~${head.epoch}-4 {"type":"count","channel":"user:ann \\"}{€","epoch":"${head.epoch}","offset":4}`);
  t.same((await log.read(ann, 0)).head, { ...head, offset: 4 }, 'a state frame has no place of its own');
});

await t.test('a log keeps the last frames only', async (t) => {
  const room = roomChannel(keys, 'r1');
  const { head } = await log.read(room, 0);
  const extra = 7;
  await Promise.all(Array.from({ length: LOG_LIMITS.framesMax + extra }, (_, n) => log.publish(room, 'note', { n: n + 1 })));
  t.equal(await redis.xlen(room.log), LOG_LIMITS.framesMax);
  t.same(await framesAfter(room, { ...head, offset: extra - 1 }), 'lost');
  const kept = await framesAfter(room, { ...head, offset: extra });
  t.same([kept.length, kept[0]], [LOG_LIMITS.framesMax, extra + 1]);
});

await t.test('a lost log begins a new epoch; one that is listened to does not expire', async (t) => {
  const room = roomChannel(keys, 'r2');
  const { head } = await log.read(room, 0);
  await log.publish(room, 'note', { n: 1 });
  await redis.pexpire(room.log, 1000);
  await log.keep([room, roomChannel(keys, 'nobody')]);
  t.ok(await redis.pttl(room.log) > LOG_LIMITS.lifeMs / 2);
  await redis.del(room.log);
  clock.now += 1;
  t.same(await log.publish(room, 'note', { n: 1 }), { epoch: String(clock.now), offset: 1 });
  t.same(await framesAfter(room, { ...head, offset: 1 }), 'lost');
});

await t.test('another master of a cluster begins a new epoch, whatever its clock', async (t) => {
  const node = await startRedis({ settings: { 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1' } });
  const alone = connectRedis(node.url, 'commands', { timeoutMs: 10_000, name: 'test' });
  await untilReady(alone, 10_000);
  await alone.cluster('ADDSLOTSRANGE', 0, 16_383);
  await until(async () => (await alone.cluster('INFO')).includes('cluster_state:ok'), 'the cluster');
  const cluster = connectRedis(`redis-cluster://127.0.0.1:${node.port}`, 'commands', { timeoutMs: 10_000, name: 'test' });
  await untilReady(cluster, 10_000);
  t.teardown(async () => {
    for (const connection of [alone, cluster]) connection.disconnect();
    await node.stop();
  });
  const there = new ChannelLog(cluster, () => clock.now);
  const room = roomChannel(keys, 'r3');
  const before = await there.publish(room, 'note', { n: 1 });
  t.same(await there.publish(room, 'note', { n: 2 }), { ...before, offset: 2 });
  await cluster.xadd(room.log, `${before.epoch}-3`, 'f', '{}', 'n', 'another');
  clock.now -= 10;
  const after = await there.publish(room, 'note', { n: 3 });
  t.same(after, { epoch: String(Number(before.epoch) + 1), offset: 1 });
  const read = await there.read(room, before);
  t.same([read.head, read.frames], [after, undefined]);
  t.equal((await there.read(room, 5)).frames?.length, 1, 'of this epoch only');
});
