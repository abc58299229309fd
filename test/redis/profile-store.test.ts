import t from 'tap';
import { randomBytes } from 'node:crypto';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys, partitionOf } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { startRedis } from '../helpers/redis.js';

const STREAM_MAX = 500;
const PARTITION = 3;
/** Shoppers of one partition, so that their writes of a turn travel together. */
const shoppers = Array.from({ length: 20_000 }, (_, i) => `u:${i}`).filter((shopper) => partitionOf(shopper) === PARTITION);

const redisServer = await startRedis();
const redis = connectRedis(redisServer.url, 'commands', { timeoutMs: 10_000, name: 'test' });
await untilReady(redis, 10_000);
const keys = makeKeys('test:');
const store = new ProfileStore(redis, keys, { profileTtlS: 1000, streamEntriesMax: STREAM_MAX });
t.teardown(async () => {
  redis.disconnect();
  await redisServer.stop();
});
const scriptCalls = async (): Promise<number> => {
  const text = await redis.info('commandstats');
  return ['eval', 'evalsha'].reduce((sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`, 'u').exec(text)?.[1] ?? 0), 0);
};
const streamEvents = async (): Promise<string[]> => (await redis.xrange(keys.events(PARTITION), '-', '+')).map(([, fields]) => fields[1]!);
const valueOf = (text: string): Buffer => Buffer.concat([randomBytes(8), Buffer.from(text)]);

await t.test('writes of one turn go in one call; a conflict among them hinders no other', async (t) => {
  const [a, b, c] = shoppers as [string, string, string];
  const there = valueOf('somebody else was first');
  t.strictSame(await store.write(b, null, there, ['b0']), { written: true });
  const before = await scriptCalls();
  const [first, second, third] = await Promise.all([
    store.write(a, null, valueOf('one'), ['a1', 'a2 ü€😀']), store.write(b, null, valueOf('late'), ['b1', 'b2']), store.write(c, null, valueOf('three'), ['c1']),
  ]);
  t.equal(await scriptCalls() - before, 1);
  t.strictSame(first, { written: true });
  t.strictSame(third, { written: true });
  t.strictSame(second, { written: false, current: there });
  t.strictSame(await streamEvents(), ['b0', 'a1', 'a2 ü€😀', 'c1'], 'whole, in order, none of the refused write');
  t.equal((await store.read(a))?.subarray(8).toString(), 'one');
  t.ok((await redis.ttl(keys.profile(c))) > 900);
});

await t.test('two writes of one shopper in one turn: the second meets the first', async (t) => {
  const shopper = shoppers[5]!;
  const value = valueOf('first');
  const [first, second] = await Promise.all([store.write(shopper, null, value, ['x']), store.write(shopper, null, valueOf('second'), ['y'])]);
  t.strictSame(first, { written: true });
  t.strictSame(second, { written: false, current: value });
  t.strictSame(await store.write(shopper, value, valueOf('third'), ['z']), { written: true }, 'with the token of what was read');
});

await t.test('many and large writes are divided', async (t) => {
  const before = await scriptCalls();
  const large = 'x'.repeat(30_000);
  const results = await Promise.all(shoppers.slice(10, 160).map((shopper) => store.write(shopper, null, valueOf(large), ['e'])));
  t.ok(results.every((result) => result.written));
  t.ok(await scriptCalls() - before >= 150 * 30_000 / (256 * 1024 + 30_000), 'by bytes');
  t.equal((await store.read(shoppers[100]!))?.length, 30_008);
});

await t.test('a full stream refuses and writes nothing', async (t) => {
  const events = Array.from({ length: STREAM_MAX }, (_, i) => `f${i}`);
  await store.write(shoppers[200]!, null, valueOf('fills'), events);
  const refused = await Promise.allSettled([store.write(shoppers[201]!, null, valueOf('no'), ['n']), store.write(shoppers[202]!, null, valueOf('no'), ['n'])]);
  t.strictSame(refused.map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'written')), ['backlog_full', 'backlog_full']);
  t.equal(await store.read(shoppers[201]!), null);
});
