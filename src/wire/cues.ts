import type { Logger } from 'pino';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Catalog } from '../catalog/catalog.js';
import type { Config } from '../config.js';
import type { Audience } from '../live/audience.js';
import type { LiveOffers } from '../offers/live-offer.js';
import { broadcastReach } from '../paths/broadcast-reach.js';
import { CuePlayer, type CueMetrics, type CuePlayerDeps } from '../paths/play-cue.js';
import type { StoredPortraits } from '../paths/stored-portraits.js';
import type { ClaimStore } from '../redis/claim-store.js';
import type { RedisClient } from '../redis/client.js';
import { CueStore } from '../redis/cue-store.js';
import type { Keys } from '../redis/keys.js';
import type { ProfileStore } from '../redis/profile-store.js';
import type { Clock } from '../util/clock.js';
import { idSource } from '../util/id-source.js';
import type { Eligibility, WiredDecisions } from './decisions.js';
import type { WiredRooms } from './rooms.js';

export interface CueParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: Catalog;
  readonly metrics: Registry;
  readonly clock: Clock;
  readonly audience: Audience;
  readonly profiles: ProfileStore;
  readonly portraits: StoredPortraits;
  readonly eligibility: Eligibility;
  readonly flagged: CuePlayerDeps['flagged'];
  readonly offers: { readonly book: LiveOffers; readonly claimStore: ClaimStore };
  readonly decisions: WiredDecisions;
  readonly rooms: WiredRooms;
}

/** Cues as an api process plays them to its viewers. */
export function wireCues({ config, log, redis, keys, catalog, metrics, clock, audience, profiles, portraits, eligibility, flagged, offers, decisions, rooms }: CueParts): CuePlayer {
  const { model, policy } = decisions;
  const store = new CueStore(redis, keys, clock);
  audience.watchRooms(broadcastReach({ audience, keys, store, onFault: (error) => { log.error({ err: error }, 'the reach of a cue lacks some viewers'); } }));
  return new CuePlayer({
    audience, keys, catalog, profiles, portraits, flagged, model, policy, clock, newId: idSource(),
    offers: offers.book, claims: offers.claimStore, preparer: eligibility.preparer, log: decisions.log, store,
    rooms: { openCues: (roomId, now) => rooms.store.openCues(roomId, now), get: (roomId) => rooms.book.get(roomId) },
    deadlineMs: config.cueChunkDeadlineMs, metrics: cueMetrics(metrics),
    onFault: (error) => { log.error({ err: error }, 'a part of a cue failed; its viewers get the default offer'); },
  });
}

function cueMetrics(registry: Registry): CueMetrics {
  const seconds = new Histogram({
    name: 'rivulet_cue_seconds', help: 'Time from a cue until all viewers of a process that were there have their offers', registers: [registry],
    buckets: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
  });
  const viewers = new Counter({
    name: 'rivulet_cue_viewers_total', labelNames: ['outcome'], registers: [registry],
    help: 'Viewers of cues: offer (their own), default, sold_out; held (given no offers at all), before (served by another process)',
  });
  const late = new Counter({ name: 'rivulet_cue_late_chunks_total', help: 'Chunks of viewers that missed their deadline', registers: [registry] });
  return {
    onChunk: (counts, isLate) => {
      for (const [outcome, count] of Object.entries(counts)) viewers.inc({ outcome }, count);
      if (isLate) late.inc();
    },
    onPlayed: (elapsedMs) => { seconds.observe(elapsedMs / 1000); },
  };
}
