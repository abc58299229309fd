import { Counter, type Registry } from 'prom-client';
import type { Enrolment } from '../campaigns/enrolment.js';
import type { StepOutcome, StepRunner } from '../campaigns/run-step.js';
import { OfferBook } from '../follow/offer-book.js';
import { CampaignJobs, CALENDAR, CAMPAIGN_JOB_LIMITS, ITEM_NEWS } from '../jobs/campaigns.js';
import { CampaignTriggers } from '../jobs/campaign-triggers.js';
import { CatalogWatch, type ItemNews } from '../jobs/catalog-watch.js';
import { JobRegistry, type Processors } from '../jobs/registry.js';
import { parseSegmentChange, SegmentTriggers, type SegmentEntry } from '../jobs/segment-triggers.js';
import { StreamConsumer, type ConsumerOptions } from '../jobs/stream-consumer.js';
import { parseDelivery, webhookJobs, WebhookOutbox, type DeliveryEntry } from '../jobs/webhooks.js';
import { StoredPortraits } from '../paths/stored-portraits.js';
import { AttributeStore } from '../redis/attribute-store.js';
import { CatalogStore } from '../redis/catalog-store.js';
import type { RedisClient } from '../redis/client.js';
import { PARTITIONS } from '../redis/keys.js';
import { OfferBookStore } from '../redis/offer-book-store.js';
import { PortraitStore } from '../redis/portrait-store.js';
import { ProfileStore } from '../redis/profile-store.js';
import { StandingStore } from '../redis/standing-store.js';
import { SegmentStore } from '../redis/segment-store.js';
import { WatcherStore } from '../redis/watcher-store.js';
import { WebhookStore } from '../redis/webhook-store.js';
import { WebhookSender } from '../webhooks/send-webhook.js';
import { idSource } from '../util/id-source.js';
import { makeRunner, WEBHOOK_QUEUE, type CampaignParts } from './campaigns.js';
import { makeDecisions, wireEligibility, type EligibilityParts } from './decisions.js';
import type { WiredSegments } from './segments.js';

export interface CampaignWorkParts extends Omit<CampaignParts, 'items'> {
  readonly catalog: Pick<CatalogStore, 'getItem' | 'listItems'>;
  readonly attributes: Pick<AttributeStore, 'read'>;
  readonly segments: Pick<SegmentStore, 'members'>;
  /** Makes a connection for reads that block. */
  readonly connect: () => RedisClient;
  readonly registry: Pick<JobRegistry, 'add' | 'forget'>;
  /** Of deliveries to webhooks: started and stopped here. */
  readonly webhookRegistry: JobRegistry;
  /** Of this worker, unique. */
  readonly name: string;
  readonly metrics: Registry;
  /** When entries of a silent worker are taken over, where not as usual. */
  readonly takeOver?: Pick<ConsumerOptions<unknown>, 'claimIdleMs' | 'claimEveryMs'>;
  /** Told what each step, and each news of an item, came to. */
  readonly onStep?: (enrolment: Enrolment, outcome: StepOutcome) => void;
  readonly onNews?: (news: ItemNews, sent: number) => void;
}

const GATHER_MS = 50;

export interface CampaignWork {
  /** To be run behind the event stream. */
  readonly triggers: CampaignTriggers;
  readonly consumers: { readonly campaigns: StreamConsumer<SegmentEntry>; readonly webhooks: StreamConsumer<DeliveryEntry> };
  readonly processors: Processors;
  readonly runner: StepRunner;
  readonly schedules: readonly { readonly name: string; readonly everyMs: number }[];
  /** What may go of the streams: behind whom. */
  readonly plans: readonly { readonly streams: readonly string[]; readonly groups: readonly string[] }[];
  start(): Promise<void>;
  /** Reads the definitions of campaigns anew. */
  look(): Promise<void>;
  /** The consumers are stopped by who runs them. */
  stop(): Promise<void>;
}

/** All that campaigns and webhooks do in a worker. */
export function campaignWork(parts: CampaignWorkParts): CampaignWork {
  const { config, log, redis, keys, profiles, catalog, attributes, segments, connect, registry, webhookRegistry, name, metrics, clock } = parts;
  const { store, book, happenings, messages, runner } = makeRunner({ ...parts, items: catalog });
  const watchers = new WatcherStore(redis, keys);
  const webhooks = new WebhookStore(redis, keys);
  const sender = new WebhookSender({ allowsLoopback: config.webhookLoopback, clock });
  const addJob: JobRegistry['add'] = (...job) => registry.add(...job);
  const counts = campaignMetrics(metrics);
  const jobs = new CampaignJobs({
    campaigns: book, runner, store, happenings, watchers, items: catalog, addJob, timezone: config.quietHours.timezone, clock,
    membersOf: (segment, cursor, limit) => segments.members(segment, cursor, limit),
    onStep: (enrolment, outcome) => {
      counts.steps.inc({ campaign: enrolment.campaign, outcome });
      parts.onStep?.(enrolment, outcome);
    },
    onNews: (news, sent) => {
      log.debug({ ...news, sent }, 'watchers told');
      parts.onNews?.(news, sent);
    },
  });
  const enrol: CampaignJobs['enrol'] = (...enrolment) => jobs.enrol(...enrolment);
  const streams = { changes: eachPartition(keys.segmentChanges), deliveries: eachPartition(keys.deliveries) };
  const behind = { redis, connect, consumer: name, log, gatherMs: GATHER_MS, ...parts.takeOver };
  const outbox = new WebhookOutbox(webhooks, (...job) => webhookRegistry.add(...job));
  const entries = new SegmentTriggers({ campaigns: book, enrol, clock });
  const catalogWatch = new CatalogWatch({
    redis, connect, keys, catalog, watchers, log,
    tell: (news, id) => addJob(ITEM_NEWS, news, { jobId: id }),
  });
  return {
    triggers: new CampaignTriggers({
      campaigns: book, happenings, watchers, attributes, profiles, clock, enrol, messages,
      forget: [webhooks, registry, webhookRegistry],
    }),
    consumers: {
      campaigns: new StreamConsumer({ ...behind, streams: streams.changes, handler: entries, parse: parseSegmentChange }),
      webhooks: new StreamConsumer({ ...behind, streams: streams.deliveries, handler: outbox, parse: parseDelivery }),
    },
    processors: jobs.processors, runner,
    schedules: [{ name: CALENDAR, everyMs: CAMPAIGN_JOB_LIMITS.calendarEveryMs }],
    plans: [{ streams: streams.changes, groups: [entries.name] }, { streams: streams.deliveries, groups: [outbox.name] }],
    look: () => book.look(),
    async start() {
      await book.start();
      catalogWatch.start();
      webhookRegistry.start(webhookJobs({ store: webhooks, sender, profiles, clock, onOutcome: (webhook, outcome) => { counts.deliveries.inc({ webhook, outcome }); } }));
    },
    async stop() {
      await Promise.all([book.stop(), catalogWatch.stop(), webhookRegistry.stop()]);
      await sender.close();
    },
  };
}

export interface WorkerParts extends Pick<CampaignWorkParts, 'config' | 'log' | 'redis' | 'keys' | 'connect' | 'registry' | 'name' | 'metrics' | 'clock'> {
  readonly segments: Pick<WiredSegments, 'catalog' | 'surroundings'>;
  readonly flagged: EligibilityParts['flagged'];
}

/** The same with all that decisions need, as a worker runs it. */
export async function wireCampaignWork(parts: WorkerParts): Promise<CampaignWork> {
  const { config, log, redis, keys, connect, segments: { catalog, surroundings }, flagged, metrics, clock } = parts;
  const profiles = new ProfileStore(redis, keys, config);
  const attributes = new AttributeStore(redis, keys, config);
  const portraits = new StoredPortraits({
    attributes, store: new PortraitStore(redis, keys, config), standings: new StandingStore(redis, keys), surroundings, book: catalog, clock, newId: idSource(),
  });
  const offers = new OfferBookStore(redis, keys);
  const book = new OfferBook({ url: config.redisUrl, keys, store: offers, log });
  const decisions = await makeDecisions({
    config, log, redis, keys, catalog, metrics, clock, offers: book, eligibility: wireEligibility({ redis, keys, profiles, portraits, flagged, clock }),
  });
  const work = campaignWork({
    ...parts, profiles, portraits, attributes, offers, decisions: decisions.service, catalog: new CatalogStore(redis, keys), segments: new SegmentStore(redis, keys),
    webhookRegistry: new JobRegistry({ connect, keys, log, queue: WEBHOOK_QUEUE }),
  });
  return {
    ...work,
    async start() {
      await book.ready;
      await work.start();
    },
    async stop() {
      await work.stop();
      await Promise.all([book.stop(), decisions.stop()]);
    },
  };
}

const eachPartition = (keyOf: (index: number) => string): string[] => Array.from({ length: PARTITIONS }, (_, index) => keyOf(index));

function campaignMetrics(registry: Registry) {
  return {
    steps: new Counter({ name: 'rivulet_campaign_steps_total', help: 'Steps of campaigns by what came of them in this worker', labelNames: ['campaign', 'outcome'], registers: [registry] }),
    deliveries: new Counter({ name: 'rivulet_webhook_deliveries_total', help: 'Tries to hand a message to a webhook', labelNames: ['webhook', 'outcome'], registers: [registry] }),
  };
}
