import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.js';
import type { Config } from '../config.js';
import { GrowthRulesFollower } from '../follow/growth-rules-follower.js';
import type { SegmentFollower } from '../follow/segment-follower.js';
import { growthRoutes } from '../http/growth.js';
import { GrowthKeeper } from '../jobs/growth.js';
import { currentProfile } from '../offers/current-profile.js';
import { GrowthDesk } from '../paths/growth-desk.js';
import { GrowthLedger } from '../paths/growth-ledger.js';
import { StoredPortraits } from '../paths/stored-portraits.js';
import type { PortraitFieldName } from '../profile/portrait-schema.js';
import { PortraitView } from '../profile/portrait.js';
import { emptyProfile } from '../profile/profile.js';
import { AttributeStore } from '../redis/attribute-store.js';
import type { RedisClient } from '../redis/client.js';
import { GrowthStore } from '../redis/growth-store.js';
import type { Keys } from '../redis/keys.js';
import { PortraitStore } from '../redis/portrait-store.js';
import { ProfileStore } from '../redis/profile-store.js';
import { StandingStore } from '../redis/standing-store.js';
import type { Clock } from '../util/clock.js';
import { idSource } from '../util/id-source.js';

interface GrowthParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly clock: Clock;
}

/** Growth of an api process, with its routes. */
export async function wireGrowth(app: FastifyInstance, parts: GrowthParts & { readonly portraits: StoredPortraits }): Promise<{ stop(): Promise<void> }> {
  const { store, ledger, follower } = makeLedger(parts, parts.portraits);
  await follower.start();
  growthRoutes(app, new GrowthDesk(ledger, store), ledger);
  return { stop: () => follower.stop() };
}

export interface WiredGrowthWork {
  /** To be run behind the event stream. */
  readonly keeper: GrowthKeeper;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** What a worker does for growth. @param surroundings what the worker knows of the store, for the badges' expressions */
export function wireGrowthWork(parts: GrowthParts, { catalog, surroundings }: { readonly catalog: Catalog; readonly surroundings: SegmentFollower }): WiredGrowthWork {
  const { config, redis, keys, clock } = parts;
  const portraits = new StoredPortraits({
    attributes: new AttributeStore(redis, keys, config), store: new PortraitStore(redis, keys, config), standings: new StandingStore(redis, keys),
    surroundings, book: catalog, clock, newId: idSource(),
  });
  const { ledger, follower } = makeLedger(parts, portraits);
  return { keeper: new GrowthKeeper(ledger), start: () => follower.start(), stop: () => follower.stop() };
}

const FIELDS: ReadonlySet<PortraitFieldName> = new Set(['segments']);

function makeLedger({ config, log, redis, keys, clock }: GrowthParts, portraits: StoredPortraits) {
  const store = new GrowthStore(redis, keys, config);
  const follower = new GrowthRulesFollower(store, log);
  const profiles = new ProfileStore(redis, keys, config);
  const ledger = new GrowthLedger({
    store, attributes: new AttributeStore(redis, keys, config), rules: () => follower.current, timezone: config.quietHours.timezone, clock, newId: idSource(),
    document: async (shopper, growth) => {
      const [open, current] = await Promise.all([portraits.open(shopper, FIELDS), currentProfile(profiles, shopper)]);
      return new PortraitView({ ...open(current?.profile ?? emptyProfile(), clock()).parts, growth });
    },
  });
  return { store, ledger, follower };
}
