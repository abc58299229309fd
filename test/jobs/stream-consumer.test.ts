import t from 'tap';
import { CONSUMER_LIMITS } from '../../src/jobs/stream-consumer.js';
import { groupLag } from '../../src/jobs/streams.js';
import type { RedisClient } from '../../src/redis/client.js';
import { StreamKeeper } from '../../src/redis/stream-keeper.js';
import { LATE, within } from '../../src/util/deadline.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, append, commandsTo, consume, eventStreams, keys, listenTo, Recorder, until } from '../helpers/streams.js';

const server = await startRedis({ appendOnly: true, appendFsync: 'always' });
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
t.beforeEach(async () => { await redis.flushall(); });

const events = (count: number) => Array.from({ length: count }, (_, i) => anEvent({ shopper: `u:${i % 40}` }));
const sorted = (ids: readonly string[]): string[] => ids.toSorted();

await t.test('entries of all partitions are handled once each, those that were there before the group too', async (t) => {
  const early = events(300);
  await append(redis, ...early);
  const handler = new Recorder('g');
  const consumer = consume(server.url, redis, handler);
  const late = events(300);
  await append(redis, ...late);
  await until('all are handled', () => handler.ids.length >= 600);
  await until('all are acknowledged', async () => (await groupLag(redis, eventStreams, 'g')) === 0);
  await consumer.stop();
  t.same(sorted(handler.ids), sorted([...early, ...late].map(({ id }) => id)));
});

await t.test('what cannot be read is passed over and counted', async (t) => {
  await redis.xadd(keys.events(0), '*', 'e', '{not json');
  await redis.xadd(keys.events(0), '*', 'x', '1');
  const [event] = events(1);
  await append(redis, event!);
  const handler = new Recorder('g');
  const consumer = consume(server.url, redis, handler);
  await until('the good one is handled', () => handler.ids.length === 1 && consumer.counts.skipped === 2);
  await consumer.stop();
  t.equal(await groupLag(redis, eventStreams, 'g'), 0);
});

await t.test('a batch that fails comes again; one bad entry does not hold up the others for ever', async (t) => {
  const all = events(20);
  const bad = all[7]!.id;
  const handler = new Recorder('g', 2);
  handler.before = async (entries) => { if (entries.some(({ record }) => record.id === bad)) throw new Error('bad'); };
  await append(redis, ...all);
  const consumer = consume(server.url, redis, handler);
  await until('all others are handled', () => handler.ids.length === 19);
  await until('all are acknowledged', async () => (await groupLag(redis, eventStreams, 'g')) === 0);
  await consumer.stop();
  t.equal(consumer.counts.skipped, 1);
  t.ok(consumer.counts.failures >= 2);
});

await t.test('stop waits for the batch under way; an idle consumer stops at once', async (t) => {
  const handler = new Recorder('g');
  let entered = false;
  handler.before = async () => {
    entered = true;
    await new Promise((done) => { setTimeout(done, 300); });
  };
  const consumer = consume(server.url, redis, handler);
  await append(redis, ...events(5));
  await until('a batch is under way', () => entered);
  await consumer.stop();
  t.ok(handler.ids.length > 0);
  const left = await groupLag(redis, eventStreams, 'g');
  t.equal(left, 5 - handler.ids.length, 'what was handled is acknowledged');
  const idle = consume(server.url, redis, new Recorder('idle'));
  await until('the group is there', async () => (await redis.exists(keys.events(63))) === 1);
  await new Promise((done) => { setTimeout(done, 100); });
  t.not(await within(idle.stop(), CONSUMER_LIMITS.blockMs - 500), LATE, 'before its read ends by itself');
});

await t.test('an idle consumer stops though Redis is gone: nothing will ever answer its read', async (t) => {
  let connection: RedisClient | undefined;
  const idle = consume(server.url, redis, new Recorder('alone'), { connect: () => connection = listenTo(server.url)() });
  await until('the group is there', async () => (await redis.exists(keys.events(63))) === 1);
  await new Promise((done) => { setTimeout(done, 100); });
  await server.kill('SIGKILL');
  await until('the connection is lost', () => connection?.status === 'reconnecting');
  t.not(await within(idle.stop(), CONSUMER_LIMITS.blockMs + CONSUMER_LIMITS.blockGraceMs - 3000), LATE, 'before its read is given up');
  await server.restart();
  await until('others go on', async () => (await redis.ping().catch(() => '')) === 'PONG');
});

await t.test('entries of a consumer that died are read again: by its successor of the same name, or taken over', async (t) => {
  const all = events(60);
  await append(redis, ...all);
  for (const name of ['g', 'h']) await Promise.all(eventStreams.map((stream) => redis.xgroup('CREATE', stream, name, '0', 'MKSTREAM')));
  for (const name of ['g', 'h']) await redis.call('XREADGROUP', 'GROUP', name, 'dead', 'COUNT', 100, 'STREAMS', ...eventStreams, ...eventStreams.map(() => '>'));
  const same = new Recorder('g');
  const successor = consume(server.url, redis, same, { consumer: 'dead' });
  const other = new Recorder('h');
  const heir = consume(server.url, redis, other, { claimIdleMs: 200, claimEveryMs: 100 });
  await append(redis, anEvent({ id: 'wake' }));
  await new Promise((done) => { setTimeout(done, 250); });
  await append(redis, anEvent({ id: 'wake-2' }));
  await until('both have all', () => same.ids.length >= 62 && other.ids.length >= 62);
  await successor.stop();
  await heir.stop();
  t.same(sorted(same.ids), sorted([...all.map(({ id }) => id), 'wake', 'wake-2']));
  t.same(sorted(other.ids), sorted([...all.map(({ id }) => id), 'wake', 'wake-2']));
});

await t.test('an emptied Redis: the group is made again, from the first entry on', async (t) => {
  const handler = new Recorder('g');
  const consumer = consume(server.url, redis, handler);
  const [before, after] = [anEvent({ id: 'before' }), anEvent({ id: 'after' })];
  await append(redis, before);
  await until('the first is handled', () => handler.ids.includes('before'));
  await redis.flushall();
  await append(redis, after);
  await until('the second is handled', () => handler.ids.includes('after'), 15_000);
  await consumer.stop();
  t.same(handler.ids, ['before', 'after']);
});

await t.test('Redis killed and restarted under load: every acknowledged append is handled', async (t) => {
  const handler = new Recorder('g');
  const consumer = consume(server.url, redis, handler);
  const appended: string[] = [];
  const load = new AbortController();
  const writing = (async () => {
    while (!load.signal.aborted) {
      const event = anEvent({ shopper: `u:${Math.trunc(Math.random() * 50)}` });
      await append(redis, event).then(() => appended.push(event.id), () => new Promise((done) => { setTimeout(done, 20); }));
    }
  })();
  await until('it runs', () => handler.ids.length > 50);
  await server.kill('SIGKILL');
  await new Promise((done) => { setTimeout(done, 700); });
  await server.restart();
  const sofar = handler.ids.length;
  await until('it goes on', () => handler.ids.length > sofar + 50);
  load.abort();
  await writing;
  await until('all are handled', () => appended.every((id) => handler.ids.includes(id)), 15_000);
  await consumer.stop();
  t.pass(`${appended.length} appended, ${handler.ids.length} handled`);
});

await t.test('a stream is trimmed only behind all groups', async (t) => {
  const keeper = new StreamKeeper(redis);
  const stream = keys.eventsOf('u:ann');
  const ids = await append(redis, ...Array.from({ length: 10 }, () => anEvent()));
  const trim = (): Promise<number> => keeper.trim(eventStreams, ['archive', 'triggers']);
  t.equal(await trim(), 0, 'no group is there');
  await redis.xgroup('CREATE', stream, 'archive', '0');
  const read = (group: string, count: number): Promise<unknown> => redis.xreadgroup('GROUP', group, 'c', 'COUNT', count, 'STREAMS', stream, '>');
  await read('archive', 10);
  await redis.xack(stream, 'archive', ...ids);
  t.equal(await trim(), 0, 'one that must be there is missing');
  await redis.xgroup('CREATE', stream, 'triggers', '0');
  t.equal(await trim(), 0, 'one has read nothing');
  await read('triggers', 6);
  t.equal(await trim(), 0, 'all it has read is pending');
  await redis.xack(stream, 'triggers', ids[0]!, ids[1]!, ids[4]!);
  t.equal(await trim(), 2, 'up to the first that is pending');
  await redis.xack(stream, 'triggers', ids[2]!, ids[3]!, ids[5]!);
  t.equal(await trim(), 4, 'up to the last that was read');
  await redis.xgroup('CREATE', stream, 'guest', '0');
  await read('triggers', 4);
  await redis.xack(stream, 'triggers', ...ids);
  t.equal(await trim(), 0, 'a group that nobody named counts too');
  await read('guest', 10);
  await redis.xack(stream, 'guest', ...ids);
  t.equal(await trim(), 4);
  t.equal(await redis.xlen(stream), 0);
});
