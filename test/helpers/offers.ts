import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { offerJobs } from '../../src/jobs/offers.js';
import { JobRegistry, type Processor, type Processors } from '../../src/jobs/registry.js';
import { StreamConsumer } from '../../src/jobs/stream-consumer.js';
import { parseEvent, type EventEntry } from '../../src/jobs/streams.js';
import { NO_CAPS } from '../../src/offers/contact-policy.js';
import type { CartOutcome } from '../../src/offers/cart-abandonment.js';
import { CatalogStore } from '../../src/redis/catalog-store.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { WatcherStore } from '../../src/redis/watcher-store.js';
import { KEYS } from './live.js';

export interface OfferWorker {
  readonly redis: Redis;
  readonly catalog: CatalogStore;
  readonly watchers: WatcherStore;
  readonly processors: Processors;
  /** What the jobs came to, in order. */
  readonly outcomes: { shopper: string; outcome: CartOutcome }[];
  readonly dropped: { itemId: string; sent: number }[];
  stop(): Promise<void>;
}

export interface OfferWorkerOptions {
  readonly afterMs?: number;
  readonly cooldownMs?: number;
  /** Tries of a job that fail after they have done their work: as if the worker had died just then. */
  readonly failAfterWork?: number;
}

/** What a worker runs for offers, with short pauses. */
export async function startOfferWorker(url: string, { afterMs = 500, cooldownMs = 60_000, failAfterWork = 0 }: OfferWorkerOptions = {}): Promise<OfferWorker> {
  const log = pino({ level: 'silent' });
  const connect = (): Redis => connectRedis(url, 'listening', { timeoutMs: 1000, name: 'test-worker' });
  const redis = connectRedis(url, 'commands', { timeoutMs: 10_000, name: 'test-worker' });
  await untilReady(redis, 30_000);
  const catalog = new CatalogStore(redis, KEYS);
  const profiles = new ProfileStore(redis, KEYS, { profileTtlS: 86_400, streamEntriesMax: 100_000 });
  const registry = new JobRegistry({ connect, keys: KEYS, log });
  const outcomes: OfferWorker['outcomes'] = [];
  const dropped: OfferWorker['dropped'] = [];
  const jobs = offerJobs({
    redis, connect, keys: KEYS, profiles, catalog, registry, clock: Date.now, log, cartAbandonedAfterMs: afterMs, offerCooldownMs: cooldownMs, contactCaps: NO_CAPS,
    onCart: ({ shopper }, outcome) => { outcomes.push({ shopper, outcome }); },
    onPriceDrop: ({ itemId }, sent) => { dropped.push({ itemId, sent }); },
  });
  let failures = failAfterWork;
  const thenPerhapsFail = (work: Processor): Processor => async (data, signal) => {
    await work(data, signal);
    if (failures-- > 0) throw new Error('the worker died here');
  };
  registry.start(Object.fromEntries(Object.entries(jobs.processors).map(([name, work]) => [name, thenPerhapsFail(work)])));
  const consumer = new StreamConsumer<EventEntry>({
    streams: Array.from({ length: PARTITIONS }, (_, index) => KEYS.events(index)), handler: jobs.triggers,
    parse: parseEvent, redis, connect, consumer: `test-${process.pid}`, log, gatherMs: 10,
  });
  consumer.start();
  jobs.priceWatch.start();
  return {
    redis, catalog, watchers: new WatcherStore(redis, KEYS), processors: jobs.processors, outcomes, dropped,
    stop: async () => {
      await Promise.all([consumer.stop(), jobs.priceWatch.stop()]);
      await registry.stop();
      redis.disconnect();
    },
  };
}

/** Waits until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, ms = 30_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}
