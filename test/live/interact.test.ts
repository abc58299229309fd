import t from 'tap';
import type { RoomComment, RoomStats } from '../../src/domain/interaction.js';
import type { Room } from '../../src/domain/room.js';
import { ROOM_EVENTS_LIMITS } from '../../src/paths/room-events.js';
import { LiveClient, type Frame } from '../helpers/live-client.js';
import { ITEMS, startLive } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const redis = await startRedis();
const [here, there] = await Promise.all([startLive(redis.url, { items: ITEMS }), startLive(redis.url, { items: ITEMS })]);
t.teardown(async () => {
  await Promise.all([here.close(), there.close()]);
  await redis.stop();
});

async function openRoom(id: string, changes: Partial<Room> = {}): Promise<void> {
  const now = Date.now();
  await here.rooms.write({
    id, title: 'Show', host: { id: 'h', name: 'Mia' }, category: ['things'], products: ['i0', 'i1'], access: 'public', status: 'live', version: 1, createdAt: now, openedAt: now, ...changes,
  }, now);
}

async function viewer(server: typeof here, userId: string, roomId: string): Promise<LiveClient> {
  const client = await LiveClient.open(server.url, { userId });
  await client.listen({ channel: `room:${roomId}` });
  return client;
}

const statsOf = ({ frames }: LiveClient): (Frame & Partial<RoomStats>) | undefined => frames.filter(({ type }) => type === 'stats').at(-1);
const commentsOf = ({ frames }: LiveClient): RoomComment[] => frames.flatMap((frame) => (frame.type === 'comments' ? (frame as Frame & { comments: RoomComment[] }).comments : []));
const interact = (client: LiveClient, roomId: string, act: Record<string, unknown>): Promise<Frame> => client.ask({ type: 'interact', roomId, ...act });

await t.test('what viewers do at two processes is told to all of them', async (t) => {
  await openRoom('r1');
  const clients = await Promise.all([viewer(here, 'ann', 'r1'), viewer(here, 'bob', 'r1'), viewer(there, 'eve', 'r1')]);
  const [ann, bob, eve] = clients as [LiveClient, LiveClient, LiveClient];
  t.match(await interact(ann, 'r1', { action: 'like', count: 3 }), { type: 'interacted' });
  eve.send({ type: 'interact', roomId: 'r1', action: 'like' });
  t.match(await interact(eve, 'r1', { action: 'comment', text: ' love\nit ', name: 'Eve' }), { type: 'interacted' });
  t.match(await interact(bob, 'r1', { action: 'question', text: '多少钱', itemId: 'i1' }), { type: 'interacted' });
  for (const client of clients) {
    await until(() => {
      const { likes, viewers, comments } = statsOf(client) ?? {};
      return likes === 4 && viewers === 3 && comments === 2;
    }, 'the counts');
    t.match(statsOf(client), { channel: 'room:r1', epoch: /^\d+$/u, offset: Number, unique: 3, questions: 1, gifts: 0, polls: {}, goals: {} });
    await until(() => commentsOf(client).length === 2, 'both comments');
    t.match(commentsOf(client).find(({ kind }) => kind === 'comment'), { from: 'Eve', text: 'love it', id: String, at: Number });
    t.match(commentsOf(client).find(({ kind }) => kind === 'question'), { from: '', text: '多少钱', itemId: 'i1' });
    t.notOk(client.frames.some(({ replyTo }) => replyTo !== undefined), 'who gives a frame no id gets no answer');
  }
  const late = await LiveClient.open(there.url, { userId: 'zoe' });
  t.match((await late.listen({ channel: 'room:r1' })).state, { room: { id: 'r1' }, stats: { likes: 4, comments: 2 }, comments: [{ text: String }, { text: String }] });
  await Promise.all([eve.close(), late.close()]);
  await until(() => statsOf(ann)?.viewers === 2, 'those who left');
  t.equal(statsOf(ann)?.unique, 4);
});

await t.test('a comment is logged: who was away gets it', async (t) => {
  await openRoom('r2');
  const [ann, bob] = await Promise.all([viewer(here, 'ann', 'r2'), viewer(there, 'bob', 'r2')]);
  await interact(ann, 'r2', { action: 'comment', text: 'first' });
  await until(() => commentsOf(bob).length === 1, 'the first');
  const { epoch, offset } = bob.frames.findLast(({ type }) => type === 'comments')!;
  await bob.close();
  await interact(ann, 'r2', { action: 'comment', text: 'second' });
  await until(() => commentsOf(ann).length === 2, 'the second');
  const back = await LiveClient.open(here.url, { userId: 'bob' });
  t.match(await back.listen({ channel: 'room:r2', after: { epoch: epoch!, offset: offset! } }), { recovered: true });
  await until(() => commentsOf(back).length === 1, 'what was missed');
  t.equal(commentsOf(back)[0]?.text, 'second');
});

await t.test('whoever is not in the room, or makes no sense, is refused', async (t) => {
  await openRoom('r3');
  const ann = await LiveClient.open(here.url, { userId: 'ann' });
  t.match(await interact(ann, 'r3', { action: 'like' }), { type: 'error', code: 'forbidden' });
  t.match(await interact(ann, 'r4', { action: 'like' }), { type: 'error', code: 'not_found' });
  await ann.listen({ channel: 'room:r3' });
  for (const [act, message] of [
    [{ action: 'clap' }, /action is not one of like, comment, question, gift, vote/u], [{ action: 'like', count: 51 }, /count/u], [{ action: 'like', text: 'x' }, /text is not a known field/u],
    [{ action: 'comment' }, /text is missing/u], [{ action: 'vote', cueId: 'r3', option: 0 }, /cueId/u], [{}, /action is missing/u], [{ action: 'like', itemId: 'i7' }, /no product of this room/u],
  ] as const) t.match(await interact(ann, 'r3', act), { type: 'error', code: 'invalid_request', message });
  await here.rooms.write({ ...(await here.rooms.read('r3'))!, status: 'closed', version: 2, closedAt: Date.now() }, Date.now());
  t.match(await interact(ann, 'r3', { action: 'like' }), { type: 'error', code: 'room_not_live' });
  t.same([here.faults, there.faults], [[], []]);
});

await t.test('who has waited for a room joins it when it opens, once', async (t) => {
  await openRoom('early', { status: 'scheduled' });
  const ann = await viewer(here, 'ann-early', 'early');
  const joins = async (): Promise<object[]> => (await here.redis.xrange(here.keys.eventsOf('u:ann-early'), '-', '+'))
    .map(([, fields]) => JSON.parse(fields[1]!) as { type: string; roomId?: string }).filter(({ type, roomId }) => type === 'join_live' && roomId === 'early');
  t.same(await joins(), []);
  const now = Date.now();
  const live: Room = { ...(await here.rooms.read('early'))!, status: 'live', openedAt: now };
  await here.rooms.write({ ...live, version: 2 }, now);
  await until(async () => (await joins()).length === 1, 'joined');
  await here.rooms.write({ ...live, version: 3, title: 'Changed' }, now);
  await until(() => ann.frames.some(({ type, ...frame }) => type === 'room' && (frame as { room?: Room }).room?.version === 3), 'the change');
  t.equal((await joins()).length, 1);
  await ann.close();
});

await t.test('a show that has ended is watched no longer by who stays', async (t) => {
  let aheadMs = 0;
  const server = await startLive(redis.url, { items: ITEMS, clock: () => Date.now() + aheadMs });
  t.teardown(() => server.close());
  await openRoom('ends', { status: 'scheduled' });
  const ann = await viewer(server, 'ann-ends', 'ends');
  const now = Date.now();
  const live: Room = { ...(await server.rooms.read('ends'))!, status: 'live', version: 2, openedAt: now };
  await server.rooms.write(live, now);
  await server.rooms.write({ ...live, status: 'closed', version: 3, closedAt: now }, now);
  await until(() => ann.frames.some(({ type, ...frame }) => type === 'room' && (frame as { room?: Room }).room?.status === 'closed'), 'the end');
  aheadMs = 2 * ROOM_EVENTS_LIMITS.leaveAfterMs;
  const leaves = async (): Promise<{ context: { watchedS: number } }[]> => (await server.redis.xrange(server.keys.eventsOf('u:ann-ends'), '-', '+'))
    .map(([, fields]) => JSON.parse(fields[1]!) as { type: string; context: { watchedS: number } }).filter(({ type }) => type === 'leave_live');
  await until(async () => (await leaves()).length === 1, 'left');
  t.ok((await leaves())[0]!.context.watchedS < ROOM_EVENTS_LIMITS.leaveAfterMs / 1000, 'the time until its end');
  await ann.close();
});
