import type { Logger } from 'pino';
import type { Room } from '../domain/room.js';
import type { Keys } from '../redis/keys.js';
import type { RoomStore } from '../redis/room-store.js';
import { Looker } from './looker.js';

export interface RoomBookOptions {
  readonly url: string;
  readonly keys: Keys;
  readonly store: RoomStore;
  readonly log: Logger;
  readonly everyMs?: number;
}

/**
 * This process's copy of all rooms that are not closed: a change is here within a second, a notice brings it at once. While Redis is away
 * it stays as it is.
 */
export class RoomBook {
  readonly #store: RoomStore;
  readonly #looker: Looker;
  #rooms: ReadonlyMap<string, Room> = new Map();
  #live: readonly Room[] = [];
  #onChange: (room: Room) => void = () => { /* Nobody asks. */ };

  constructor({ url, keys, store, log, everyMs }: RoomBookOptions) {
    this.#store = store;
    this.#looker = new Looker({ url, notices: keys.roomNotices, what: 'rooms', look: () => this.#look(), log, everyMs });
  }

  /** Resolves when the book was read for the first time. */
  get ready(): Promise<void> {
    return this.#looker.ready;
  }

  /** @returns the room as last seen, unless it is closed or unknown */
  get(id: string): Room | undefined {
    return this.#rooms.get(id);
  }

  /** Rooms that are live, in the order in which they were made. */
  live(): readonly Room[] {
    return this.#live;
  }

  /** @param onChange told of each open room that is no longer as this process knew it, once it is in the book */
  watch(onChange: (room: Room) => void): void {
    this.#onChange = onChange;
  }

  stop(): Promise<void> {
    return this.#looker.stop();
  }

  async #look(): Promise<void> {
    const store = this.#store;
    const ids = (await store.openIds()).map(({ id }) => id);
    const versions = await store.versions(ids);
    const read = await Promise.all(ids.map(async (id, i) => {
      const known = this.#rooms.get(id);
      if (versions[i] === undefined) return undefined;
      return known?.version === versions[i] ? known : store.read(id);
    }));
    const open = read.filter((room): room is Room => room !== undefined && room.status !== 'closed');
    const changed = open.filter((room) => (this.#rooms.get(room.id) ?? room) !== room);
    this.#rooms = new Map(open.map((room) => [room.id, room]));
    this.#live = open.filter(({ status }) => status === 'live');
    for (const room of changed) this.#onChange(room);
  }
}
