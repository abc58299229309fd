import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Enrolment } from '../../src/campaigns/enrolment.js';
import type { StepOutcome, StepRunner } from '../../src/campaigns/run-step.js';
import { Catalog } from '../../src/catalog/catalog.js';
import { readConfig, type Config } from '../../src/config.js';
import type { CampaignInput } from '../../src/domain/campaign.js';
import { SegmentFollower } from '../../src/follow/segment-follower.js';
import { JobRegistry, type Processor, type Processors } from '../../src/jobs/registry.js';
import { StreamConsumer } from '../../src/jobs/stream-consumer.js';
import { parseEvent, type EventEntry } from '../../src/jobs/streams.js';
import { StoredPortraits } from '../../src/paths/stored-portraits.js';
import { AttributeStore } from '../../src/redis/attribute-store.js';
import { CampaignStore } from '../../src/redis/campaign-store.js';
import { CatalogStore } from '../../src/redis/catalog-store.js';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { OfferBookStore } from '../../src/redis/offer-book-store.js';
import { PortraitStore } from '../../src/redis/portrait-store.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { SegmentStore } from '../../src/redis/segment-store.js';
import { StandingStore } from '../../src/redis/standing-store.js';
import { WatcherStore } from '../../src/redis/watcher-store.js';
import { campaignWork } from '../../src/wire/campaign-work.js';
import { KEYS } from './live.js';

export interface CampaignWorker {
  readonly redis: RedisClient;
  readonly catalog: CatalogStore;
  readonly watchers: WatcherStore;
  readonly campaigns: CampaignStore;
  readonly attributes: AttributeStore;
  readonly processors: Processors;
  readonly runner: StepRunner;
  /** What the steps came to, in order. */
  readonly outcomes: { enrolment: Enrolment; outcome: StepOutcome }[];
  /** What news of items came to. */
  readonly told: { itemId: string; change: string; sent: number }[];
  /** Reads the definitions anew. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

export interface CampaignWorkerOptions {
  readonly afterMs?: number;
  readonly cooldownMs?: number;
  readonly config?: Partial<Config>;
  /** Active ones, beside those that come with the engine. */
  readonly campaigns?: Readonly<Record<string, CampaignInput>>;
  /** Tries of a job that fail after they have done their work: as if the worker had died just then. */
  readonly failAfterWork?: number;
  /** Work of a worker that died is taken over within a second or two. */
  readonly isHasty?: boolean;
}

const HASTE = { jobs: { lockMs: 1000, stalledEveryMs: 500 }, entries: { claimIdleMs: 500, claimEveryMs: 200 } } as const;

const noDecision = { decisionId: 'none', offer: null, reason: 'no_offer', model: 'none', propensity: 1, degraded: [] } as const;

/** What a worker runs for campaigns, with short pauses and without a model to decide offers. */
export async function startCampaignWorker(url: string, { afterMs = 500, cooldownMs = 60_000, failAfterWork = 0, isHasty = false, campaigns = {}, config: more }: CampaignWorkerOptions = {}): Promise<CampaignWorker> {
  const log = pino({ level: 'silent' });
  const config: Config = {
    ...readConfig({ REDIS_URL: url, KEY_PREFIX: KEYS.prefix, CONTACTS_PER_DAY_MAX: '0', CONTACTS_PER_WEEK_MAX: '0', WEBHOOK_LOOPBACK: '1' }),
    cartAbandonedAfterMs: afterMs, offerCooldownMs: cooldownMs, ...more,
  };
  const connect = (): RedisClient => connectRedis(url, 'listening', { timeoutMs: 1000, name: 'test-worker' });
  const redis = connectRedis(url, 'commands', { timeoutMs: 10_000, name: 'test-worker' });
  await untilReady(redis, 30_000);
  const store = new CampaignStore(redis, KEYS);
  for (const [id, campaign] of Object.entries(campaigns)) await store.put({ ...campaign, id, status: 'active' });
  const catalog = new CatalogStore(redis, KEYS);
  const profiles = new ProfileStore(redis, KEYS, config);
  const attributes = new AttributeStore(redis, KEYS, config);
  const segments = new SegmentStore(redis, KEYS);
  const portraits = new StoredPortraits({
    attributes, store: new PortraitStore(redis, KEYS, config), standings: new StandingStore(redis, KEYS), surroundings: new SegmentFollower({ store: segments, log }), book: new Catalog(), clock: Date.now, newId: () => 'unused',
  });
  const { jobs, entries } = isHasty ? HASTE : { jobs: {}, entries: {} };
  const registry = new JobRegistry({ connect, keys: KEYS, log, ...jobs });
  const outcomes: CampaignWorker['outcomes'] = [];
  const told: CampaignWorker['told'] = [];
  const work = campaignWork({
    config, log, redis, keys: KEYS, profiles, portraits, attributes, segments, catalog, connect, registry,
    webhookRegistry: new JobRegistry({ connect, keys: KEYS, log, queue: 'webhooks', ...jobs }), offers: new OfferBookStore(redis, KEYS),
    decisions: { decideFor: () => Promise.resolve(noDecision) }, name: `test-${process.pid}-${Math.random()}`, metrics: new Registry(), clock: Date.now,
    takeOver: entries,
    onStep: (enrolment, outcome) => { outcomes.push({ enrolment, outcome }); },
    onNews: ({ itemId, change }, sent) => { told.push({ itemId, change, sent }); },
  });
  let failures = failAfterWork;
  const thenPerhapsFail = (job: Processor): Processor => async (...args) => {
    await job(...args);
    if (failures-- > 0) throw new Error('the worker died here');
  };
  await work.start();
  registry.start(Object.fromEntries(Object.entries(work.processors).map(([name, job]) => [name, thenPerhapsFail(job)])));
  const triggers = new StreamConsumer<EventEntry>({
    streams: Array.from({ length: PARTITIONS }, (_, index) => KEYS.events(index)), handler: work.triggers,
    parse: parseEvent, redis, connect, consumer: `test-${process.pid}-${Math.random()}`, log, gatherMs: 10, ...entries,
  });
  const consumers = [triggers, ...Object.values(work.consumers)];
  for (const consumer of consumers) consumer.start();
  return {
    redis, catalog, watchers: new WatcherStore(redis, KEYS), campaigns: store, attributes, processors: work.processors, runner: work.runner, outcomes, told,
    look: () => work.look(),
    stop: async () => {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await work.stop();
      await registry.stop();
      redis.disconnect();
    },
  };
}
