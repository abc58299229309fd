import { randomBytes, randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import { emptyStatisticsData, Statistics } from '../../src/candidates/statistics.js';
import { Catalog } from '../../src/catalog/catalog.js';
import type { StoredEvents } from '../../src/campaigns/instant.js';
import { SCOPES, type Scope, type TokenRules } from '../../src/config.js';
import type { Item } from '../../src/domain/item.js';
import { authentication, type Authenticate } from '../../src/live/authentication.js';
import { ChannelStates, type StateReader } from '../../src/live/channel-states.js';
import { Guests } from '../../src/live/guests.js';
import { LiveHub } from '../../src/live/hub.js';
import { LIVE_LIMITS, type LiveLimits } from '../../src/live/limits.js';
import type { LiveServices } from '../../src/live/services.js';
import { liveSocket } from '../../src/live/socket.js';
import { liveStream } from '../../src/live/sse.js';
import { tokenVerifier } from '../../src/live/token.js';
import { Inbox } from '../../src/paths/inbox.js';
import { liveChannels } from '../../src/paths/live-channels.js';
import { EventIngestor } from '../../src/paths/ingest-events.js';
import { RecommendationService } from '../../src/paths/recommendation-service.js';
import { Recommender } from '../../src/paths/recommend.js';
import type { ListDecisions } from '../../src/paths/decision-service.js';
import { ShopperReader } from '../../src/paths/shopper-reader.js';
import type { Clock } from '../../src/util/clock.js';
import { ENGINE_FEATURES } from '../../src/ranking/features.js';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import { ChannelLog } from '../../src/redis/channel-log.js';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { ImpressionLog } from '../../src/redis/impression-log.js';
import { makeKeys, type Keys } from '../../src/redis/keys.js';
import { OfferStore } from '../../src/redis/offer-store.js';
import { NO_CAPS } from '../../src/offers/contact-policy.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { wireInteraction } from '../../src/wire/interaction.js';
import { ShardSubscriber } from '../../src/redis/shard-subscriber.js';
import { RoomStore } from '../../src/redis/room-store.js';

export const KEYS = makeKeys('test:');

export interface LiveServer {
  readonly url: string;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly hub: LiveHub;
  readonly log: ChannelLog;
  readonly rooms: RoomStore;
  readonly store: ProfileStore;
  readonly offers: OfferStore;
  readonly ingestor: EventIngestor;
  /** Whatever was not expected. */
  readonly faults: unknown[];
  /** Sockets open now. */
  sockets(): number;
  /** Drains and ends it. */
  close(): Promise<void>;
}

export interface LiveServerOptions {
  readonly limits?: Partial<LiveLimits>;
  readonly origins?: readonly string[];
  readonly apiKeys?: Readonly<Record<string, readonly Scope[]>>;
  readonly jwt?: TokenRules;
  /** In place of keys and tokens. */
  readonly authenticate?: Authenticate;
  /** Of the sockets and their tokens. */
  readonly clock?: Clock;
  /** States of channels, in place of the real ones. */
  readonly reader?: Partial<StateReader>;
  readonly items?: readonly Item[];
  readonly afterStored?: (stored: StoredEvents) => void;
}

/** The socket over the real paths, as an api process has it, without its other routes and without a model. */
export async function startLive(redisUrl: string, options: LiveServerOptions = {}): Promise<LiveServer> {
  const clock = options.clock ?? Date.now;
  const limits: LiveLimits = { ...LIVE_LIMITS, ...options.limits };
  const redis = connectRedis(redisUrl, 'commands', { timeoutMs: 10_000, name: 'test' });
  await untilReady(redis, 30_000);
  const catalog = new Catalog();
  for (const item of options.items ?? []) catalog.put(item);
  const store = new ProfileStore(redis, KEYS, { profileTtlS: 86_400, streamEntriesMax: 100_000 });
  const offers = new OfferStore(redis, KEYS, { caps: NO_CAPS, consentRequired: false, clock: Date.now });
  const inbox = new Inbox({ offers, profiles: store, clock: Date.now });
  const ingestor = new EventIngestor({
    store, catalog, clock: Date.now, newToken: () => randomBytes(8), onFolded: () => { /* not counted */ },
    afterStored: (stored) => {
      options.afterStored?.(stored);
      interaction.afterStored(stored);
    },
  });
  const faults: unknown[] = [];
  const log = new ChannelLog(redis, Date.now);
  const hub = new LiveHub({ subscriber: (listener) => new ShardSubscriber(redis, listener), logs: log, limits, onFault: (error) => faults.push(error) });
  const rooms = new RoomStore(redis, KEYS);
  const service = serviceOf({ redis, catalog, store, ingestor, rooms });
  const app = Fastify();
  const interaction = wireInteraction(app, {
    redis, keys: KEYS, catalog, rooms: { store: rooms, finder: { get: () => undefined, read: (id) => rooms.read(id) } }, flagged: { has: () => false },
    ingest: (events) => ingestor.ingest(events), metrics: { gauge: () => { /* not measured */ } }, clock, onFault: (error) => faults.push(error),
  });
  hub.watchRooms(interaction.hooks);
  const { channels, reader } = liveChannels({ keys: KEYS, book: { get: () => undefined }, store: rooms, pulses: interaction.pulses, inbox, clock: Date.now });
  const apiKeys = new Map(Object.entries(options.apiKeys ?? {}).map(([key, scopes]) => [key, new Set(scopes)]));
  const isOpen = apiKeys.size === 0 && options.jwt === undefined;
  const guests = new Guests({ origins: { allowed: options.origins ?? [], isOpen }, limits, clock, random: Math.random });
  const services: LiveServices = {
    ingest: (events) => ingestor.ingest(events),
    recommend: (input) => service.recommend(input),
    interact: interaction.interact,
    acknowledge: (shopper, messageIds) => inbox.acknowledge(shopper, messageIds),
    channels, states: new ChannelStates({ ...reader, ...options.reader }, Date.now),
    authenticate: options.authenticate ?? authentication({
      scopesOf: (token) => (isOpen ? new Set(SCOPES) : apiKeys.get(token ?? '')),
      verify: options.jwt === undefined ? undefined : tokenVerifier(options.jwt, clock),
    }),
    onFault: (error) => faults.push(error),
  };
  await app.register(liveSocket, { hub, services, guests, limits, clock });
  await app.register(liveStream, { hub, services, guests, limits, clock });
  app.addHook('onClose', () => { hub.close(); });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url, redis, keys: KEYS, hub, log, rooms, store, offers, ingestor, faults,
    sockets: () => guests.count,
    close: async () => {
      await app.close();
      await interaction.stop();
      redis.disconnect();
    },
  };
}

interface Parts { readonly redis: RedisClient; readonly catalog: Catalog; readonly store: ProfileStore; readonly ingestor: EventIngestor; readonly rooms: RoomStore }

function serviceOf({ redis, catalog, store, ingestor, rooms }: Parts): RecommendationService {
  const statistics = new Statistics(emptyStatisticsData(), catalog);
  const recommender = new Recommender({
    catalog, statistics: () => statistics, pins: () => [],
    model: new ModelHolder({ features: ENGINE_FEATURES, clock: () => performance.now(), onEvent: () => { /* none loaded */ } }),
    impressions: new ImpressionLog(redis, KEYS), clock: Date.now, random: Math.random, newId: randomUUID, candidatesMax: 200, deadlineMs: 500,
    onFault: (error) => { throw error; },
  });
  const reader = new ShopperReader(store, ingestor, catalog, Date.now);
  return new RecommendationService(reader, recommender, catalog, 500, { onReply: () => { /* not measured */ } }, noDecisions, { get: () => undefined, read: (id) => rooms.read(id) });
}

/** No test over this server asks for an offer. */
const noDecisions: ListDecisions = { begin: notAsked, beside: notAsked };
function notAsked(): never {
  throw new Error('No offer was asked for.');
}

/** A few items of one category, at 10.00 and more. */
export const ITEMS: readonly Item[] = Array.from({ length: 12 }, (_, i) => ({
  id: `i${i}`, title: `Item ${i}`, category: ['things', i % 2 === 0 ? 'even' : 'odd'], price: 10 + i, currency: 'EUR', stock: 5,
}));
