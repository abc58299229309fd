import type { EventInput } from '../domain/event.js';
import { roomItemId, type Room } from '../domain/room.js';
import { shopperIds, type ShopperKey } from '../domain/shopper.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import { pause } from '../util/pause.js';
import type { IngestReport } from './ingest-events.js';

export const ROOM_EVENTS_LIMITS = {
  /** Events that wait; those beyond are dropped, and counted. */
  waitingMax: 20_000,
  /** … of which so many are stored in one go. */
  batchMax: 256,
  /** Tries to store a batch, and the pause between two, ms. */
  attempts: 5,
  retryMs: 1000,
  /** A shopper who is back this soon has not left, ms. */
  leaveAfterMs: 60_000,
  /** How often those who left are looked at, ms. */
  lookEveryMs: 1000,
} as const;

export interface RoomEventsOptions {
  readonly ingest: (events: readonly unknown[]) => Promise<IngestReport>;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

interface Visit {
  readonly room: Room;
  readonly shopper: ShopperKey;
  /** ms */
  readonly since: number;
}

type RoomEvent = Pick<EventInput, 'id' | 'type'> & Partial<Pick<EventInput, 'itemId' | 'value' | 'currency' | 'quantity' | 'context'>>;

/**
 * What viewers do as events of their profiles: behind the answer, many at a time. Ids of what happens once a show say so, whichever process
 * tells it.
 */
export class RoomEvents {
  readonly #options: RoomEventsOptions;
  #waiting: EventInput[] = [];
  /** By room and shopper: who is here, and who is gone, in order. */
  readonly #here = new Map<string, Visit>();
  readonly #gone = new Map<string, Visit & { readonly at: number }>();
  readonly #look: NodeJS.Timeout;
  #storing: Promise<void> | undefined;
  #isStopped = false;
  /** So far. */
  dropped = 0;

  constructor(options: RoomEventsOptions) {
    this.#options = options;
    this.#look = setInterval(() => { this.#tellGone(this.#options.clock() - ROOM_EVENTS_LIMITS.leaveAfterMs); }, ROOM_EVENTS_LIMITS.lookEveryMs);
  }

  /** @param event about the room itself unless it names an item */
  push(room: Room, shopper: ShopperKey, event: RoomEvent, at = this.#options.clock()): void {
    if (this.#waiting.length >= ROOM_EVENTS_LIMITS.waitingMax) {
      this.dropped += 1;
      return;
    }
    this.#waiting.push({ itemId: roomItemId(room.id), ...event, ...shopperIds(shopper), roomId: room.id, timestamp: at });
    this.#storing ??= this.#storeAll();
  }

  /** A shopper watches a room that is live; of one who does already it says nothing. */
  joined(room: Room, shopper: ShopperKey): void {
    const key = `${room.id} ${shopper}`;
    if (this.#here.has(key)) return;
    const gone = this.#gone.get(key);
    this.#gone.delete(key);
    this.#here.set(key, { room, shopper, since: gone?.since ?? this.#options.clock() });
    if (gone === undefined) this.push(room, shopper, { id: onceA(room, 'join'), type: 'join_live' });
  }

  left(roomId: string, shopper: ShopperKey): void {
    const key = `${roomId} ${shopper}`;
    const visit = this.#here.get(key);
    if (visit === undefined) return;
    this.#here.delete(key);
    this.#gone.set(key, { ...visit, at: this.#options.clock() });
  }

  /** Stores what waits, as far as one try does. Of those who have just gone nobody is told: they are about to come back to another process. */
  async stop(): Promise<void> {
    clearInterval(this.#look);
    this.#isStopped = true;
    await this.#storing;
  }

  #tellGone(until: number): void {
    for (const [key, { room, shopper, at, since }] of this.#gone) {
      if (at > until) return;
      this.#gone.delete(key);
      const watchedS = Math.round((at - since) / 1000);
      this.push(room, shopper, { id: `live:leave:${room.id}:${at.toString(36)}`, type: 'leave_live', context: { watchedS } }, at);
    }
  }

  async #storeAll(): Promise<void> {
    // What comes with the first one goes with it.
    await Promise.resolve();
    for (let attempt = 1; this.#waiting.length > 0;) {
      const batch = this.#waiting.slice(0, ROOM_EVENTS_LIMITS.batchMax);
      const isStored = await this.#store(batch);
      if (!isStored && attempt < ROOM_EVENTS_LIMITS.attempts && !this.#isStopped) {
        attempt += 1;
        await pause(ROOM_EVENTS_LIMITS.retryMs);
        continue;
      }
      attempt = 1;
      this.#waiting = this.#waiting.slice(batch.length);
      if (!isStored) this.dropped += batch.length;
    }
    this.#storing = undefined;
  }

  async #store(batch: readonly EventInput[]): Promise<boolean> {
    try {
      await this.#options.ingest(batch);
      return true;
    } catch (error) {
      this.#options.onFault(error);
      return false;
    }
  }
}

/** @returns an id for what counts once a show and shopper; about an item: of each */
export const onceA = ({ id, openedAt = 0 }: Room, what: string, itemId?: string): string =>
  `live:${what}:${id}:${openedAt.toString(36)}${itemId === undefined ? '' : `:${hash48(itemId).toString(36)}`}`;
