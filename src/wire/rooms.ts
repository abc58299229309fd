import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { RoomBook } from '../follow/room-book.js';
import { roomRoutes } from '../http/rooms.js';
import type { OfferDesk } from '../paths/offer-desk.js';
import { RoomCues } from '../paths/room-cues.js';
import { RoomDesk } from '../paths/room-desk.js';
import type { RoomFinder } from '../paths/room-finder.js';
import { RoomItems } from '../paths/room-items.js';
import type { CatalogStore } from '../redis/catalog-store.js';
import type { RedisClient } from '../redis/client.js';
import { CueStore } from '../redis/cue-store.js';
import type { Keys } from '../redis/keys.js';
import { RoomStore } from '../redis/room-store.js';
import type { Clock } from '../util/clock.js';

export interface RoomDeskParts {
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: CatalogStore;
  readonly offers: OfferDesk;
  readonly clock: Clock;
}

/** What is done to rooms, in any process. */
export interface RoomDesks {
  readonly store: RoomStore;
  readonly items: RoomItems;
  readonly cues: RoomCues;
  readonly desk: RoomDesk;
}

export function roomDesks({ redis, keys, catalog, offers, clock }: RoomDeskParts): RoomDesks {
  const store = new RoomStore(redis, keys);
  const items = new RoomItems(catalog);
  const cues = new RoomCues({ store, items, catalog, offers, played: new CueStore(redis, keys, clock), clock });
  return { store, items, cues, desk: new RoomDesk({ store, items, cues, clock }) };
}

export interface RoomParts extends RoomDeskParts {
  readonly config: Config;
  readonly log: Logger;
}

export interface WiredRooms {
  readonly store: RoomStore;
  readonly book: RoomBook;
  readonly finder: RoomFinder;
  stop(): Promise<void>;
}

/** Live rooms of an api process, with their routes. */
export async function wireRooms(app: FastifyInstance, parts: RoomParts): Promise<WiredRooms> {
  const { config, log, keys } = parts;
  const { store, desk, cues } = roomDesks(parts);
  const book = new RoomBook({ url: config.redisUrl, keys, store, log });
  await book.ready;
  roomRoutes(app, desk, cues);
  const finder: RoomFinder = { get: (id) => book.get(id), read: (id) => store.read(id) };
  return { store, book, finder, stop: () => book.stop() };
}
