import { join } from 'node:path';
import t from 'tap';
import { noCounts, readArchive, readImpressions, type ArchivedImpression } from '../../src/archive/reader.js';
import { readConfig } from '../../src/config.js';
import { lagMetrics } from '../../src/jobs/worker-metrics.js';
import { groupLag } from '../../src/jobs/streams.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { ImpressionLog, SHOWN_FLOATS } from '../../src/redis/impression-log.js';
import { makeKeys, PARTITIONS } from '../../src/redis/keys.js';
import { StatisticsStore } from '../../src/redis/statistics-store.js';
import { TrendingStore } from '../../src/redis/trending-store.js';
import { hash48 } from '../../src/util/hash.js';
import { startWorker } from '../../src/worker.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, commandsTo, silent, tempDir, until } from '../helpers/streams.js';

const server = await startRedis({ appendOnly: true, appendFsync: 'always' });
t.teardown(() => server.stop());
const dir = await tempDir();
t.teardown(() => dir.remove());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const config = readConfig({ REDIS_URL: server.url, DATA_DIR: dir.path, TRENDING_EVERY_MS: '100', ROLE: 'worker' });
const keys = makeKeys(config.keyPrefix);
const streams = Array.from({ length: PARTITIONS }, (_, i) => keys.events(i));
const statistics = new StatisticsStore(redis, keys);

async function append(count: number, item: (i: number) => string): Promise<string[]> {
  const events = Array.from({ length: count }, (_, i) => anEvent({ shopper: `u:${i % 50}`, itemId: item(i), at: Date.now() - count + i }));
  await Promise.all(events.map((event) => redis.xadd(keys.eventsOf(event.shopper), '*', 'e', JSON.stringify(event))));
  return events.map(({ id }) => id);
}

const entriesLeft = async (): Promise<number> => (await Promise.all(streams.map((stream) => redis.xlen(stream)))).reduce((sum, length) => sum + length, 0);

async function archived(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of readArchive(join(dir.path, 'archive'), noCounts())) ids.push(id);
  return ids.toSorted();
}

t.setTimeout(120_000);

await t.test('two workers do all that hangs behind the streams, through an outage, and stop cleanly', async (t) => {
  const ids = await append(500, (i) => `i${i % 7}`);
  const workers = await Promise.all([startWorker(config, silent), startWorker(config, silent)]);
  const impressions = new ImpressionLog(redis, keys);
  for (const shopper of ['u:ann', 'u:bob']) {
    impressions.add({
      requestId: `of ${shopper}`, shopper, scene: 'home', model: 'm', at: Date.now(), state: { events: 1, itemId: undefined, catalog: 0, statistics: '', bound: 0, trending: 0, model: 'm', encoder: undefined }, user: new Float32Array(500).fill(1), items: new Float32Array(500).fill(2),
      shown: [{ idJson: '"i1"', slot: 0, score: 0.5, propensity: 0.25, source: 3, proposedBy: 8 }],
    });
  }
  await impressions.flush();
  await until('all is archived and trimmed', async () => (await groupLag(redis, streams, 'archive')) === 0 && (await entriesLeft()) === 0, 20_000);
  t.same(await archived(), ids.toSorted());
  await until('trending lists are published', async () => (await new TrendingStore(redis, keys).read()).lists['all']?.length === 7);
  await until('statistics are published', async () => {
    const version = await statistics.currentVersion();
    return version !== undefined && (await statistics.read(version))?.keys.length === 7;
  }, 20_000);

  await server.kill('SIGKILL');
  await new Promise((done) => { setTimeout(done, 800); });
  await server.restart();
  await until('Redis is back', () => redis.status === 'ready');
  const more = await append(300, (i) => `n${i % 5}`);
  await until('what came after the outage is archived and trimmed', async () => (await groupLag(redis, streams, 'archive')) === 0 && (await entriesLeft()) === 0, 20_000);
  t.same(await archived(), [...ids, ...more].toSorted());

  const before = await statistics.currentVersion();
  await workers[0].recountStatistics();
  await until('statistics are rebuilt when asked', async () => (await statistics.currentVersion()) !== before, 40_000);
  const data = await statistics.read((await statistics.currentVersion())!);
  t.ok(data?.keys.includes(hash48('n1')));
  const shown: ArchivedImpression[] = [];
  for await (const impression of readImpressions(join(dir.path, 'archive'))) shown.push(impression);
  t.match(shown, [{ shopper: 'u:ann', items: ['i1'], sources: [3] }, { shopper: 'u:bob' }]);
  for (const { vectors } of shown) {
    t.equal(vectors.length, USER_FEATURES.length + SHOWN_FLOATS);
    t.same([...vectors.subarray(USER_FEATURES.length - 1, USER_FEATURES.length + 3)], [1, 0.5, 0.25, 2]);
  }

  const { metrics } = workers[1];
  lagMetrics(metrics, redis, keys);
  const text = await metrics.metrics();
  t.match(text, /rivulet_stream_handled\{consumer="archive"\} \d/u);
  t.match(text, /rivulet_stream_lag\{group="archive"\} 0/u);
  await Promise.all(workers.map((worker) => worker.close()));
});
