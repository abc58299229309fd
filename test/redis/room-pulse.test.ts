import fc from 'fast-check';
import t from 'tap';
import type { RoomBatch, RoomStats } from '../../src/domain/interaction.js';
import { RoomTally } from '../../src/pulse/tally.js';
import { ChannelLog, roomChannel } from '../../src/redis/channel-log.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { RoomPulseStore } from '../../src/redis/room-pulse-store.js';
import { pause } from '../../src/util/pause.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const server = await startRedis();
const redis = connectRedis(server.url, 'commands', { timeoutMs: 10_000, name: 'test' });
const listener = connectRedis(server.url, 'listening', { timeoutMs: 0, name: 'test' });
await Promise.all([untilReady(redis, 10_000), untilReady(listener, 10_000)]);
t.teardown(async () => {
  for (const connection of [redis, listener]) connection.disconnect();
  await server.stop();
});
const keys = makeKeys('test:');
const log = new ChannelLog(redis, Date.now);
const eager = { tellEveryMs: 1 };
const store = new RoomPulseStore(redis, keys, eager);

function batchOf(fill: (tally: RoomTally) => void): RoomBatch {
  const tally = new RoomTally();
  fill(tally);
  return tally.take();
}

const frames: { channel: string; isState: boolean; frame: Record<string, unknown> }[] = [];
listener.on('smessage', (channel: string, message: string) => {
  frames.push({ channel, isState: message.startsWith('~'), frame: JSON.parse(message.slice(message.indexOf(' ') + 1)) as Record<string, unknown> });
});
async function framesOf(roomId: string): Promise<typeof frames> {
  await listener.ssubscribe(keys.room(roomId).push);
  return frames;
}

/** The counts of a room as they are now, told or not. */
async function statsNow(roomId: string, of = store): Promise<RoomStats> {
  await pause(2);
  await of.add(roomId, { process: 'reader', sequence: 0, viewers: 0, batch: undefined });
  return (await of.shown(roomId)).stats;
}

await t.test('what processes saw adds up, once however often it is told', async (t) => {
  let rooms = 0;
  const step = fc.record({
    process: fc.integer({ min: 0, max: 2 }), likes: fc.integer({ min: 0, max: 1000 }), gifts: fc.integer({ min: 0, max: 20 }), goal: fc.integer({ min: 1, max: 3 }), tries: fc.integer({ min: 1, max: 3 }),
    vote: fc.option(fc.record({ voter: fc.integer({ min: 0, max: 5 }), option: fc.integer({ min: 0, max: 2 }) }), { nil: undefined }),
  });
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async (steps) => {
    const roomId = `sum${rooms++}`;
    const sequences = [0, 0, 0];
    const expected = { likes: 0, gifts: 0, goals: new Map<string, number>(), votes: new Map<number, number>() };
    for (const { process, likes, gifts, goal, vote, tries } of steps) {
      const batch = batchOf((tally) => {
        if (likes > 0) tally.like(likes);
        if (gifts > 0) tally.gift(gifts, [goal]);
        if (vote !== undefined) tally.vote(7, `v${vote.voter}`, vote.option, 3);
      });
      sequences[process]! += 1;
      for (let i = 0; i < tries; i++) await store.add(roomId, { process: `p${process}`, sequence: sequences[process]!, viewers: 5, batch });
      expected.likes += likes;
      expected.gifts += gifts;
      if (gifts > 0) expected.goals.set(String(goal), (expected.goals.get(String(goal)) ?? 0) + gifts);
      if (vote !== undefined) expected.votes.set(vote.voter, vote.option);
    }
    const stats = await statsNow(roomId);
    const votes = [0, 1, 2].map((option) => [...expected.votes.values()].filter((voted) => voted === option).length);
    t.same([stats.likes, stats.gifts, stats.goals, stats.polls], [expected.likes, expected.gifts, Object.fromEntries(expected.goals), expected.votes.size === 0 ? {} : { 7: votes }]);
    t.equal(stats.viewers, 5 * new Set(steps.map(({ process }) => process)).size);
  }), { numRuns: 25 });
});

await t.test('viewers of a process that is silent are gone; shoppers who came are counted once', async (t) => {
  const impatient = new RoomPulseStore(redis, keys, { ...eager, silentMs: 300 });
  const joined = (from: number, to: number): RoomBatch => batchOf((tally) => { for (let i = from; i < to; i++) tally.join(`u:${i}`); });
  await impatient.add('presence', { process: 'a', sequence: 1, viewers: 100, batch: joined(0, 100) });
  await impatient.add('presence', { process: 'b', sequence: 1, viewers: 50, batch: joined(80, 130) });
  const both = await statsNow('presence', impatient);
  t.equal(both.viewers, 150);
  t.ok(Math.abs(both.unique - 130) <= 4, `about 130 different ones: ${both.unique}`);
  await until(async () => {
    await impatient.add('presence', { process: 'a', sequence: 2, viewers: 100, batch: undefined });
    return (await impatient.shown('presence')).stats.viewers === 100;
  }, 'those of b are gone');
});

await t.test('the room is told at most so often, and nothing while nothing changes', async (t) => {
  const told = new RoomPulseStore(redis, keys, { tellEveryMs: 60_000 });
  const seen = await framesOf('told');
  t.equal(await told.add('told', { process: 'a', sequence: 1, viewers: 1, batch: batchOf((tally) => { tally.like(3); }) }), 0);
  await until(() => seen.length === 1, 'the first count is told at once');
  const [first] = seen;
  t.match(first, { isState: true, frame: { type: 'stats', channel: 'room:told', viewers: 1, likes: 3, offset: 0, polls: {}, goals: {} } });
  for (let sequence = 2; sequence < 20; sequence++) {
    const wait = await told.add('told', { process: 'a', sequence, viewers: 1, batch: batchOf((tally) => { tally.like(1); }) });
    t.ok(wait > 0 && wait <= 60_000, 'it has to wait');
  }
  await redis.hset(keys.room('told').pulse, 'toldAt', 0);
  t.equal(await told.add('told', { process: 'b', sequence: 0, viewers: 0, batch: undefined }), 0);
  await until(() => seen.length === 2, 'whoever comes next tells it');
  t.equal(seen[1]!.frame['likes'], 21);
  await redis.hset(keys.room('told').pulse, 'toldAt', 0);
  t.equal(await told.add('told', { process: 'a', sequence: 20, viewers: 1, batch: undefined }), 0);
  await log.publish(roomChannel(keys, 'told'), 'note', {});
  await until(() => seen.length > 2, 'something is told');
  t.equal(seen[2]!.frame['type'], 'note', 'but not what has not changed');
});

await t.test('comments are told in one frame, in order; too many are counted', async (t) => {
  const waiting = new RoomPulseStore(redis, keys, { tellEveryMs: 60_000 });
  frames.length = 0;
  const seen = await framesOf('chat');
  const said = (process: string, sequence: number, ...texts: string[]): Promise<number> => waiting.add('chat', {
    process, sequence, viewers: 1,
    batch: batchOf((tally) => { for (const text of texts) tally.say({ id: text, kind: 'comment', from: '', text, at: 1 }, 'positive', []); }),
  });
  await said('a', 1, 'one "quoted" \\ 你好');
  await said('b', 1, 'two', 'three');
  t.ok(await said('a', 2, ...Array.from({ length: 30 }, (_, i) => `many ${i}`)) > 0);
  await redis.hset(keys.room('chat').pulse, 'toldAt', 0);
  await waiting.add('chat', { process: 'b', sequence: 2, viewers: 1, batch: undefined });
  const comments = (): string[][] => seen.filter(({ frame }) => frame['type'] === 'comments').map(({ frame }) => (frame['comments'] as { text: string }[]).map(({ text }) => text));
  await until(() => comments().length === 2, 'two frames of comments');
  t.same(comments()[0], ['one "quoted" \\ 你好']);
  t.same(comments()[1], Array.from({ length: 20 }, (_, i) => `many ${i + 10}`), 'the latest');
  const { frames: logged } = await log.read(roomChannel(keys, 'chat'), { epoch: String(seen.find(({ isState }) => !isState)!.frame['epoch']), offset: 0 });
  t.equal(logged?.length, 2, 'they are logged');
  const { stats, comments: shown } = await waiting.shown('chat');
  t.same([stats.comments, shown.length], [33, 20]);
});

await t.test('moods, topics and carts fade, in Redis as here', async (t) => {
  const now = Date.now();
  await store.add('mood', {
    process: 'a', sequence: 1, viewers: 0, batch: batchOf((tally) => {
      tally.say({ id: '1', kind: 'question', from: '', text: '', at: 1 }, 'negative', ['theme:price', 'item:a }{"']);
      tally.say({ id: '2', kind: 'question', from: '', text: '', at: 1 }, 'negative', ['theme:price']);
      for (let i = 0; i < 10; i++) tally.cart('boots');
    }),
  });
  const soon = await store.read('mood', Date.now());
  const near = (value: number | undefined, wanted: number): boolean => value !== undefined && Math.abs(value - wanted) < wanted * 0.2;
  t.ok(near(soon.moods['negative'], 2) && soon.moods['positive'] === 0);
  t.ok(near(soon.topics['theme:price'], 2) && near(soon.topics['item:a }{"'], 1));
  t.ok(near(soon.carts[0]?.now, 10) && near(soon.carts[0]?.usual, 10));
  const later = await store.read('mood', now + 3 * 60_000);
  t.ok(near(later.moods['negative'], 2 / Math.E) && near(later.carts[0]?.now, 10 / Math.E ** 3) && near(later.carts[0]?.usual, 10 * Math.exp(-3 / 20)));
  const topics = new RoomPulseStore(redis, keys, { ...eager, topicsMax: 3 });
  for (let i = 1; i <= 5; i++) await topics.add('many', { process: 'a', sequence: i, viewers: 0, batch: { ...batchOf(() => undefined), topics: { [`word:${i}`]: i } } });
  t.same(Object.keys((await topics.read('many', Date.now())).topics).toSorted(), ['word:3', 'word:4', 'word:5'], 'the faintest are dropped');
});
