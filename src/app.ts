import { randomFillSync } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Catalog } from './catalog/catalog.js';
import type { Config } from './config.js';
import { demoPage } from './demo/page.js';
import { CatalogFollower } from './follow/catalog-follower.js';
import { StatisticsFollower } from './follow/statistics-follower.js';
import { eventRoutes } from './http/events.js';
import { healthRoutes } from './http/health.js';
import { itemRoutes } from './http/items.js';
import { recommendationRoutes } from './http/recommendations.js';
import { riskRoutes } from './http/risk.js';
import { makeServer, pageRoutes } from './http/server.js';
import { userRoutes } from './http/users.js';
import { claimLagMetrics, driftMetrics, lagMetrics } from './jobs/worker-metrics.js';
import { makeMetrics, metricsText, type Metrics } from './metrics.js';
import type { StoredEvents } from './campaigns/instant.js';
import type { DecisionService } from './paths/decision-service.js';
import { EventIngestor, type IngestDeps } from './paths/ingest-events.js';
import { RecommendationService } from './paths/recommendation-service.js';
import type { RoomFinder } from './paths/room-finder.js';
import { Recommender } from './paths/recommend.js';
import { ShopperReader } from './paths/shopper-reader.js';
import { Shoppers } from './paths/shoppers.js';
import type { PrimaryLink } from './processes/primary-link.js';
import { TOKEN_BYTES } from './profile/codec.js';
import { ENGINE_FEATURES } from './ranking/features.js';
import { ModelHolder } from './ranking/model-holder.js';
import { ModelRegistry } from './ranking/model-registry.js';
import { ModelWatcher } from './ranking/model-watcher.js';
import { shadowOutcome } from './ranking/shadow-outcome.js';
import type { AttributeStore } from './redis/attribute-store.js';
import { CatalogStore } from './redis/catalog-store.js';
import { connectRedis, limitCommands, mastersOf, untilReady, type RedisClient } from './redis/client.js';
import { DriftStore } from './redis/drift-store.js';
import { ImpressionLog } from './redis/impression-log.js';
import { makeKeys, type Keys } from './redis/keys.js';
import { checkLayout } from './redis/meta.js';
import { ProfileStore } from './redis/profile-store.js';
import { ShadowStore } from './redis/shadow-store.js';
import { idSource } from './util/id-source.js';
import { wireCampaigns } from './wire/campaigns.js';
import { wireCues } from './wire/cues.js';
import { wireDecisions, wireEligibility } from './wire/decisions.js';
import { wireOffers } from './wire/offers.js';
import { wireGrowth } from './wire/growth.js';
import { wireLimits } from './wire/limits.js';
import { wireInteraction } from './wire/interaction.js';
import { wireLive } from './wire/live.js';
import { wirePortraits } from './wire/portraits.js';
import { wireRisk } from './wire/risk.js';
import { wireRooms } from './wire/rooms.js';

const START_LIMITS = {
  /** Time Redis gets to come up, and for each answer until the process has started, ms. */
  redisMs: 30_000,
  /** Between failing readiness and closing the listener, ms. */
  leaveMs: 1000,
  /** Time that clients get for a last request on their open connections, whose reply then ends them, ms. */
  lastRequestMs: 1500,
  /** Connections that may wait to be taken in: those of a process that died come all at once, and one too many is tried again by its system only seconds later. */
  backlog: 8192,
} as const;

interface DrainState {
  /** Readiness fails. */
  draining: boolean;
}

export interface Api {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Stops taking work, finishes what is under way, closes everything.
   * @param isReplaced another process has taken its place on the port: the engine as a whole stays ready
   */
  close(options?: { readonly isReplaced?: boolean }): Promise<void>;
}

/** New random bytes for each write, from a block that is refilled when it is used up. */
function tokenSource(): () => Buffer {
  const block = Buffer.alloc(TOKEN_BYTES * 512);
  let at = block.length;
  return () => {
    if (at === block.length) {
      randomFillSync(block);
      at = 0;
    }
    at += TOKEN_BYTES;
    return block.subarray(at - TOKEN_BYTES, at);
  };
}

/** Everything of the api role, wired together. @param link where there are other api processes */
export async function startApi(config: Config, log: Logger, link?: PrimaryLink): Promise<Api> {
  const clock = Date.now;
  const keys = makeKeys(config.keyPrefix);
  const metrics = makeMetrics();
  const redis = connectRedis(config.redisUrl, 'commands', { timeoutMs: START_LIMITS.redisMs, name: 'rivulet-api' });
  await untilReady(redis, START_LIMITS.redisMs);
  await checkLayout(redis, keys);
  const catalog = new Catalog();
  const catalogStore = new CatalogStore(redis, keys);
  const catalogFollower = new CatalogFollower({ url: config.redisUrl, keys, store: catalogStore, catalog, log });
  await catalogFollower.ready;
  const limits = wireLimits({ config, log, redis, keys, clock });
  const app = await makeServer(config, log, limits.requests);
  const store = new ProfileStore(redis, keys, config);
  const surroundings = wirePortraits(app, { config, log, redis, keys, catalog, clock });
  const { attributes, portraits } = surroundings;
  const growth = await wireGrowth(app, { config, log, redis, keys, clock, portraits });
  const risk = await wireRisk({ config, log, redis, keys, profiles: store, clock }, limits);
  const eligibility = wireEligibility({ redis, keys, profiles: store, clock, portraits, flagged: risk.flagged });
  const offers = await wireOffers(app, { config, log, redis, keys, catalog, clock, profiles: store, eligibility, guard: risk.guard });
  const rooms = await wireRooms(app, { config, log, redis, keys, catalog: catalogStore, offers: offers.desk, clock });
  const decisions = await wireDecisions(app, { config, log, redis, keys, catalog, metrics: metrics.registry, clock, offers: offers.book, eligibility });
  const campaigns = await wireCampaigns(app, {
    config, log, redis, keys, profiles: store, portraits, decisions: decisions.service, clock,
    items: { getItem: (id) => Promise.resolve(catalog.item(catalog.rowOf(id))) }, offers: { read: (id) => Promise.resolve(offers.book.get(id)) },
  });
  const { inbox } = campaigns;
  const interaction = wireInteraction(app, {
    redis, keys, catalog, rooms, flagged: risk.flagged, ingest: (events) => paths.ingestor.ingest(events), metrics, clock,
    onFault: (error) => { log.warn({ err: error }, 'what viewers do in a room could not be stored at once'); },
  });
  const afterStored = (stored: StoredEvents): void => {
    campaigns.afterStored(stored);
    interaction.afterStored(stored);
  };
  const handOver = async (from: string, to: string): Promise<void> => { await Promise.all([offers.mergeClaims(from, to), inbox.move(from, to)]); };
  const paths = wirePaths(config, log, { redis, keys, catalog, catalogFollower, store, attributes, decisions: decisions.service, handOver, rooms: rooms.finder, afterStored, limit: risk.limitEvent, metrics, clock });
  const state: DrainState = { draining: false };
  eventRoutes(app, paths.ingestor, risk.admitEvents);
  riskRoutes(app, risk.ledger, paths.shoppers);
  recommendationRoutes(app, paths.service);
  itemRoutes(app, catalogStore, catalog, config.storeCurrency);
  userRoutes(app, paths.shoppers, portraits, catalog, clock, config.storeCurrency);
  link?.share(metrics.registry);
  healthRoutes(app, {
    missing: () => missing(state, redis), facts: () => facts(catalog, paths.model),
    metrics: () => metricsText(metrics, link === undefined ? undefined : () => link.metricsOfAll()),
  });
  const audience = await wireLive(app, { config, log, redis, keys, metrics, ...paths, inbox, rooms, interaction, clock });
  const cues = wireCues({ config, log, redis, keys, catalog, metrics: metrics.registry, clock, audience, profiles: store, portraits, eligibility, flagged: risk.flagged, offers, decisions, rooms });
  await pageRoutes(app, config.demo ? [demoPage] : []);
  lagMetrics(metrics.common, redis, keys);
  claimLagMetrics(metrics.common, redis, keys, () => offers.store.openIds());
  driftMetrics(metrics.common, new DriftStore(redis, keys));
  const watcher = new ModelWatcher(paths.model, new ModelRegistry(config.modelsDir, config.modelDir, clock));
  await watcher.start();
  limitCommands(redis, config.redisTimeoutMs);
  const url = await app.listen({ host: config.host, port: config.port, backlog: START_LIMITS.backlog });
  return {
    url,
    close: ({ isReplaced = false } = {}) => close(app, { state: isReplaced ? undefined : state, config }, [
      () => cues.stop(), () => interaction.stop(), () => watcher.stop(), () => surroundings.stop(), () => growth.stop(), () => risk.stop(), () => limits.stop(), () => campaigns.stop(), () => rooms.stop(), () => offers.stop(), () => decisions.stop(), () => paths.impressions.flush(), () => paths.shadows.flush(), () => catalogFollower.stop(), () => paths.statistics.stop(),
      () => paths.model.close(), () => { redis.disconnect(); },
    ]),
  };
}

interface Parts {
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: Catalog;
  readonly catalogFollower: CatalogFollower;
  readonly store: ProfileStore;
  readonly attributes: AttributeStore;
  readonly decisions: DecisionService;
  /** Gives what a visitor has claimed and was sent to the user. */
  readonly handOver: (from: string, to: string) => Promise<void>;
  readonly rooms: RoomFinder;
  readonly afterStored: (stored: StoredEvents) => void;
  readonly limit: IngestDeps['limit'];
  readonly metrics: Metrics;
  readonly clock: () => number;
}

function wirePaths(config: Config, log: Logger, { redis, keys, catalog, catalogFollower, store, attributes, decisions, handOver, rooms, afterStored, limit, metrics, clock }: Parts) {
  const newToken = tokenSource();
  const newId = idSource();
  const ingestor = new EventIngestor({ store, catalog, clock, currency: config.storeCurrency, newToken, onFolded: metrics.onFolded, limit, afterStored });
  const impressions = new ImpressionLog(redis, keys);
  const shadows = new ShadowStore(redis, keys);
  const model = new ModelHolder({
    features: ENGINE_FEATURES, catalog, batched: true, clock: () => performance.now(),
    onEvent: (event) => {
      if ('error' in event) log.error({ err: event.error, folder: event.folder }, 'model refused');
      else log.info(event, 'model');
      // Of the registry's models the folder's name is the label.
      if (event.kind === 'shadow_dropped') shadows.add(basename(event.folder), { dropped: 1 });
    },
    onShadow: (serving, shadow) => { shadows.add(shadow.model, shadowOutcome(serving, shadow)); },
  });
  const recommender = new Recommender({
    catalog, statistics: () => statistics.current, pins: (scene) => catalogFollower.pins(scene), model, impressions, clock, random: Math.random, newId,
    candidatesMax: config.candidatesMax, deadlineMs: config.recommendDeadlineMs,
    onFault: (error) => {
      metrics.onRecommendFault();
      log.error({ err: error }, 'ranking failed; the ladder stood in');
    },
  });
  const reader = new ShopperReader(store, ingestor, catalog, clock);
  const service = new RecommendationService(reader, recommender, catalog, config.recommendDeadlineMs, metrics, decisions, rooms);
  const statistics = new StatisticsFollower({ url: config.redisUrl, keys, redis, catalog, log, onErased: (shopper) => { service.forget(shopper); } });
  const shoppers = new Shoppers({
    store, attributes, clock, newToken, newId, handOver,
    announceErased: async (shopper) => {
      service.forget(shopper);
      await redis.publish(keys.notices, JSON.stringify({ kind: 'erased', shopper }));
    },
  });
  metrics.gauge('rivulet_impressions_dropped', 'Impressions that were not logged', () => impressions.dropped);
  metrics.gauge('rivulet_catalog_items', 'Items in each process', () => catalog.size, 'max');
  metrics.gauge('rivulet_scoring_queue', 'Requests waiting for the model', () => model.status.queued);
  return { store, ingestor, impressions, shadows, model, service, statistics, shoppers };
}

function facts(catalog: Catalog, { status: { model = 'fallback', circuit, encoderCircuit } }: ModelHolder): Record<string, unknown> {
  return { items: catalog.size, model, circuit, encoderCircuit };
}

async function missing(state: DrainState, redis: RedisClient): Promise<string[]> {
  if (state.draining) return ['shutting down'];
  try {
    // Of a cluster any will do: what lies on the others is served.
    await Promise.any(mastersOf(redis).map((master) => master.ping()));
    return [];
  } catch {
    return ['Redis does not answer'];
  }
}

/**
 * Leaves without failing a request: readiness fails first, so that a balancer looks elsewhere (without `state` it does
 * not, as other processes serve on); then the listener closes, and only it, because Node would cut connections on which
 * a request may just be arriving; open connections end with their next reply; at last whatever is left is drained.
 */
async function close(app: FastifyInstance, { state, config }: { state: DrainState | undefined; config: Config }, after: readonly (() => Promise<unknown> | void)[]): Promise<void> {
  if (state !== undefined) {
    state.draining = true;
    await pause(Math.min(START_LIMITS.leaveMs, config.drainMs / 4));
  }
  app.server.prependListener('request', (_request: unknown, response: ServerResponse) => { response.shouldKeepAlive = false; });
  NetServer.prototype.close.call(app.server);
  await pause(Math.min(START_LIMITS.lastRequestMs, config.drainMs / 4));
  const timer = setTimeout(() => { app.server.closeAllConnections(); }, config.drainMs);
  try {
    await app.close();
  } catch (error) {
    // The listener is closed already: nothing else is wrong with that.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SERVER_NOT_RUNNING')) throw error;
  }
  clearTimeout(timer);
  for (const step of after) await step();
}
