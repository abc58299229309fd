import type { Room } from '../../src/domain/room.js';
import { NOW } from './claims.js';

/** A live room, just written for the first time. */
export const aRoom = (id: string, fields: Partial<Room> = {}): Room => ({
  id, title: `Room ${id}`, host: { id: 'host-1', name: 'Ines' }, category: ['shoes', 'running'], products: ['i1', 'i2', 'i3'],
  access: 'public', status: 'live', version: 1, createdAt: NOW, openedAt: NOW, ...fields,
});
