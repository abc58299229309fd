import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import t from 'tap';
import { ChannelLog, shopperChannel } from '../../src/redis/channel-log.js';
import { ClaimStore } from '../../src/redis/claim-store.js';
import { codeSource } from '../../src/domain/claim-code.js';
import { connectRedis, limitCommands, untilReady } from '../../src/redis/client.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { SegmentStore } from '../../src/redis/segment-store.js';
import { ShardSubscriber } from '../../src/redis/shard-subscriber.js';
import { claimRig, NOW, reason } from '../helpers/claims.js';
import { startRedisCluster } from '../helpers/redis-cluster.js';
import { commandsTo, keys } from '../helpers/streams.js';
import { until } from '../helpers/until.js';

/** The client, the stores and the subscriptions on a Redis Cluster of six processes. */

// A node that is paused is not to be taken for dead.
const cluster = await startRedisCluster({ nodeTimeoutMs: 30_000 });
t.teardown(() => cluster.stop());
const redis = await commandsTo(cluster.url, 1000) as Cluster;
t.teardown(() => { redis.disconnect(); });
const shoppers = Array.from({ length: 200 }, (_, i) => `u:s${i}`);

await t.test('what reaches over many slots is put together from all nodes', async (t) => {
  const store = new ProfileStore(redis, keys, { profileTtlS: 1000, streamEntriesMax: 1000 });
  const value = (shopper: string): Buffer => Buffer.concat([Buffer.alloc(8, 1), Buffer.from(shopper)]);
  const written = await Promise.all(shoppers.map((shopper) => store.write(shopper, null, value(shopper), [JSON.stringify({ id: shopper, shopper })])));
  t.ok(written.every((result) => result.written));
  const asked = [...shoppers, 'u:nobody', shoppers[0]!];
  t.same(await store.readMany(asked), asked.map((shopper) => (shopper === 'u:nobody' ? null : value(shopper))));
  const found = new Set<string>();
  for await (const page of new SegmentStore(redis, keys).profiles()) for (const shopper of page) found.add(shopper);
  t.same([...found].toSorted(), shoppers.toSorted());
  const entries = await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => redis.xlen(keys.events(partition))));
  t.equal(entries.reduce((sum, count) => sum + count), shoppers.length);
});

await t.test('a command whose reply is lost is not sent again; one that is late is unknown', async (t) => {
  const holderOf = await cluster.holders();
  const node = holderOf('counter')!;
  const connection = redis.nodes('master').find(({ options }) => options.port === node.port)!;
  await redis.set('counter', 0);
  await node.kill('SIGSTOP');
  await t.rejects(redis.incr('counter'), /Command timed out/u);
  const lost = redis.incr('counter');
  await pause(50);
  connection.stream.destroy();
  await t.rejects(lost, /Connection is closed/u);
  await node.kill('SIGCONT');
  await until(async () => Number(await redis.get('counter').catch(() => 0)) === 2, 'both were executed');
  await pause(300);
  t.equal(await redis.get('counter'), '2', 'once each');
});

await t.test('commands get the time that they are given by then, of nodes that come later, too', async (t) => {
  const client = connectRedis(cluster.url, 'commands', { timeoutMs: 60_000, name: 'test-limit' }) as Cluster;
  t.teardown(() => { client.disconnect(); });
  await untilReady(client, 5000);
  const times = (): (number | undefined)[] => client.nodes('all').map(({ options }) => options.commandTimeout);
  const [all, before] = [times().length, times()];
  t.same(before, Array.from({ length: all }, () => 60_000));
  limitCommands(client, 1234);
  t.same(times(), Array.from({ length: all }, () => 1234));
  client.disconnect();
  await client.connect();
  await until(() => times().length === all, 'all nodes');
  t.same(times(), Array.from({ length: all }, () => 1234));
});

await t.test('claims are waited for on the master that has them', async (t) => {
  const wait = connectRedis(cluster.url, 'commands', { timeoutMs: 3000, name: 'test-wait' });
  t.teardown(() => { wait.disconnect(); });
  await untilReady(wait, 5000);
  const { offer } = claimRig(redis);
  const careful = new ClaimStore(redis, keys, codeSource(), { redis: wait, replicas: 1, timeoutMs: 500 });
  const holderOf = await cluster.holders();
  const offers = await Promise.all(Array.from({ length: 12 }, (_, i) => offer(`wait-${i}`)));
  const nodes = new Set(offers.map(({ id }) => holderOf(keys.offer(id).state)));
  t.equal(nodes.size, 3, 'offers on every master');
  const ask = (id: string, key: string) => careful.claim({ offerId: id, kind: 'fixed', key, shopper: `u:${key}`, isEligible: true, at: NOW });
  const made = await Promise.all(offers.map(({ id }) => ask(id, 'first')));
  t.same(made.map(reason), offers.map(() => 'made'));
  // Without its replica one master's claims are pending, the others' are not.
  const [id = ''] = offers.map((one) => one.id);
  const master = holderOf(keys.offer(id).state)!;
  const replica = cluster.nodes[cluster.nodes.indexOf(master) + 3]!;
  await replica.kill('SIGSTOP');
  await t.rejects(ask(id, 'second'), { code: 'write_unknown' });
  const elsewhere = offers.find((one) => holderOf(keys.offer(one.id).state) !== master)!;
  t.equal(reason(await ask(elsewhere.id, 'second')), 'made');
  await replica.kill('SIGCONT');
  await until(async () => ask(id, 'second').then((outcome) => 'isNew' in outcome && !outcome.isNew, () => false), 'the claim is known');
});

await t.test('while a slot moves, commands, scripts and subscriptions follow it, and a gap is told of', async (t) => {
  const log = new ChannelLog(redis, Date.now);
  const ann = shopperChannel(keys, 'u:ann');
  const others = Array.from({ length: 20 }, (_, i) => shopperChannel(keys, `u:other-${i}`));
  const heard: number[] = [];
  const told: string[] = [];
  const subscriber = new ShardSubscriber(redis, {
    onMessage: (push, message) => { if (push === ann.push) heard.push(Number(/"n":(\d+)/u.exec(message.toString())?.[1])); },
    onLive: (push) => { if (push === ann.push) told.push('live'); },
    onLost: (push) => { if (push === ann.push) told.push('lost'); },
    onFault: (error) => { t.fail(String(error)); },
  });
  t.teardown(() => { subscriber.close(); });
  for (const { push } of [ann, ...others]) subscriber.subscribe(push);
  await until(() => told.length === 1, 'it is live');
  let n = 0;
  const over = new AbortController();
  const publishing = (async () => {
    while (!over.signal.aborted) {
      // Many slots in one turn: a redirection of some must not touch the others.
      await Promise.all([log.publish(ann, 'test', { n: n++ }), ...shoppers.slice(0, 50).map((shopper) => redis.hincrby(keys.standing(shopper), 'points', 1))]);
      await pause(2);
    }
  })();
  const holderOf = await cluster.holders();
  const here = holderOf(ann.push)!;
  const [there] = cluster.nodes.slice(0, 3).filter((node) => node !== here);
  for (const to of [there!, here]) {
    const before = told.length;
    await cluster.moveSlot(ann.push, to);
    await until(() => told.length >= before + 2 && told.at(-1) === 'live', 'the subscription is live again');
    const from = n;
    await until(() => heard.some((count) => count > from), 'frames arrive again');
  }
  over.abort();
  await publishing;
  t.match(told, ['live', 'lost', 'live', 'lost', 'live'], told.join(', '));
  t.same(heard, heard.toSorted((a, b) => a - b), 'in order');
  t.equal(new Set(heard).size, heard.length, 'and once');
  const points = await Promise.all(shoppers.slice(0, 50).map((shopper) => redis.hget(keys.standing(shopper), 'points')));
  t.same(points, points.map(() => String(n)), 'no command was lost or done twice');
  const { head } = await log.read(ann, 0);
  t.ok(head.offset > 0);
});
