import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { Catalog } from '../../src/catalog/catalog.js';
import { EventIngestor } from '../../src/paths/ingest-events.js';
import { decodeProfile } from '../../src/profile/codec.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { startRedis } from '../helpers/redis.js';

const NOW = Date.now();
const server = await startRedis();
const redis = connectRedis(server.url, 'commands', { timeoutMs: 10_000, name: 'test' });
await untilReady(redis, 10_000);
const keys = makeKeys('test:');
const store = new ProfileStore(redis, keys, { profileTtlS: 1000, streamEntriesMax: 100_000 });
t.teardown(async () => {
  redis.disconnect();
  await server.stop();
});
const ingestor = (): EventIngestor => new EventIngestor({ store, catalog: new Catalog(), clock: () => NOW, newToken: () => randomBytes(8), onFolded: () => { /* not looked at */ } });
const reads = async (): Promise<number> => Number(/cmdstat_get:calls=(\d+)/u.exec(await redis.info('commandstats'))?.[1] ?? 0);
const anEvent = (userId: string, id: string) => ({ id, type: 'like', userId });

await t.test('who sends an event after another is not read again', async (t) => {
  const own = ingestor();
  await own.ingest([anEvent('ann', '1')]);
  const before = await reads();
  for (let i = 2; i <= 5; i++) t.match(await own.ingest([anEvent('ann', String(i))]), { accepted: 1 });
  t.equal(await reads(), before);
  own.forget('u:ann');
  await own.ingest([anEvent('ann', '6')]);
  t.equal(await reads(), before + 1);
});

interface Act { readonly at: number; readonly shopper: string; readonly ids: readonly number[]; readonly kind: 'alone' | 'batch' | 'erase' }

await t.test('several processes, retries and erasures: each event counts once, and is told of as what it was', async (t) => {
  const act: fc.Arbitrary<Act> = fc.record({
    at: fc.nat(1), shopper: fc.constantFrom('ben', 'cem'), ids: fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }), kind: fc.constantFrom('alone', 'alone', 'alone', 'batch', 'erase'),
  });
  let run = 0;
  await fc.assert(fc.asyncProperty(fc.array(act, { maxLength: 25 }), async (acts) => {
    run += 1;
    const processes = [ingestor(), ingestor()];
    const counted = new Map<string, Set<number>>();
    for (const { at, shopper, ids, kind } of acts) {
      const userId = `${shopper}-${run}`;
      const known = counted.get(userId) ?? new Set<number>();
      counted.set(userId, known);
      if (kind === 'erase') {
        // Only one process is told.
        await store.erase(`u:${userId}`, '{}');
        processes[0]!.forget(`u:${userId}`);
        known.clear();
        continue;
      }
      const fresh = new Set(ids.filter((id) => !known.has(id)));
      const others = kind === 'batch' ? [anEvent('other', `${run}-${acts.length}`)] : [];
      const { accepted, duplicates } = await processes[at]!.ingest([...ids.map((id) => anEvent(userId, String(id))), ...others]);
      if (kind === 'alone') t.same({ accepted, duplicates }, { accepted: fresh.size, duplicates: ids.length - fresh.size });
      for (const id of fresh) known.add(id);
    }
    for (const [userId, known] of counted) {
      const value = await store.read(`u:${userId}`);
      t.equal(value === null ? 0 : decodeProfile(value).events, known.size);
    }
  }), { numRuns: 60 });
});
