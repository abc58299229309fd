import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { StoredEvents } from '../campaigns/instant.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Interaction } from '../domain/interaction.js';
import type { Room } from '../domain/room.js';
import type { ShopperKey } from '../domain/shopper.js';
import { roomInsightsRoutes } from '../http/room-insights.js';
import type { RoomHooks } from '../live/audience.js';
import type { Metrics } from '../metrics.js';
import type { IngestReport } from '../paths/ingest-events.js';
import { Interact } from '../paths/interact.js';
import { OpenCues } from '../paths/open-cues.js';
import { RoomCarts } from '../paths/room-carts.js';
import { RoomEvents } from '../paths/room-events.js';
import { RoomInsightsReader } from '../paths/room-insights.js';
import { RoomPulse } from '../paths/room-pulse.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { RoomPulseStore } from '../redis/room-pulse-store.js';
import type { Clock } from '../util/clock.js';
import { idSource } from '../util/id-source.js';
import type { WiredRooms } from './rooms.js';

export interface InteractionParts {
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: Catalog;
  readonly rooms: Pick<WiredRooms, 'store' | 'finder'>;
  readonly flagged: { has(shopper: ShopperKey): boolean };
  readonly ingest: (events: readonly unknown[]) => Promise<IngestReport>;
  readonly metrics: Pick<Metrics, 'gauge'>;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

export interface WiredInteraction {
  readonly interact: (shopper: ShopperKey, roomId: string, act: Interaction) => Promise<void>;
  readonly pulses: RoomPulseStore;
  /** For the hub: who comes and goes. */
  readonly hooks: RoomHooks;
  /** For whoever stores events. */
  readonly afterStored: (stored: StoredEvents) => void;
  stop(): Promise<void>;
}

/** What viewers do in live rooms, by an api process, and what their hosts are told of it. */
export function wireInteraction(app: FastifyInstance, { redis, keys, catalog, rooms, flagged, ingest, metrics, clock, onFault }: InteractionParts): WiredInteraction {
  const pulses = new RoomPulseStore(redis, keys);
  const pulse = new RoomPulse({ store: pulses, process: randomUUID(), clock, onFault });
  const events = new RoomEvents({ ingest, clock, onFault });
  const cues = new OpenCues(rooms.store, clock);
  const carts = new RoomCarts({ rooms: rooms.finder, pulse, flagged, clock });
  const interact = new Interact({ rooms: rooms.finder, cues, pulse, events, catalog, flagged, clock, newId: idSource() });
  roomInsightsRoutes(app, new RoomInsightsReader({ rooms: rooms.store, store: pulses, cues, catalog, clock }));
  metrics.gauge('rivulet_room_events_dropped', 'Events of viewers that were not stored', () => events.dropped);
  return {
    interact: (shopper, roomId, act) => interact.interact(shopper, roomId, act), pulses,
    hooks: {
      onFrame: (roomId, type, { json }) => {
        if (type === 'cue') cues.forget(roomId);
        if (type !== 'room') return;
        const { room } = JSON.parse(json.toString()) as { room: Room };
        // Who has waited for it joins when it opens, and who stays after its end watches no more.
        if (room.status === 'live') for (const shopper of pulse.viewersOf(roomId)) events.joined(room, shopper);
        if (room.status === 'closed') for (const shopper of pulse.viewersOf(roomId)) events.left(roomId, shopper);
      },
      onJoin: (roomId, { shopper }) => {
        const room = rooms.finder.get(roomId);
        if (pulse.join(roomId, shopper) && room?.status === 'live') events.joined(room, shopper);
      },
      onLeave: (roomId, { shopper }) => { if (pulse.leave(roomId, shopper)) events.left(roomId, shopper); },
    },
    afterStored: (stored) => { carts.afterStored(stored); },
    stop: async () => { await Promise.all([pulse.stop(), events.stop()]); },
  };
}
