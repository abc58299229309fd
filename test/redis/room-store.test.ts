import t from 'tap';
import type { Cue, CueDraft } from '../../src/domain/cue.js';
import { RoomBook } from '../../src/follow/room-book.js';
import { ChannelLog, roomChannel } from '../../src/redis/channel-log.js';
import { RoomStore, ROOM_STORE_LIMITS, type AddCueResult } from '../../src/redis/room-store.js';
import { NOW } from '../helpers/claims.js';
import { startRedis } from '../helpers/redis.js';
import { aRoom } from '../helpers/rooms.js';
import { commandsTo, keys, silent, until } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const [redis, other] = [await commandsTo(server.url), await commandsTo(server.url)];
t.teardown(() => { for (const connection of [redis, other]) connection.disconnect(); });
const stores = [new RoomStore(redis, keys), new RoomStore(other, keys)] as const;
const [store] = stores;
const log = new ChannelLog(redis, () => NOW);

const pin = (itemId: string | null, at = NOW): CueDraft => ({ kind: 'pin', itemId, at, endsAt: at });
const poll = (question: string, durationS = 60, at = NOW): CueDraft => ({ kind: 'poll', question, options: ['yes', 'no'], durationS, at, endsAt: at + durationS * 1000 });
const say = (result: AddCueResult): string => (result.kind === 'refused' ? result.why : `${result.kind} ${result.cue.number}`);
const add = async (room: string, key: string, draft: CueDraft, by = store): Promise<string> => say(await by.addCue(room, { key, request: JSON.stringify(draft) }, draft));

interface Frame { readonly type: string; readonly cue: Cue; readonly room: unknown }
async function frames(room: string): Promise<Frame[]> {
  const part = await log.read(roomChannel(keys, room), 300);
  return part.frames!.map(({ json }) => JSON.parse(json.toString()) as Frame);
}

await t.test('a room is read as it was written, never over somebody else\'s change, and its channel is told', async (t) => {
  const room = aRoom('one', { startsAt: NOW - 5, pinnedItemId: 'i2', products: [] });
  t.same(await store.write(room, NOW), { kind: 'written' });
  t.same(await store.read('one'), room);
  t.same(await store.write(room, NOW), { kind: 'changed', version: 1 });
  const { pinnedItemId: _pinned, ...unpinned } = { ...room, title: 'Other', version: 2 };
  t.same(await store.write(unpinned, NOW), { kind: 'written' });
  t.same(await store.read('one'), unpinned);
  t.match(await frames('one'), [{ type: 'room', channel: 'room:one', room }, { type: 'room', room: unpinned }]);
  t.equal(await store.read('none'), undefined);
});

await t.test('cues of two hosts at once get one order, the same in the store and in the log', async (t) => {
  await store.write(aRoom('busy'), NOW);
  const all = Array.from({ length: 60 }, (_, i) => i);
  // Each tried twice, at both processes at once: as after a reply that was lost.
  const results = await Promise.all(all.flatMap((i) => stores.map((by) => by.addCue('busy', { key: `k${i}`, request: `${i}` }, pin(`i${i}`, NOW + i)))));
  const made = results.flatMap((result) => (result.kind === 'made' ? [result.cue] : []));
  t.equal(results.filter(({ kind }) => kind === 'replayed').length, all.length);
  t.same(made.map(({ number }) => number).toSorted((a, b) => a - b), all.map((i) => i + 1), 'numbers without a gap');
  const inOrder = made.toSorted((a, b) => a.number - b.number);
  t.same((await frames('busy')).filter(({ type }) => type === 'cue').map(({ cue }) => cue), inOrder);
  t.same((await store.cues('busy', undefined, 100)).toReversed(), inOrder);
  t.same((await store.cues('busy', 10, 3)).map(({ number }) => number), [9, 8, 7]);
  t.same(await store.read('busy'), { ...aRoom('busy'), version: 1 + all.length, pinnedItemId: inOrder.at(-1)!.kind === 'pin' ? (inOrder.at(-1) as { itemId: string }).itemId : '' });
});

await t.test('a key makes one cue, and no other', async (t) => {
  await store.write(aRoom('keyed'), NOW);
  t.equal(await add('keyed', 'a', pin('i1')), 'made 1');
  t.equal(await add('keyed', 'a', pin('i1')), 'replayed 1');
  t.equal(await add('keyed', 'a', pin('i2')), 'key_reused');
  t.equal(say((await store.cueOfKey('keyed', { key: 'a', request: JSON.stringify(pin('i1')) }))!), 'replayed 1');
  t.equal(say((await store.cueOfKey('keyed', { key: 'a', request: 'other' }))!), 'key_reused');
  t.equal(await store.cueOfKey('keyed', { key: 'b', request: 'other' }), undefined);
  t.equal((await frames('keyed')).length, 2, 'a replay says nothing to the channel');
});

await t.test('a room is open to cues while it is live, to so many, and the end ends what is open', async (t) => {
  await store.write(aRoom('soon', { status: 'scheduled' }), NOW);
  t.equal(await add('soon', 'a', pin('i1')), 'not_live');
  t.equal(await add('none', 'a', pin('i1')), 'not_live');
  await store.write(aRoom('full'), NOW);
  for (let i = 0; i < ROOM_STORE_LIMITS.openCuesMax; i++) await add('full', `p${i}`, poll(`${i}`, 10 + i));
  t.equal(await add('full', 'over', poll('over')), 'too_many_open');
  t.equal(await add('full', 'pin', pin('i1')), 'made 21', 'what takes no time is no open cue');
  t.same((await store.openCues('full', NOW + 26_000)).map(({ number }) => number), [18, 19, 20]);
  t.equal(await add('full', 'later', poll('later', 60, NOW + 10_000)), 'made 22', 'the first has ended');
  await redis.hset(keys.room('full').state, 'number', ROOM_STORE_LIMITS.cuesMax);
  t.equal(await add('full', 'more', pin('i1')), 'too_many');
  t.equal(await add('full', 'end', { kind: 'end', at: NOW + 1, endsAt: NOW + 1 }), `made ${ROOM_STORE_LIMITS.cuesMax + 1}`);
  t.match(await store.read('full'), { status: 'closed', closedAt: NOW + 1, pinnedItemId: 'i1', version: 3 });
  t.same(await store.openCues('full', NOW), []);
  t.equal(await add('full', 'pin', pin('i1')), 'replayed 21', 'what was done stays told');
  t.equal(await add('full', 'new', pin('i1')), 'not_live');
  for (const key of [keys.room('full').state, keys.room('full').cues]) t.ok(await redis.pttl(key) > 0, 'a closed room is not kept for ever');
});

await t.test('the book has every room that is not closed: a notice brings a change at once, a look without one', async (t) => {
  await redis.flushall();
  await store.write(aRoom('r1'), NOW);
  await store.write(aRoom('r2', { status: 'scheduled' }), NOW + 1);
  // The first looks so seldom that only a notice can have told it.
  const [told, looking] = [60_000, 30].map((everyMs) => new RoomBook({ url: server.url, keys, store, log: silent, everyMs })) as [RoomBook, RoomBook];
  t.teardown(() => Promise.all([told.stop(), looking.stop()]));
  await Promise.all([told.ready, looking.ready]);
  for (const book of [told, looking]) {
    t.same([book.get('r1'), book.get('r2')?.status, book.get('r3')], [aRoom('r1'), 'scheduled', undefined]);
    t.same(book.live(), [aRoom('r1')]);
  }
  await add('r1', 'a', pin('i3'));
  await store.write(aRoom('r2', { version: 2 }), NOW);
  for (const book of [told, looking]) await until('both changes', () => book.get('r1')?.pinnedItemId === 'i3' && book.live().length === 2);
  await redis.hset(keys.room('r1').state, 'status', 'closed', 'version', 3);
  await until('it is closed for whoever looks', () => looking.get('r1') === undefined);
});
