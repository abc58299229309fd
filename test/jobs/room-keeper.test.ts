import t from 'tap';
import { Catalog } from '../../src/catalog/catalog.js';
import type { CueDraft } from '../../src/domain/cue.js';
import { roomItem, type Room } from '../../src/domain/room.js';
import { CatalogStore } from '../../src/redis/catalog-store.js';
import { RoomStore } from '../../src/redis/room-store.js';
import { roomKeeper } from '../../src/wire/room-work.js';
import { claimRig, NOW } from '../helpers/claims.js';
import { startRedis } from '../helpers/redis.js';
import { aRoom } from '../helpers/rooms.js';
import { commandsTo, keys } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const rooms = new RoomStore(redis, keys);
const items = new CatalogStore(redis, keys);
const { book, offer } = claimRig(redis);
const catalog = new Catalog();
const time = { now: NOW };
const keeper = roomKeeper({ redis, keys, catalog, clock: () => time.now });

/** One round, as a worker makes it that follows the catalog. */
async function round(): Promise<string[]> {
  catalog.retain(new Set());
  await items.readAll((page) => { for (const item of page) catalog.put(item); });
  await keeper.round();
  const { items: after } = await items.listItems('0', 100);
  return after.map(({ id, stock }) => `${id} ${stock}`).toSorted();
}
const sale = (offerId: string): CueDraft => ({ kind: 'flash_sale', itemId: 'i1', priceMinor: 1, stock: 1, durationS: 60, costMinor: 1, perUser: 1, offerId, at: NOW, endsAt: NOW + 60_000 });
const statusOf = async (id: string): Promise<string | undefined> => (await book.read(id))?.status;

await t.test('what a request was cut short of is done', async (t) => {
  const written: Room[] = [aRoom('live'), aRoom('soon', { status: 'scheduled' }), aRoom('over')];
  for (const room of written) await rooms.write(room, NOW);
  await offer('cue_over_0123456789abcdef');
  await rooms.addCue('over', { key: 'k', request: 'r' }, sale('cue_over_0123456789abcdef'));
  // Closed, and no more: its item, its sale and its place in the index are as they were.
  await items.putItems([roomItem(written[2]!)]);
  await rooms.write({ ...written[2]!, status: 'closed', closedAt: NOW + 5, version: 2 }, NOW);
  await redis.zadd(keys.openRooms, NOW - 120_000, 'never-made', NOW, 'being-made');
  t.same(await round(), ['room:live 1', 'room:soon 0']);
  t.equal(await statusOf('cue_over_0123456789abcdef'), 'archived');
  t.same((await rooms.openIds()).map(({ id }) => id).toSorted(), ['being-made', 'live', 'soon']);
});

await t.test('what is over is cleared away, and nothing else', async (t) => {
  await items.putItems([roomItem(aRoom('late')), { id: 'room:theirs', title: 'Of the store itself', category: ['x'], kind: 'room', stock: 7 }]);
  await offer('cue_live_00000000000000aa');
  await offer('other', { window: { startsAt: NOW - 1000, endsAt: NOW + 3_600_000 } });
  t.same(await round(), ['room:live 1', 'room:soon 0', 'room:theirs 7'], 'an item that came after its room had gone');
  time.now = NOW + 2 * 3_600_000 - 1000;
  await round();
  t.equal(await statusOf('cue_live_00000000000000aa'), 'active', 'for whoever tries its cue again');
  time.now = NOW + 2 * 3_600_000 + 1000;
  await round();
  t.same(await Promise.all(['cue_live_00000000000000aa', 'other'].map(statusOf)), ['archived', 'active']);
  await redis.del(keys.room('over').state);
  time.now = NOW + 31 * 86_400_000;
  await round();
  t.same(await rooms.ids('all', '', 10), ['soon', 'live'], 'a room that is kept no longer is listed no longer');
});
