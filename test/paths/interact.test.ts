import { randomBytes, randomUUID } from 'node:crypto';
import t from 'tap';
import { Catalog } from '../../src/catalog/catalog.js';
import type { Interaction } from '../../src/domain/interaction.js';
import type { Item } from '../../src/domain/item.js';
import { roomItem, type Room } from '../../src/domain/room.js';
import { EVENT_TYPE_INDEX } from '../../src/domain/event.js';
import { EventIngestor } from '../../src/paths/ingest-events.js';
import { Interact, INTERACT_LIMITS } from '../../src/paths/interact.js';
import { OpenCues } from '../../src/paths/open-cues.js';
import { RoomCarts } from '../../src/paths/room-carts.js';
import { ROOM_EVENTS_LIMITS, RoomEvents } from '../../src/paths/room-events.js';
import { RoomInsightsReader } from '../../src/paths/room-insights.js';
import { ROOM_PULSE_RHYTHM, RoomPulse } from '../../src/paths/room-pulse.js';
import { decodeProfile } from '../../src/profile/codec.js';
import { HALF_LIFE_COUNT } from '../../src/profile/profile.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { RoomPulseStore } from '../../src/redis/room-pulse-store.js';
import { RoomStore } from '../../src/redis/room-store.js';
import { hash32 } from '../../src/util/hash.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const server = await startRedis();
const redis = connectRedis(server.url, 'commands', { timeoutMs: 10_000, name: 'test' });
await untilReady(redis, 10_000);
const keys = makeKeys('test:');
const pulses = new RoomPulseStore(redis, keys, { tellEveryMs: 100 });
const roomStore = new RoomStore(redis, keys);
const profiles = new ProfileStore(redis, keys, { profileTtlS: 86_400, streamEntriesMax: 100_000 });
const catalog = new Catalog();
const ITEMS: readonly Item[] = [
  { id: 'mask', title: '玫瑰保湿面膜', category: ['beauty'], price: 20, currency: 'EUR', stock: 9 },
  { id: 'boots', title: 'Chelsea boots', category: ['shoes'], price: 90, currency: 'EUR', stock: 9 },
];
for (const item of ITEMS) catalog.put(item);
const FLAGGED = 'u:farmer';
const faults: unknown[] = [];
const onFault = (error: unknown): void => { faults.push(error); };
const rooms = new Map<string, Room>();
const finder = { get: (id: string) => rooms.get(id), read: (id: string) => roomStore.read(id) };
/** What of the engine is a process of its own. */
const processes: Process[] = [];
t.teardown(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  redis.disconnect();
  await server.stop();
});

interface Process {
  readonly pulse: RoomPulse;
  readonly events: RoomEvents;
  readonly carts: RoomCarts;
  act(shopper: string, roomId: string, act: Interaction): Promise<void>;
  stop(): Promise<void>;
}

type Rhythm = { readonly [Name in keyof typeof ROOM_PULSE_RHYTHM]: number };
/** Ten times as fast as they do. */
const QUICK: Rhythm = { ...ROOM_PULSE_RHYTHM, tellEveryMs: 100, presenceEveryMs: 500, lookEveryMs: 100 };

interface ProcessOptions {
  readonly rhythm?: Rhythm;
  readonly add?: RoomPulseStore['add'];
  readonly clock?: () => number;
}

function startProcess({ add = (...args) => pulses.add(...args), clock = Date.now, rhythm = QUICK }: ProcessOptions = {}): Process {
  const pulse = new RoomPulse({ store: { add }, process: randomUUID(), clock, onFault, rhythm });
  const flagged = { has: (shopper: string) => shopper === FLAGGED };
  const carts = new RoomCarts({ rooms: finder, pulse, flagged, clock });
  const ingestor = new EventIngestor({
    store: profiles, catalog, clock, newToken: () => randomBytes(8), onFolded: () => { /* not counted */ }, afterStored: (stored) => { carts.afterStored(stored); },
  });
  const events = new RoomEvents({ ingest: (batch) => ingestor.ingest(batch), clock, onFault });
  const interact = new Interact({ rooms: finder, cues: new OpenCues(roomStore, clock), pulse, events, catalog, flagged, clock, newId: randomUUID });
  const started = {
    pulse, events, carts, act: (shopper: string, roomId: string, act: Interaction) => interact.interact(shopper, roomId, act),
    stop: async () => { await Promise.all([pulse.stop(), events.stop()]); },
  };
  processes.push(started);
  return started;
}

/** Opens a room, here and in Redis. */
async function openRoom(id: string, changes: Partial<Room> = {}): Promise<Room> {
  const now = Date.now();
  const room: Room = {
    id, title: 'Evening show', host: { id: 'h1', name: 'Mia' }, category: ['beauty', 'masks'], products: ITEMS.map((item) => item.id), access: 'public',
    status: 'live', version: 1, createdAt: now, openedAt: now, ...changes,
  };
  await roomStore.write(room, now);
  rooms.set(id, room);
  catalog.put(roomItem(room));
  return room;
}

const statsOf = async (roomId: string) => (await pulses.shown(roomId)).stats;
const refusedWith = (code: string): { code: string } => ({ code });

await t.test('many likes at two processes add up, and cost few calls', async (t) => {
  await openRoom('likes');
  const real = new RoomPulseStore(redis, keys);
  const [a, b] = [startProcess({ add: (...args) => real.add(...args), rhythm: ROOM_PULSE_RHYTHM }), startProcess({ add: (...args) => real.add(...args), rhythm: ROOM_PULSE_RHYTHM })];
  await redis.config('RESETSTAT');
  const startedAt = Date.now();
  for (let i = 0; i < 5000; i++) {
    await Promise.all([a.act(`u:${i % 500}`, 'likes', { action: 'like' }), b.act(`u:${i % 400}`, 'likes', { action: 'like', count: 3, itemId: 'mask' })]);
  }
  await until(async () => (await statsOf('likes')).likes === 20_000, 'all likes');
  const seconds = (Date.now() - startedAt) / 1000;
  // Each telling counts unique viewers once.
  const tellings = Number(/cmdstat_pfcount:calls=(\d+)/u.exec(await redis.info('commandstats'))?.[1] ?? 0);
  t.ok(tellings >= 2 && tellings <= 4 * (seconds + 2), `${tellings} in ${seconds} s`);
});

await t.test('what was told without an answer is told again, and counts once', async (t) => {
  await openRoom('lost');
  let calls = 0;
  const lossy = startProcess({
    add: async (...args) => {
      const reply = await pulses.add(...args);
      calls += 1;
      if (calls <= 2) throw new Error('the answer was lost');
      return reply;
    },
  });
  await lossy.act('u:ann', 'lost', { action: 'like', count: 7 });
  await until(() => calls === 1, 'the first try');
  await lossy.act('u:ann', 'lost', { action: 'like', count: 5 });
  await until(async () => (await statsOf('lost')).likes === 12, 'both');
  t.ok(calls >= 4);
  t.equal(faults.splice(0).length, 2);
  await lossy.stop();
  t.equal((await statsOf('lost')).likes, 12);
});

await t.test('viewers come and go; those of a process that is gone are dropped', async (t) => {
  await openRoom('viewers');
  const silent = new RoomPulseStore(redis, keys, { tellEveryMs: 100, silentMs: 1000 });
  let isDead = false;
  let bury = (): void => undefined;
  const buried = new Promise<void>((resolve) => { bury = resolve; });
  const add: RoomPulseStore['add'] = async (...args) => {
    if (!isDead) return silent.add(...args);
    await buried;
    return 0;
  };
  const [a, b] = [startProcess({ add: (...args) => silent.add(...args) }), startProcess({ add })];
  for (const shopper of ['u:ann', 'u:bob', 'a:x']) t.ok(a.pulse.join('viewers', shopper));
  t.notOk(a.pulse.join('viewers', 'u:ann'), 'a second socket of the same shopper');
  for (const shopper of ['u:ann', 'u:eve']) b.pulse.join('viewers', shopper);
  await until(async () => (await statsOf('viewers')).viewers === 5, 'both processes');
  t.equal((await statsOf('viewers')).unique, 4);
  t.notOk(a.pulse.leave('viewers', 'u:ann'));
  t.ok(a.pulse.leave('viewers', 'u:ann'));
  await until(async () => (await statsOf('viewers')).viewers === 4, 'one has left');
  isDead = true;
  const beat = setInterval(() => { a.pulse.note('viewers', () => undefined); }, 200);
  await until(async () => (await statsOf('viewers')).viewers === 2, 'the dead process has no viewers');
  clearInterval(beat);
  t.equal((await statsOf('viewers')).unique, 4, 'but they have been here');
  bury();
  await a.stop();
  startProcess({ add: (...args) => silent.add(...args) }).pulse.note('viewers', () => undefined);
  await until(async () => (await statsOf('viewers')).viewers === 0, 'a process that ends takes its viewers along');
});

await t.test('a poll has one vote of each shopper, the latest, while it is open', async (t) => {
  await openRoom('poll');
  const [a, b] = [startProcess(), startProcess()];
  const now = Date.now();
  const made = await roomStore.addCue('poll', { key: 'k1', request: 'r1' }, { kind: 'poll', question: 'Which?', options: ['red', 'blue', 'green'], durationS: 60, at: now, endsAt: now + 60_000 });
  const over = await roomStore.addCue('poll', { key: 'k2', request: 'r2' }, { kind: 'poll', question: 'Which?', options: ['red', 'blue'], durationS: 5, at: now - 9000, endsAt: now - 4000 });
  t.same([made.kind, over.kind], ['made', 'made']);
  for (let i = 0; i < 40; i++) {
    const process = i % 2 === 0 ? a : b;
    await process.act(`u:${i}`, 'poll', { action: 'vote', cueId: 'poll.1', option: i % 3 });
    await process.act(`u:${i}`, 'poll', { action: 'vote', cueId: 'poll.1', option: i % 3 });
  }
  const pollOf = async () => (await statsOf('poll')).polls['1'];
  await until(async () => (await pollOf())?.reduce((sum, votes) => sum + votes, 0) === 40, 'all votes');
  t.same(await pollOf(), [14, 13, 13]);
  await b.act('u:0', 'poll', { action: 'vote', cueId: 'poll.1', option: 1 });
  await until(async () => (await pollOf())?.[1] === 14, 'a changed vote');
  t.same(await pollOf(), [13, 14, 13]);
  await t.rejects(a.act('u:1', 'poll', { action: 'vote', cueId: 'poll.1', option: 3 }), refusedWith('invalid_request'));
  await t.rejects(a.act('u:1', 'poll', { action: 'vote', cueId: 'poll.2', option: 0 }), refusedWith('outside_window'));
  await t.rejects(a.act('u:1', 'poll', { action: 'vote', cueId: 'other.1', option: 0 }), refusedWith('outside_window'));
});

await t.test('gifts count for the goals that are open', async (t) => {
  await openRoom('gifts');
  const a = startProcess();
  const now = Date.now();
  await roomStore.addCue('gifts', { key: 'k1', request: 'r1' }, { kind: 'gift_goal', title: 'A song', target: 10, durationS: 60, at: now, endsAt: now + 60_000 });
  await a.act('u:ann', 'gifts', { action: 'gift', count: 3, value: 9.9, currency: 'EUR' });
  await a.act('u:bob', 'gifts', { action: 'gift' });
  await until(async () => (await statsOf('gifts')).gifts === 4, 'all gifts');
  t.same((await statsOf('gifts')).goals, { 1: 4 });
});

await t.test('who is flagged is answered and counts for nothing', async (t) => {
  await openRoom('flagged');
  const a = startProcess();
  for (const action of [{ action: 'like', count: 50 }, { action: 'comment', text: 'buy elsewhere' }, { action: 'gift', count: 50 }] as const) await a.act(FLAGGED, 'flagged', action);
  a.carts.afterStored({ shopper: FLAGGED, events: [{ id: 'c', type: 'add_to_cart', shopper: FLAGGED, itemId: 'mask', roomId: 'flagged', at: Date.now() }] });
  await a.act('u:ann', 'flagged', { action: 'like' });
  await until(async () => (await statsOf('flagged')).likes > 0, 'a like that counts');
  t.match(await statsOf('flagged'), { likes: 1, comments: 0, gifts: 0 });
  t.same((await pulses.read('flagged', Date.now())).carts, []);
});

await t.test('what makes no sense, or is too much, is refused', async (t) => {
  await openRoom('limits');
  await openRoom('later', { status: 'scheduled' });
  const a = startProcess();
  const comment = (text: string): Promise<void> => a.act('u:ann', 'limits', { action: 'comment', text });
  await t.rejects(a.act('u:ann', 'nowhere', { action: 'like' }), refusedWith('not_found'));
  await t.rejects(a.act('u:ann', 'later', { action: 'like' }), refusedWith('room_not_live'));
  await t.rejects(a.act('u:ann', 'limits', { action: 'like', itemId: 'other' }), refusedWith('invalid_request'));
  await t.rejects(comment('x'.repeat(201)), refusedWith('invalid_request'));
  await t.rejects(comment('\u200B\u0000'), refusedWith('invalid_request'));
  for (let i = 2; i < INTERACT_LIMITS.perMinute.comment; i++) await comment('\u202Efine');
  await t.rejects(comment('one more'), { code: 'rate_limited', retryAfterS: Number });
  await a.act('u:bob', 'limits', { action: 'question', text: 'How much?', name: 'Bob' });
  await until(async () => (await statsOf('limits')).comments === 19, 'those that were taken');
  const { comments } = await pulses.shown('limits');
  t.match(comments.at(-1), { kind: 'question', from: 'Bob', text: 'How much?', id: String, at: Number });
  t.equal(comments[0]?.text, 'fine');
});

await t.test('what viewers do becomes events of theirs', async (t) => {
  const room = await openRoom('events');
  let ahead = 0;
  const a = startProcess({ clock: () => Date.now() + ahead });
  a.events.joined(room, 'u:zoe');
  a.events.joined(room, 'u:zoe');
  for (let i = 0; i < 3; i++) await a.act('u:zoe', 'events', { action: 'like', count: 5 });
  await a.act('u:zoe', 'events', { action: 'comment', text: 'love it' });
  await a.act('u:zoe', 'events', { action: 'gift', count: 2, value: 3, currency: 'EUR' });
  a.events.left('events', 'u:zoe');
  a.events.joined(room, 'u:zoe');
  a.events.left('events', 'u:zoe');
  const countOf = async (type: string): Promise<number> => {
    const value = await profiles.read('u:zoe');
    return value === null ? 0 : Math.round(decodeProfile(value).counters[EVENT_TYPE_INDEX.get(type as 'like')! * HALF_LIFE_COUNT + HALF_LIFE_COUNT - 1]!);
  };
  await until(async () => await countOf('send_gift') === 1, 'the gift');
  t.same(await Promise.all(['join_live', 'like', 'comment', 'leave_live'].map(countOf)), [1, 1, 1, 0]);
  ahead = ROOM_EVENTS_LIMITS.leaveAfterMs + 1000;
  await until(async () => await countOf('leave_live') === 1, 'who is away for long has left');
  const profile = decodeProfile((await profiles.read('u:zoe'))!);
  t.ok([...profile.brands.keys].includes(hash32('Mia')), 'an affinity to the host');
  const logged = (await redis.xrange(keys.eventsOf('u:zoe'), '-', '+')).map(([, fields]) => JSON.parse(fields[1]!) as { type: string; context?: object; itemId?: string; roomId?: string });
  t.match(logged.find(({ type }) => type === 'comment'), { itemId: 'room:events', roomId: 'events', context: { kind: 'comment', mood: 'positive' } });
});

await t.test('the host sees the mood, what is asked and which product surges', async (t) => {
  const room = await openRoom('insights', { pinnedItemId: 'boots' });
  const [a, b] = [startProcess(), startProcess()];
  const say = (process: Process, i: number, text: string): Promise<void> => process.act(`u:${i}`, 'insights', { action: 'comment', text });
  await Promise.all(['love these', '太好看了', '面膜多少钱', '面膜敏感肌能用吗', 'how much is it?', 'too expensive'].map((text, i) => say(i % 2 === 0 ? a : b, i, text)));
  const cart = (i: number, itemId: string): void => {
    const process = i % 2 === 0 ? a : b;
    const stored = { shopper: `u:${i}`, events: [{ id: `c${i}${itemId}`, type: 'add_to_cart' as const, shopper: `u:${i}`, itemId, roomId: 'insights', at: Date.now() }] };
    process.carts.afterStored(stored);
    process.carts.afterStored(stored);
  };
  for (let i = 0; i < 30; i++) cart(i, 'mask');
  for (let i = 0; i < 3; i++) cart(i, 'boots');
  const reader = new RoomInsightsReader({ rooms: roomStore, store: pulses, cues: new OpenCues(roomStore, Date.now), catalog, clock: Date.now });
  await until(async () => {
    const { stats, carts } = await reader.read('insights');
    return stats.comments === 6 && carts.length === 2 && carts[0]!.lastMinute > 20 && carts[1]!.lastMinute > 1;
  }, 'all of it');
  const insights = await reader.read('insights');
  t.match(insights, { room: { id: 'insights', status: 'live', pinnedItemId: 'boots' }, stats: { comments: 6, questions: 3 } });
  t.ok(insights.sentiment.positive > insights.sentiment.negative && insights.sentiment.score > 0);
  t.same(insights.asked.themes.map(({ theme }) => theme).slice(0, 1), ['price']);
  t.same(insights.asked.items.map(({ itemId }) => itemId), ['mask', 'boots']);
  t.match(insights.asked.latest[0], { kind: 'question' });
  t.same(insights.suggestions.map(({ kind, itemId }) => [kind, itemId]), [['pin', 'mask']]);
  await roomStore.write({ ...room, version: 2, pinnedItemId: 'mask' }, Date.now());
  t.same((await reader.read('insights')).suggestions.map(({ kind }) => kind), ['coupon_ladder'], 'its price is asked about');
  await t.rejects(reader.read('nowhere'), refusedWith('not_found'));
  t.same(faults, []);
});
