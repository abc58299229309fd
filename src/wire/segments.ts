import type { Logger } from 'pino';
import { Catalog } from '../catalog/catalog.js';
import type { Config } from '../config.js';
import { CatalogFollower } from '../follow/catalog-follower.js';
import { SegmentFollower } from '../follow/segment-follower.js';
import type { JobRegistry, Processors } from '../jobs/registry.js';
import { BuyersPublisher, SegmentKeeper, SWEEP_SEGMENTS } from '../jobs/segments.js';
import { CatalogStore } from '../redis/catalog-store.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { Lease } from '../redis/lease.js';
import { PortraitStore } from '../redis/portrait-store.js';
import { SegmentStore } from '../redis/segment-store.js';
import { StandingStore } from '../redis/standing-store.js';
import type { ChangeCause } from '../domain/segment.js';
import type { Clock } from '../util/clock.js';
import { Rounds } from '../util/rounds.js';

export const SEGMENT_LIMITS = {
  /** Between two sums over all buyers, ms. */
  buyersEveryMs: 10_000,
  /** After a change of segments, until every worker is sure to know it, ms. */
  settleMs: 2000,
} as const;

export interface SegmentWiring {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly registry: Pick<JobRegistry, 'add'>;
  /** Of this worker, unique. */
  readonly name: string;
  readonly clock: Clock;
}

export interface WiredSegments {
  /** To be run behind the event stream. */
  readonly keeper: SegmentKeeper;
  /** What the keeper knows of the store, for others in this worker: current once it is started. */
  readonly catalog: Catalog;
  readonly surroundings: SegmentFollower;
  readonly processors: Processors;
  /** Resolves when the catalog, whose names portraits use, and the segments are here: before that the keeper would go wrong. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** All that keeps segments in a worker. */
export function wireSegments({ config, log, redis, keys, registry, name, clock }: SegmentWiring): WiredSegments {
  const store = new SegmentStore(redis, keys);
  const catalog = new Catalog();
  const catalogFollower = new CatalogFollower({ url: config.redisUrl, keys, store: new CatalogStore(redis, keys), catalog, log });
  const surroundings = new SegmentFollower({
    store, log,
    // Whichever worker sees it first; the others' jobs are the same one.
    onUnswept: (version) => registry.add(SWEEP_SEGMENTS, { cause: 'definition' }, { jobId: `${SWEEP_SEGMENTS} ${version}`, delayMs: SEGMENT_LIMITS.settleMs }),
  });
  const keeper = new SegmentKeeper({
    portraits: new PortraitStore(redis, keys, config), standings: new StandingStore(redis, keys), store, book: catalog, clock,
    segments: () => surroundings.segments, buyers: () => surroundings.buyers,
  });
  const publisher = new BuyersPublisher({ store, lease: new Lease(redis, keys.lock('buyers'), name), everyMs: SEGMENT_LIMITS.buyersEveryMs });
  const buyers = new Rounds({
    everyMs: SEGMENT_LIMITS.buyersEveryMs, round: () => publisher.publish(),
    onError: (error) => { log.debug({ err: error }, 'buyers could not be summed up'); },
  });
  return {
    keeper, catalog, surroundings,
    processors: {
      [SWEEP_SEGMENTS]: async (data, signal) => {
        const { cause = 'time' } = data as { cause?: ChangeCause };
        const { definitions } = await store.versions();
        await surroundings.look();
        const shoppers = await keeper.sweep(cause, signal);
        if (cause === 'definition') await store.noteSwept(definitions);
        log.debug({ shoppers, cause }, 'segments swept');
      },
    },
    async start() {
      surroundings.start();
      await Promise.all([catalogFollower.ready, surroundings.ready]);
      buyers.start();
    },
    async stop() {
      await Promise.all([surroundings.stop(), buyers.stop(), catalogFollower.stop()]);
    },
  };
}
