import type { Position } from '../domain/channel.js';
import type { ShopperKey } from '../domain/shopper.js';
import { atMost } from '../util/at-most.js';
import type { Clock } from '../util/clock.js';

const STATE_LIMITS = {
  /** States read at once; a crowd that comes back waits for its turn. */
  readsAtOnce: 64,
  /** A room's state serves all who come so soon after each other, ms. */
  sharedMs: 1000,
  /** Rooms whose state is kept for that. */
  roomsMax: 1000,
} as const;

/** Reads what a channel stands for as a whole, for those who begin or have lost the thread. JSON text of an object. */
export interface StateReader {
  readonly ofShopper: (shopper: ShopperKey) => Promise<string>;
  readonly ofRoom: (roomId: string) => Promise<string>;
}

interface SharedState {
  readonly head: Position;
  readonly readAt: number;
  readonly state: Promise<string>;
}

/** States of channels: few are read at once, and a room's is read once for a crowd. */
export class ChannelStates {
  readonly #reader: StateReader;
  readonly #clock: Clock;
  readonly #inTurn = atMost(STATE_LIMITS.readsAtOnce);
  readonly #rooms = new Map<string, SharedState>();

  constructor(reader: StateReader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  ofShopper(shopper: ShopperKey): Promise<string> {
    return this.#inTurn(() => this.#reader.ofShopper(shopper));
  }

  /** @param head of the room's log: a state that was read when the log stood there has all that is in it */
  ofRoom(roomId: string, head: Position): Promise<string> {
    const now = this.#clock();
    const known = this.#rooms.get(roomId);
    if (known?.head.epoch === head.epoch && known.head.offset === head.offset && now - known.readAt < STATE_LIMITS.sharedMs) return known.state;
    const state = this.#inTurn(() => this.#reader.ofRoom(roomId));
    this.#rooms.delete(roomId);
    this.#rooms.set(roomId, { head, readAt: now, state });
    state.catch(() => { this.#rooms.delete(roomId); });
    if (this.#rooms.size > STATE_LIMITS.roomsMax) this.#rooms.delete(this.#rooms.keys().next().value!);
    return state;
  }
}
