import type { Catalog } from '../catalog/catalog.js';
import { SALE_PREFIX } from '../domain/cue.js';
import { roomItem, roomItemId, type Room } from '../domain/room.js';
import type { OfferDesk } from '../paths/offer-desk.js';
import type { RoomCues } from '../paths/room-cues.js';
import type { RoomItems } from '../paths/room-items.js';
import type { OfferBookStore } from '../redis/offer-book-store.js';
import { ROOM_STORE_LIMITS, type RoomStore } from '../redis/room-store.js';
import type { Clock } from '../util/clock.js';

const ROOM_KEEPER_LIMITS = {
  /** A room may be in the index this long before it is there itself, ms. */
  beginMs: 60_000,
  /** A sale stays this long after its end, for a cue that is tried again, ms. */
  saleKeptMs: 3_600_000,
} as const;

interface Options {
  readonly rooms: RoomStore;
  readonly cues: Pick<RoomCues, 'wrapUp'>;
  readonly items: RoomItems;
  /** The catalog as this worker follows it. */
  readonly catalog: Catalog;
  readonly offers: { readonly book: Pick<OfferBookStore, 'openIds'>; readonly desk: Pick<OfferDesk, 'get' | 'move'> };
  readonly clock: Clock;
}

/**
 * Mends what a host's request was cut short of, and clears away what is over: closed rooms are wrapped up, the catalog has an item for each
 * room that is not closed and for no other, sales whose time is over are archived. All of it can be repeated.
 */
export class RoomKeeper {
  constructor(private readonly options: Options) {}

  async round(): Promise<void> {
    const { rooms, clock } = this.options;
    await this.#keepRooms();
    await this.#dropItems();
    await this.#dropSales();
    await rooms.forgetOld(clock() - ROOM_STORE_LIMITS.keptMs);
  }

  async #keepRooms(): Promise<void> {
    const { rooms, cues, items, clock } = this.options;
    for (const { id, at } of await rooms.openIds()) {
      const room = await rooms.read(id);
      if (room === undefined) {
        if (at < clock() - ROOM_KEEPER_LIMITS.beginMs) await rooms.noteClosed([id]);
      } else if (room.status === 'closed') await cues.wrapUp(room);
      else if (this.#differs(room)) await items.put(room);
    }
  }

  #differs(room: Room): boolean {
    const { catalog } = this.options;
    const item = catalog.item(catalog.rowOf(roomItemId(room.id)));
    return JSON.stringify(item) !== JSON.stringify(roomItem(room));
  }

  /** Only items that rooms have made: an operator may have put others there. */
  async #dropItems(): Promise<void> {
    const { rooms, items, catalog } = this.options;
    for (const row of catalog.roomRows) {
      const roomId = catalog.item(row)?.attributes?.['roomId'];
      if (typeof roomId !== 'string' || catalog.rowOf(roomItemId(roomId)) !== row) continue;
      const room = await rooms.read(roomId);
      if (room === undefined || room.status === 'closed') await items.remove(roomId);
    }
  }

  async #dropSales(): Promise<void> {
    const { offers: { book, desk }, clock } = this.options;
    for (const id of await book.openIds()) {
      if (!id.startsWith(SALE_PREFIX)) continue;
      const { status, window } = await desk.get(id);
      if (status !== 'archived' && window.endsAt < clock() - ROOM_KEEPER_LIMITS.saleKeptMs) await desk.move(id, 'archive', 'room keeper');
    }
  }
}
