import type { Item } from '../domain/item.js';
import type { Room, RoomInput } from '../domain/room.js';

const NAME = 'studio';
const HOST = { id: 'ines', name: 'Ines Duarte' };
const LIST_PAGE = 200;
/** Two tastes, so that viewers of one and of the other see different things: what the show is about, and what else is on the table. */
const TABLE = [{ root: 'shoes', items: 8 }, { root: 'kitchen', items: 6 }] as const;
/** Nobody is shown what is nearly gone. */
const STOCK_MIN = 15;

/** What the room is kept with: the engine's own desk. */
export interface RoomKeeping {
  readonly items: () => readonly Item[];
  readonly rooms: {
    list(cursor: string, limit: number): Promise<{ readonly rooms: readonly Room[]; readonly cursor?: string }>;
    create(input: RoomInput): Promise<Room>;
    open(id: string): Promise<Room>;
  };
}

/**
 * Sees to it that the demo's host is live: `studio-1`, and the next one when that was closed. Idempotent; one that was only announced is
 * opened. @returns the id of the room that was opened, if any
 */
export async function keepRoom({ items, rooms }: RoomKeeping): Promise<string | undefined> {
  let [latest, status] = [0, 'closed' as Room['status']];
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const page: Awaited<ReturnType<RoomKeeping['rooms']['list']>> = await rooms.list(cursor, LIST_PAGE);
    for (const room of page.rooms) {
      const number = Number(new RegExp(`^${NAME}-([0-9]{1,9})$`, 'u').exec(room.id)?.[1] ?? 0);
      if (number > latest) [latest, status] = [number, room.status];
    }
    cursor = page.cursor;
  }
  if (status === 'live') return undefined;
  const id = `${NAME}-${status === 'closed' ? latest + 1 : latest}`;
  if (status === 'closed') {
    await rooms.create({ id, title: 'Friday live: from the track to the table', host: HOST, category: ['shoes', 'running'], products: productsOf(items()) });
  }
  return (await rooms.open(id)).id;
}

/** The best rated of each taste. */
function productsOf(items: readonly Item[]): string[] {
  const rating = ({ attributes }: Item): number => Number(attributes?.['rating'] ?? 0);
  return TABLE.flatMap(({ root, items: count }) => items
    .filter(({ kind, category, stock = 0 }) => kind === 'product' && category[0] === root && stock >= STOCK_MIN)
    .toSorted((a, b) => rating(b) - rating(a) || (a.id < b.id ? -1 : 1)).slice(0, count).map(({ id }) => id));
}
