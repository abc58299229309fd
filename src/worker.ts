import { randomBytes, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { ArchiveWriter } from './archive/writer.js';
import { DEFAULT_STATISTICS } from './candidates/statistics-settings.js';
import { Catalog } from './catalog/catalog.js';
import type { Config } from './config.js';
import { seedDemo, type DemoState } from './demo/seed.js';
import type { ShopperEvent } from './domain/event.js';
import { ARCHIVE_GROUP, EventArchiver, VectorArchiver } from './jobs/archive.js';
import { CatalogArchiver } from './jobs/catalog-archive.js';
import { DriftMonitor } from './jobs/drift.js';
import { ERASE_ARCHIVE, eraseArchive } from './jobs/erase-archive.js';
import { EXPIRE, expire } from './jobs/expire.js';
import { LiveStatisticsProcess } from './jobs/live-statistics-process.js';
import { RECOUNT_STATISTICS, STATISTICS_GROUP } from './jobs/live-statistics.js';
import { JobRegistry, type Processors } from './jobs/registry.js';
import { RETRAIN, retrainJobs } from './jobs/retrain.js';
import { SWEEP_SEGMENTS } from './jobs/segments.js';
import { StreamConsumer } from './jobs/stream-consumer.js';
import { parseEvent, parseVectors, type StreamHandler } from './jobs/streams.js';
import { TrendingCounter, trendingLine, TrendingPublisher } from './jobs/trending.js';
import { Trimming } from './jobs/trimming.js';
import { workerMetrics } from './jobs/worker-metrics.js';
import { EventIngestor } from './paths/ingest-events.js';
import { TOKEN_BYTES } from './profile/codec.js';
import { readManifest } from './ranking/manifest.js';
import { ENGINE_FEATURES } from './ranking/features.js';
import { ModelRegistry } from './ranking/model-registry.js';
import { CatalogStore } from './redis/catalog-store.js';
import { connectRedis, limitCommands, untilReady, type RedisClient } from './redis/client.js';
import { DriftStore } from './redis/drift-store.js';
import { makeKeys, PARTITIONS, type Keys } from './redis/keys.js';
import { Lease } from './redis/lease.js';
import { ProfileStore } from './redis/profile-store.js';
import { ShadowStore } from './redis/shadow-store.js';
import { StatisticsStore } from './redis/statistics-store.js';
import { StreamKeeper } from './redis/stream-keeper.js';
import { TrendingStore } from './redis/trending-store.js';
import type { Clock } from './util/clock.js';
import { demoRounds } from './wire/demo.js';
import { wireCampaignWork } from './wire/campaign-work.js';
import { wireGrowthWork } from './wire/growth.js';
import { wireRiskWork } from './wire/risk.js';
import { wireSegments } from './wire/segments.js';
import { backoffMs, pause } from './util/pause.js';
import { claimJobs } from './wire/claim-jobs.js';
import { roomRounds } from './wire/room-work.js';

export const WORKER_LIMITS = {
  /** Time Redis gets to come up, and for each answer until the process has started, ms. */
  redisMs: 30_000,
  /** Pauses between batches, ms: the longer, the fewer calls a trickle of events costs. */
  gatherMs: { archive: 200, trending: 500, triggers: 50, segments: 200, growth: 200, risk: 1000 },
  /** Taken of each partition at once: each holds dozens of impressions of some kilobytes. */
  impressionEntries: 1,
  trimEveryMs: 2000,
  expireEveryMs: 3_600_000,
  /** Lease of the filling of the demo store, and pauses before another try, ms. */
  demoLeaseMs: 30_000, demoRetryFromMs: 500, demoRetryToMs: 10_000,
} as const;

export interface RunningWorker {
  /** Of this process. */
  readonly metrics: Registry;
  /** Has the statistics counted anew from the archive, by whichever worker counts. */
  recountStatistics(): Promise<void>;
  /** Finishes the batches and jobs under way. */
  close(): Promise<void>;
}

export interface WorkerExtras {
  readonly clock?: Clock;
  readonly metrics?: Registry;
}

/** Everything of the worker role, wired together: what hangs behind the streams, and the jobs. */
export async function startWorker(config: Config, log: Logger, { clock = Date.now, metrics = new Registry() }: WorkerExtras = {}): Promise<RunningWorker> {
  const keys = makeKeys(config.keyPrefix);
  /** Unique among all workers there ever were: archive files carry it. */
  const name = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const redis = connectRedis(config.redisUrl, 'commands', { timeoutMs: WORKER_LIMITS.redisMs, name: 'rivulet-worker' });
  const connect = (): RedisClient => connectRedis(config.redisUrl, 'listening', { timeoutMs: 0, name: 'rivulet-worker-reads' });
  await untilReady(redis, WORKER_LIMITS.redisMs);
  const events = Array.from({ length: PARTITIONS }, (_, i) => keys.events(i));
  const impressions = Array.from({ length: PARTITIONS }, (_, i) => keys.impressions(i));
  const decisions = Array.from({ length: PARTITIONS }, (_, i) => keys.decisions(i));

  const archiveDir = join(config.dataDir, 'archive');
  const writer = new ArchiveWriter(archiveDir, name, clock);
  const registry = new JobRegistry({ connect, keys, log });
  const trending = new TrendingStore(redis, keys);
  const archiver = new EventArchiver({
    writer, clock,
    onErased: ({ from, closedAt }) => registry.add(ERASE_ARCHIVE, { from }, { delayMs: Math.max(0, closedAt - clock()), jobId: `${ERASE_ARCHIVE} ${from}` }),
  });
  const segments = wireSegments({ config, log, redis, keys, registry, name, clock });
  const growth = wireGrowthWork({ config, log, redis, keys, clock }, segments);
  const profiles = new ProfileStore(redis, keys, config);
  const risk = wireRiskWork({ config, log, redis, keys, profiles, clock });
  const campaigns = await wireCampaignWork({ flagged: risk.flagged, config, log, redis, keys, connect, registry, name, metrics, segments, clock });

  const rooms = roomRounds({ log, redis, keys, catalog: segments.catalog, name, clock });
  const claims = claimJobs({ redis, keys, profiles, name, clock, log });
  const behindEvents = (handler: StreamHandler, gatherMs: number) =>
    new StreamConsumer({ streams: events, handler, parse: parseEvent, redis, connect, consumer: name, log, gatherMs });
  const { gatherMs } = WORKER_LIMITS;
  const models = new ModelRegistry(config.modelsDir, config.modelDir, clock);
  const drift = new DriftMonitor(new VectorArchiver(writer, 'impressions'), {
    models, store: new DriftStore(redis, keys), features: ENGINE_FEATURES, log,
  });
  const consumers = {
    archive: behindEvents(archiver, gatherMs.archive),
    trending: behindEvents(new TrendingCounter(trending, clock, (shopper) => risk.flagged.has(shopper)), gatherMs.trending),
    triggers: behindEvents(campaigns.triggers, gatherMs.triggers),
    claims: behindEvents(claims.events, gatherMs.triggers),
    segments: behindEvents(segments.keeper, gatherMs.segments),
    growth: behindEvents(growth.keeper, gatherMs.growth),
    risk: behindEvents(risk.keeper, gatherMs.risk),
    ...campaigns.consumers,
    impressions: new StreamConsumer({
      streams: impressions, handler: drift, parse: parseVectors, redis, connect, consumer: name, log,
      gatherMs: gatherMs.archive, perStream: WORKER_LIMITS.impressionEntries,
    }),
    decisions: new StreamConsumer({
      streams: decisions, handler: new VectorArchiver(writer, 'decisions'), parse: parseVectors, redis, connect, consumer: name, log,
      gatherMs: gatherMs.archive, perStream: WORKER_LIMITS.impressionEntries,
    }),
  };
  const publisher = new TrendingPublisher({
    store: trending, lease: new Lease(redis, keys.lock('trending'), name), everyMs: config.trendingEveryMs, clock, log,
    onPublish: (published) => writer.append('trending', [trendingLine(published)]),
  });
  const catalogArchiver = new CatalogArchiver({ store: new CatalogStore(redis, keys), writer, lease: new Lease(redis, keys.lock('catalog-archive'), name), clock, log });
  const keeper = new StreamKeeper(redis);
  const trimming = new Trimming({
    keeper, everyMs: WORKER_LIMITS.trimEveryMs, log,
    plans: [
      { streams: events, groups: [ARCHIVE_GROUP, 'trending', campaigns.triggers.name, segments.keeper.name, growth.keeper.name, risk.keeper.name, claims.events.name, STATISTICS_GROUP] },
      { streams: [...impressions, ...decisions], groups: [ARCHIVE_GROUP] },
      ...campaigns.plans,
    ],
  });
  const statistics = new StatisticsStore(redis, keys);
  const counting = new LiveStatisticsProcess({
    task: { archiveDir, redisUrl: config.redisUrl, keyPrefix: config.keyPrefix },
    settings: async () => (await readManifest(await models.servingFolder())).statistics ?? DEFAULT_STATISTICS,
    lease: new Lease(redis, keys.lock('statistics'), name), log,
  });
  const retraining = retrainJobs({
    task: { archiveDir, modelsDir: config.modelsDir, modelDir: config.modelDir, eventsMin: config.trainEventsMin, values: config.deedValues, by: 'worker', seed: 1 },
    program: new URL('./learn/models/retrain-child.js', import.meta.url),
    models, shadows: new ShadowStore(redis, keys), jobs: registry,
    newLease: () => new Lease(redis, keys.lock(RETRAIN), randomUUID()),
    shadowRequests: config.shadowRequests, shadowMs: config.shadowMs, clock,
    onDone: (what) => { log.info(what, 'model retrained'); },
  });
  const processors: Processors = {
    ...campaigns.processors,
    ...segments.processors,
    ...retraining,
    [RECOUNT_STATISTICS]: () => statistics.askRecount('in due time'),
    [ERASE_ARCHIVE]: eraseArchive({
      dir: archiveDir, clock,
      onDone: (lines) => {
        log.info({ lines }, 'erased shoppers left the archive');
        if (lines === 0) return;
        // If this fails they leave the counts with the next recount in due time.
        statistics.askRecount('shoppers were erased').catch((error: unknown) => { log.warn({ err: error }, 'recount could not be asked for'); });
      },
    }),
    [EXPIRE]: expire({
      dir: archiveDir, days: config.archiveDays, clock, keeper, streams: [...events, ...impressions, ...decisions],
      onDone: (counts) => { log.info(counts, 'expired'); },
    }),
  };
  workerMetrics(metrics, { consumers, registry, trimming, claims: claims.keeper });

  await Promise.all([segments.start(), campaigns.start(), growth.start(), risk.start()]);
  limitCommands(redis, config.redisTimeoutMs);
  for (const consumer of Object.values(consumers)) consumer.start();
  publisher.start();
  catalogArchiver.start();
  drift.start();
  trimming.start();
  counting.start();
  claims.keeper.start();
  rooms.start();
  registry.start(processors);
  registry.lead([
    { name: RECOUNT_STATISTICS, everyMs: config.statisticsEveryMs, startsLater: true }, { name: EXPIRE, everyMs: WORKER_LIMITS.expireEveryMs },
    { name: RETRAIN, everyMs: config.trainEveryMs, startsLater: true }, { name: SWEEP_SEGMENTS, everyMs: config.segmentSweepEveryMs, startsLater: true },
    ...campaigns.schedules,
  ], name, redis);
  const stopping = new AbortController();
  const dealing = demoRounds({ config, log, redis, keys, name, clock });
  const filling = config.demo
    ? fillDemo({ redis, keys, config, clock, log, lease: new Lease(redis, keys.lock('demo'), name), signal: stopping.signal, onDone: () => statistics.askRecount('the demo store was filled'), onItems: () => { dealing.start(); } })
    : undefined;
  log.info({ name, archiveDir }, 'worker runs');
  return {
    metrics,
    recountStatistics: () => statistics.askRecount('asked for'),
    async close() {
      stopping.abort();
      await filling;
      await Promise.all([...Object.values(consumers).map((consumer) => consumer.stop()), campaigns.stop(), claims.keeper.stop(), rooms.stop(), dealing.stop(), segments.stop(), growth.stop(), risk.stop(), publisher.stop(), counting.stop(), catalogArchiver.stop(), drift.stop(), trimming.stop(), registry.stop()]);
      await writer.close();
      redis.disconnect();
    },
  };
}

interface FillDemoOptions {
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly lease: Lease;
  readonly signal: AbortSignal;
  readonly onDone: () => Promise<void>;
  /** The items are there, now or since an earlier start. */
  readonly onItems: () => void;
}

/** A store with items of its own is left alone. */
const NOTHING_TO_FILL: DemoState = { seed: 0, until: 0, done: true };

/** Fills an empty store with the demo shop, one worker at a time, and tries again until it is full. */
async function fillDemo({ redis, keys, config, clock, log, lease, signal, onDone, onItems }: FillDemoOptions): Promise<void> {
  const catalog = new Catalog();
  const catalogStore = new CatalogStore(redis, keys);
  const newToken = (): Buffer => randomBytes(TOKEN_BYTES);
  const ingestor = new EventIngestor({ store: new ProfileStore(redis, keys, config), catalog, clock, newToken, onFolded: () => { /* Not clients' events. */ } });
  const fill = async (): Promise<void> => {
    const wasEmpty = await seedDemo({
      loadState: async () => {
        const state = await redis.hget(keys.meta, 'demo');
        if (state !== null) return JSON.parse(state) as DemoState;
        return await redis.hlen(keys.items) > 0 ? NOTHING_TO_FILL : undefined;
      },
      saveState: async (state) => { await redis.hset(keys.meta, 'demo', JSON.stringify(state)); },
      putItems: async (items) => {
        for (const item of items) catalog.put(item);
        await catalogStore.putItems(items);
        onItems();
      },
      ingest: async (events) => {
        signal.throwIfAborted();
        await Promise.all([...byShopper(events)].map(([shopper, own]) => ingestor.store(shopper, own)));
      },
      clock,
      log: (message, details) => { log.info(details, message); },
    });
    if (wasEmpty) await onDone();
  };
  for (let failures = 0; !signal.aborted;) {
    try {
      if (await lease.whileHeld(WORKER_LIMITS.demoLeaseMs, fill)) {
        onItems();
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'demo store could not be filled yet');
    }
    failures += 1;
    await pause(backoffMs(failures, WORKER_LIMITS.demoRetryFromMs, WORKER_LIMITS.demoRetryToMs), signal);
  }
}

function byShopper(events: readonly ShopperEvent[]): Map<string, ShopperEvent[]> {
  const groups = new Map<string, ShopperEvent[]>();
  for (const event of events) {
    const group = groups.get(event.shopper);
    if (group === undefined) groups.set(event.shopper, [event]);
    else group.push(event);
  }
  return groups;
}
