import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.js';
import type { Config } from '../config.js';
import { SegmentFollower } from '../follow/segment-follower.js';
import { segmentRoutes } from '../http/segments.js';
import { estimateSegment, type SegmentEstimate } from '../paths/estimate-segment.js';
import { SegmentDesk } from '../paths/segment-desk.js';
import { StoredPortraits } from '../paths/stored-portraits.js';
import { AttributeStore } from '../redis/attribute-store.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { PortraitStore } from '../redis/portrait-store.js';
import { SegmentStore } from '../redis/segment-store.js';
import { StandingStore } from '../redis/standing-store.js';
import type { Clock } from '../util/clock.js';
import { idSource } from '../util/id-source.js';

export interface PortraitWiring {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: Catalog;
  readonly clock: Clock;
}

export interface WiredPortraits {
  readonly attributes: AttributeStore;
  readonly portraits: StoredPortraits;
  stop(): Promise<void>;
}

/** Portraits and segments of an api process, with the routes of segments. */
export function wirePortraits(app: FastifyInstance, { config, log, redis, keys, catalog, clock }: PortraitWiring): WiredPortraits {
  const store = new SegmentStore(redis, keys);
  const surroundings = new SegmentFollower({ store, log });
  const attributes = new AttributeStore(redis, keys, config);
  const stored = new PortraitStore(redis, keys, config);
  const standings = new StandingStore(redis, keys);
  const portraits = new StoredPortraits({ attributes, store: stored, standings, surroundings, book: catalog, clock, newId: idSource() });
  const estimate = (expression: string): Promise<SegmentEstimate> =>
    estimateSegment(expression, { store, portraits: stored, standings, surroundings, book: catalog, clock, random: Math.random });
  segmentRoutes(app, new SegmentDesk(store, clock), estimate);
  surroundings.start();
  return { attributes, portraits, stop: () => surroundings.stop() };
}
