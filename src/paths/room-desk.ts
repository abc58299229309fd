import type { Room, RoomInput, RoomStatus } from '../domain/room.js';
import { AppError } from '../errors.js';
import type { RoomStore } from '../redis/room-store.js';
import type { Clock } from '../util/clock.js';
import type { RoomCues } from './room-cues.js';
import type { RoomItems } from './room-items.js';

export const ROOM_DESK_LIMITS = {
  /** Rooms that are not closed: every process follows each. */
  openMax: 500,
  listMax: 200,
  /** Tries of a change that names no version, while others change the room. */
  attemptsMax: 20,
} as const;

export interface RoomDeskOptions {
  readonly store: RoomStore;
  readonly items: RoomItems;
  readonly cues: RoomCues;
  readonly clock: Clock;
}

/** What hosts do to rooms. Every change has a version, and a frame in the room's channel in the same write. */
export class RoomDesk {
  readonly #options: RoomDeskOptions;

  constructor(options: RoomDeskOptions) {
    this.#options = options;
  }

  /**
   * Announces a room; the same room again is no fault.
   * @throws AppError `conflict` where there is another room of this id
   */
  async create(input: RoomInput): Promise<Room> {
    const { store, items, clock } = this.#options;
    if (await store.countOpen() >= ROOM_DESK_LIMITS.openMax) {
      throw new AppError('conflict', `There are ${ROOM_DESK_LIMITS.openMax} rooms already that are not closed; close some.`);
    }
    const now = clock();
    const room: Room = { ...input, access: input.access ?? 'public', status: 'scheduled', version: 1, createdAt: now };
    const result = await store.write(room, now);
    const there = result.kind === 'written' ? room : await this.get(input.id);
    if (there.status === 'closed' || stated(there) !== stated(room)) throw new AppError('conflict', `There is a room ${input.id} already; change it by PUT, or choose another id.`);
    await items.put(there);
    return there;
  }

  /** Replaces what the host states; a pinned product that is not among the products any more is unpinned. @param version that the host saw; undefined: whichever is there */
  change(id: string, input: RoomInput, version?: number): Promise<Room> {
    if (input.id !== id) throw new AppError('invalid_request', `The body is of room ${input.id}, the address of ${id}; an id never changes.`);
    return this.#rewrite(id, version, ({ status, createdAt, openedAt, pinnedItemId }) => {
      if (status === 'closed') throw new AppError('room_not_live', `Room ${id} is closed; a closed room never changes.`);
      return {
        ...input, access: input.access ?? 'public', status, createdAt, ...(openedAt === undefined ? {} : { openedAt }),
        ...(pinnedItemId !== undefined && input.products.includes(pinnedItemId) ? { pinnedItemId } : {}),
      };
    });
  }

  /** Goes live; a live room stays as it is. */
  open(id: string): Promise<Room> {
    return this.#rewrite(id, undefined, (room) => {
      if (room.status === 'closed') throw new AppError('room_not_live', `Room ${id} is closed and never comes back; open another.`);
      return room.status === 'live' ? undefined : { ...room, status: 'live', openedAt: this.#options.clock() };
    });
  }

  /** Closes a room and what is open in it; a closed one stays as it is, and what an earlier try was cut short of is done. */
  async close(id: string): Promise<Room> {
    const closed = await this.#rewrite(id, undefined, (room) => (room.status === 'closed' ? undefined : { ...room, status: 'closed', closedAt: this.#options.clock() }));
    await this.#options.cues.wrapUp(closed);
    return closed;
  }

  /** @throws AppError `not_found` */
  async get(id: string): Promise<Room> {
    const room = await this.#options.store.read(id);
    if (room === undefined) throw new AppError('not_found', `There is no room ${id}.`);
    return room;
  }

  /** A page of rooms, those made last first; `cursor` is undefined on the last one. */
  async list(cursor: string, limit: number, status?: RoomStatus): Promise<{ rooms: Room[]; cursor?: string }> {
    const { store } = this.#options;
    const ids = await store.ids(status === undefined || status === 'closed' ? 'all' : 'open', cursor, limit);
    const found = await Promise.all(ids.map((id) => store.read(id)));
    const rooms = found.filter((room): room is Room => room !== undefined && (status === undefined || room.status === status));
    const last = ids.at(-1);
    return last === undefined || ids.length < limit ? { rooms } : { rooms, cursor: last };
  }

  /** @param next what the room becomes, undefined to leave it */
  async #rewrite(id: string, version: number | undefined, next: (room: Room) => Omit<Room, 'version'> | undefined): Promise<Room> {
    const { store, items, clock } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const room = await this.get(id);
      if (version !== undefined && version !== room.version) throw changedMeanwhile(id, room.version);
      const becomes = next(room);
      const changed: Room = becomes === undefined ? room : { ...becomes, version: room.version + 1 };
      const result = becomes === undefined ? undefined : await store.write(changed, clock());
      if (result?.kind !== 'changed') {
        await items.put(changed);
        return changed;
      }
      // Whoever names no version means the room as it is by then: a cue that came first is no reason not to close it.
      if (version !== undefined || attempt === ROOM_DESK_LIMITS.attemptsMax) throw changedMeanwhile(id, result.version);
    }
  }
}

const changedMeanwhile = (id: string, version: number): AppError =>
  new AppError('conflict', `Room ${id} was changed meanwhile, it is at version ${version}; read it again.`);

/** What a host states of a room, to be compared. */
const stated = ({ title, host, category, products, startsAt, access }: Room): string => JSON.stringify([title, host.id, host.name, category, products, startsAt, access]);
