import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { builtInCampaigns } from '../campaigns/built-in.js';
import { InstantCampaigns, type StoredEvents } from '../campaigns/instant.js';
import { StepRunner, type CampaignItem, type OfferQuestion } from '../campaigns/run-step.js';
import type { Facts } from '../campaigns/words.js';
import type { Config } from '../config.js';
import type { Offer } from '../domain/offer.js';
import { CampaignBook } from '../follow/campaign-book.js';
import { campaignRoutes } from '../http/campaigns.js';
import { inboxRoutes } from '../http/inbox.js';
import { webhookRoutes } from '../http/webhooks.js';
import type { JobRegistry } from '../jobs/registry.js';
import { addWebhookJob } from '../jobs/webhooks.js';
import type { PortraitSource } from '../offers/decide/portrait-source.js';
import { CampaignDesk } from '../paths/campaign-desk.js';
import type { DecisionService } from '../paths/decision-service.js';
import { Inbox } from '../paths/inbox.js';
import { WebhookDesk } from '../paths/webhook-desk.js';
import { CampaignStore } from '../redis/campaign-store.js';
import { connectRedis, type RedisClient } from '../redis/client.js';
import { HappeningStore } from '../redis/happening-store.js';
import type { Keys } from '../redis/keys.js';
import { OfferStore } from '../redis/offer-store.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { WebhookStore } from '../redis/webhook-store.js';
import type { Clock } from '../util/clock.js';

/** What campaigns need of a process of either role. */
export interface CampaignParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly profiles: ProfileStore;
  readonly portraits: PortraitSource;
  readonly items: { getItem(id: string): Promise<CampaignItem | undefined> };
  readonly offers: { read(id: string): Promise<Offer | undefined> };
  readonly decisions: Pick<DecisionService, 'decideFor'>;
  readonly clock: Clock;
}

/** Name of the queue of deliveries to webhooks. */
export const WEBHOOK_QUEUE = 'webhooks';

/** The runner of steps, over the campaigns as this process knows them. */
export function makeRunner({ config, log, redis, keys, profiles, portraits, items, offers, decisions, clock }: CampaignParts) {
  const store = new CampaignStore(redis, keys);
  const builtIn = builtInCampaigns(config);
  const book = new CampaignBook({ store, builtIn, log });
  const happenings = new HappeningStore(redis, keys);
  const messages = new OfferStore(redis, keys, { caps: config.contactCaps, consentRequired: config.consentRequired, clock });
  const runner = new StepRunner({
    campaigns: book, profiles, items, portraits, messages, quietHours: config.quietHours, clock,
    lastEvent: (shopper, types) => happenings.last(shopper, types),
    offerFor: (question) => offerFor(question, { offers, decisions, clock }),
  });
  return { store, builtIn, book, happenings, messages, runner };
}

async function offerFor({ shopper, campaign, itemId, offer }: OfferQuestion, { offers, decisions, clock }: Pick<CampaignParts, 'offers' | 'decisions' | 'clock'>): Promise<Facts['offer']> {
  if ('id' in offer) {
    const found = await offers.read(offer.id);
    const now = clock();
    if (found === undefined || found.status !== 'active' || now < found.window.startsAt || now >= found.window.endsAt) return undefined;
    return { id: found.id, title: found.title, endsAt: found.window.endsAt };
  }
  const { scene, offerIds } = offer.decide;
  const decision = await decisions.decideFor({ shopper, scene, channel: 'socket', campaignId: campaign, itemId, offerIds: offerIds === undefined ? undefined : new Set(offerIds) });
  if (decision.offer === null) return undefined;
  return { id: decision.offer.id, title: decision.offer.title, endsAt: decision.offer.endsAt, decisionId: decision.decisionId };
}

export interface WiredCampaigns {
  /** For the event path. */
  readonly afterStored: (stored: StoredEvents) => void;
  readonly inbox: Inbox;
  stop(): Promise<void>;
}

/** Campaigns, inbox and webhooks of an api process, with their routes. */
export async function wireCampaigns(app: FastifyInstance, parts: CampaignParts): Promise<WiredCampaigns> {
  const { config, log, redis, keys, profiles, clock } = parts;
  const { store, builtIn, book, messages, runner } = makeRunner(parts);
  const instant = new InstantCampaigns({
    campaigns: book, runner, clock,
    onFault: (error) => { log.debug({ err: error }, 'campaign left to a worker'); },
  });
  const inbox = new Inbox({ offers: messages, profiles, clock });
  // An operator's replay is all that an api process ever queues: only then it loads the queue and connects.
  let queue: Promise<JobRegistry> | undefined;
  const addJob: JobRegistry['add'] = async (...job) => {
    queue ??= openQueue(parts).catch((error: unknown) => {
      // The next replay tries again.
      queue = undefined;
      throw error;
    });
    await (await queue).add(...job);
  };
  campaignRoutes(app, new CampaignDesk(store, builtIn));
  inboxRoutes(app, inbox);
  webhookRoutes(app, new WebhookDesk({
    store: new WebhookStore(redis, keys), allowsLoopback: config.webhookLoopback, randomBytes,
    replay: (webhook, { messageId, event, shopper, body, at }) => addWebhookJob(addJob, { webhook, messageId, event, shopper, body }, ` again ${at}`),
  }));
  await book.start();
  return {
    afterStored: (stored) => { instant.afterStored(stored); },
    inbox,
    async stop() {
      await Promise.all([book.stop(), queue?.then((jobs) => jobs.stop())]);
    },
  };
}

async function openQueue({ config, log, keys }: CampaignParts): Promise<JobRegistry> {
  const { JobRegistry } = await import('../jobs/registry.js');
  return new JobRegistry({ connect: () => connectRedis(config.redisUrl, 'listening', { timeoutMs: 0, name: 'rivulet-webhooks' }), keys, log, queue: WEBHOOK_QUEUE });
}
