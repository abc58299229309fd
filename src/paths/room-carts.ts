import type { StoredEvents } from '../campaigns/instant.js';
import type { Room } from '../domain/room.js';
import type { ShopperKey } from '../domain/shopper.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import { RecentSet } from '../util/recent-set.js';
import type { RoomPulse } from './room-pulse.js';

export const ROOM_CARTS_LIMITS = {
  /** A shopper who puts the same product into the cart again within this counts once, ms. */
  sameCartMs: 60_000,
  /** Carts remembered as counted. */
  cartsMax: 100_000,
} as const;

export interface RoomCartsOptions {
  readonly rooms: { get(id: string): Room | undefined };
  readonly pulse: Pick<RoomPulse, 'note'>;
  readonly flagged: { has(shopper: ShopperKey): boolean };
  readonly clock: Clock;
}

/** Counts which products of a room go into carts while it is live, wherever the events came from. */
export class RoomCarts {
  readonly #options: RoomCartsOptions;
  readonly #counted = new RecentSet(ROOM_CARTS_LIMITS.cartsMax);

  constructor(options: RoomCartsOptions) {
    this.#options = options;
  }

  /** Told of events that have just been stored; never throws. */
  afterStored({ shopper, events }: Pick<StoredEvents, 'shopper' | 'events'>): void {
    const { rooms, pulse, flagged, clock } = this.#options;
    for (const { type, roomId, itemId } of events) {
      if (type !== 'add_to_cart' || roomId === undefined || itemId === undefined) continue;
      const room = rooms.get(roomId);
      if (room?.status !== 'live' || !room.products.includes(itemId) || flagged.has(shopper)) continue;
      const key = hash48(`${Math.floor(clock() / ROOM_CARTS_LIMITS.sameCartMs)} ${roomId} ${itemId} ${shopper}`);
      if (this.#counted.has(key)) continue;
      this.#counted.add(key);
      pulse.note(roomId, (tally) => { tally.cart(itemId); });
    }
  }
}
