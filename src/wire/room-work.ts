import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.js';
import { RoomKeeper } from '../jobs/room-keeper.js';
import { OfferDesk } from '../paths/offer-desk.js';
import { CatalogStore } from '../redis/catalog-store.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { Lease } from '../redis/lease.js';
import { OfferBookStore } from '../redis/offer-book-store.js';
import type { Clock } from '../util/clock.js';
import { Rounds } from '../util/rounds.js';
import { roomDesks } from './rooms.js';

const ROOM_WORK_LIMITS = {
  /** Between rounds, ms, and lease of who makes them. */
  everyMs: 10_000, leaseMs: 30_000,
} as const;

export interface RoomWorkParts {
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: Catalog;
  /** Of this worker, unique. */
  readonly name: string;
  readonly clock: Clock;
}

/** Keeps rooms in order, in one worker at a time. */
export function roomRounds({ log, redis, keys, catalog, name, clock }: RoomWorkParts): Rounds {
  const lease = new Lease(redis, keys.lock('rooms'), name);
  const keeper = roomKeeper({ redis, keys, catalog, clock });
  return new Rounds({
    everyMs: ROOM_WORK_LIMITS.everyMs, round: () => lease.whileHeld(ROOM_WORK_LIMITS.leaseMs, () => keeper.round()),
    onError: (error) => { log.warn({ err: error }, 'rooms are not kept at the moment; the next round goes on'); },
  });
}

export function roomKeeper({ redis, keys, catalog, clock }: Pick<RoomWorkParts, 'redis' | 'keys' | 'catalog' | 'clock'>): RoomKeeper {
  const book = new OfferBookStore(redis, keys);
  // What an offer is checked for when it is made does not matter to its end.
  const offers = new OfferDesk({ store: book, clock, checkEligibility: () => { /* Has been. */ } });
  const { store: rooms, items, cues } = roomDesks({ redis, keys, catalog: new CatalogStore(redis, keys), offers, clock });
  return new RoomKeeper({ rooms, items, catalog, cues, offers: { book, desk: offers }, clock });
}
