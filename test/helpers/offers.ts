import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { OfferTriggers } from '../../src/jobs/offer-triggers.js';
import { PriceWatch } from '../../src/jobs/price-watch.js';
import { JobRegistry, type Processor } from '../../src/jobs/registry.js';
import { StreamConsumer } from '../../src/jobs/stream-consumer.js';
import { parseEvent, type EventEntry } from '../../src/jobs/streams.js';
import { CART_ABANDONMENT, CartAbandonment, type CartAbandonmentJob, type CartOutcome } from '../../src/offers/cart-abandonment.js';
import { PRICE_DROP, PriceDrop, type PriceDropJob } from '../../src/offers/price-drop.js';
import { CatalogStore } from '../../src/redis/catalog-store.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { OfferStore } from '../../src/redis/offer-store.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { WatcherStore } from '../../src/redis/watcher-store.js';
import { KEYS } from './live.js';

export interface OfferWorker {
  readonly redis: Redis;
  readonly catalog: CatalogStore;
  readonly watchers: WatcherStore;
  readonly carts: CartAbandonment;
  readonly drops: PriceDrop;
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
  const redis = connectRedis(url, 'commands', { timeoutMs: 2000, name: 'test-worker' });
  await untilReady(redis, 10_000);
  const [catalog, watchers, offers] = [new CatalogStore(redis, KEYS), new WatcherStore(redis, KEYS), new OfferStore(redis, KEYS)];
  const profiles = new ProfileStore(redis, KEYS, { profileTtlS: 86_400, streamEntriesMax: 100_000 });
  const registry = new JobRegistry({ connect, keys: KEYS, log });
  const clock = Date.now;
  const addJob = (...job: Parameters<JobRegistry['add']>): Promise<void> => registry.add(...job);
  const carts = new CartAbandonment({ profiles, items: catalog, offers, addJob, clock, afterMs, cooldownMs });
  const drops = new PriceDrop({ profiles, items: catalog, watchers, offers, clock, cooldownMs });
  const outcomes: OfferWorker['outcomes'] = [];
  const dropped: OfferWorker['dropped'] = [];
  let failures = failAfterWork;
  const thenPerhapsFail = (work: (data: unknown) => Promise<void>): Processor => async (data) => {
    await work(data);
    if (failures-- > 0) throw new Error('the worker died here');
  };
  registry.start({
    [CART_ABANDONMENT]: thenPerhapsFail(async (data) => {
      const job = data as CartAbandonmentJob;
      outcomes.push({ shopper: job.shopper, outcome: await carts.run(job) });
    }),
    [PRICE_DROP]: thenPerhapsFail(async (data) => {
      const job = data as PriceDropJob;
      dropped.push({ itemId: job.itemId, sent: await drops.run(job) });
    }),
  });
  const consumer = new StreamConsumer<EventEntry>({
    streams: Array.from({ length: PARTITIONS }, (_, index) => KEYS.events(index)), handler: new OfferTriggers({ carts, watchers, offers, profiles, clock }),
    parse: parseEvent, redis, connect, consumer: `test-${process.pid}`, log, gatherMs: 10,
  });
  const watch = new PriceWatch({ redis, connect, keys: KEYS, catalog, watchers, addJob, log });
  consumer.start();
  watch.start();
  return {
    redis, catalog, watchers, carts, drops, outcomes, dropped,
    stop: async () => {
      await Promise.all([consumer.stop(), watch.stop()]);
      await registry.stop();
      redis.disconnect();
    },
  };
}

/** Waits until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, ms = 8000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}
