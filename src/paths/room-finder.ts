import type { Room } from '../domain/room.js';
import { AppError } from '../errors.js';

/** Where rooms are looked up: as this process knows them, and as the store does where it does not. */
export interface RoomFinder {
  readonly get: (id: string) => Room | undefined;
  readonly read: (id: string) => Promise<Room | undefined>;
}

/**
 * @returns a room that is live, or announced
 * @throws AppError `not_found`, `room_not_live` for a closed one
 */
export async function findRoom(rooms: RoomFinder, id: string): Promise<Room> {
  const room = rooms.get(id) ?? await rooms.read(id);
  if (room === undefined) throw new AppError('not_found', `There is no room ${id}.`);
  if (room.status === 'closed') throw new AppError('room_not_live', `Room ${id} is closed.`);
  return room;
}
