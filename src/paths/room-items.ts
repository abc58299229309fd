import { roomItem, roomItemId, type Room } from '../domain/room.js';
import type { CatalogStore } from '../redis/catalog-store.js';

/** Rooms as items of the catalog, by which every process recommends them: there from the announcement to the close. */
export class RoomItems {
  constructor(private readonly catalog: Pick<CatalogStore, 'putItems' | 'deleteItem'>) {}

  /** Brings a room's item up to date; safe to repeat. */
  async put(room: Room): Promise<void> {
    if (room.status === 'closed') await this.remove(room.id);
    else await this.catalog.putItems([roomItem(room)]);
  }

  async remove(roomId: string): Promise<void> {
    await this.catalog.deleteItem(roomItemId(roomId));
  }
}
