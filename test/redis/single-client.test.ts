import type { Redis } from 'ioredis';
import t from 'tap';
import { connectRedis, limitCommands, untilReady } from '../../src/redis/client.js';
import { startRedis } from '../helpers/redis.js';

await t.test('what is sent in one turn waits for its end and leaves together, in order', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.stop());
  const redis = connectRedis(server.url, 'commands', { timeoutMs: 10_000, name: 'test' }) as Redis;
  t.teardown(() => { redis.disconnect(); });
  await untilReady(redis, 10_000);
  redis.defineCommand('double', { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1]) * 2" });
  const scripts = redis as unknown as { double(key: string): Promise<number> };
  for (let round = 1; round <= 3; round++) {
    const before = redis.stream.bytesWritten;
    const replies = Promise.all([redis.set('a', round), redis.getBuffer('a'), scripts.double('a'), redis.lpush('a', 'x').catch(({ message }: Error) => message)]);
    await Promise.resolve();
    t.ok(redis.stream.writableCorked > 0 && redis.stream.writableLength > 0, 'nothing has left');
    t.match(await replies, ['OK', Buffer.from(String(round)), 2 * round, /^WRONGTYPE/u], 'a refused one harms no other');
    t.equal(redis.stream.writableCorked, 0);
    t.ok(redis.stream.bytesWritten > before);
  }
  const last = redis.get('a');
  redis.disconnect();
  t.equal(await last, '3', 'what was sent before the end is answered');
  await t.rejects(redis.get('a'), 'nothing is kept for a connection that may come');
});

await t.test('commands get the time that they are given by then', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.stop());
  const redis = connectRedis(server.url, 'commands', { timeoutMs: 60_000, name: 'test' }) as Redis;
  t.teardown(() => { redis.disconnect(); });
  await untilReady(redis, 10_000);
  await redis.client('PAUSE', 2000, 'ALL');
  const patient = redis.ping();
  limitCommands(redis, 100);
  await t.rejects(redis.ping(), /timed out/u);
  t.equal(await patient, 'PONG');
});
