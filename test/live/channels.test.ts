import t, { type Test } from 'tap';
import type { ChannelAddress, LogPart, Position } from '../../src/domain/channel.js';
import type { Room } from '../../src/domain/room.js';
import type { Member } from '../../src/live/audience.js';
import { Guests, type Guest } from '../../src/live/guests.js';
import { LiveHub } from '../../src/live/hub.js';
import { LIVE_LIMITS } from '../../src/live/limits.js';
import { roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { ShardSubscriber } from '../../src/redis/shard-subscriber.js';
import { pause } from '../../src/util/pause.js';
import { LiveClient } from '../helpers/live-client.js';
import { KEYS, startLive, type LiveServerOptions } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';
import { JWT, signToken } from '../helpers/tokens.js';
import { until } from '../helpers/until.js';

const redis = await startRedis();
const server = await startLive(redis.url);
t.teardown(async () => {
  await server.close();
  await redis.stop();
});
const { log } = server;
const faults: unknown[][] = [server.faults];
let count = 0;
const newRoom = (): ChannelAddress => roomChannel(KEYS, `room-${++count}`);
const ROOM: Omit<Room, 'id'> = { title: 'Room', host: { id: 'h', name: 'Host' }, category: ['live'], products: [], access: 'public', status: 'live', version: 1, createdAt: 1 };

/** A member that notes what it is told: numbers of frames, and `lost`. */
class Listener implements Member {
  readonly shopper = 'u:listener';
  readonly heard: unknown[] = [];

  deliver(_channel: ChannelAddress, frame: Buffer): void {
    this.heard.push((JSON.parse(frame.toString()) as { n: number }).n);
  }

  resync(): void {
    this.heard.push('lost');
  }

  touched(): void { /* not of interest */ }
  replaced(): void { /* not of interest */ }
}

/** A hub whose reads of logs take until `during` is over. */
function slowHub(t: Test, during: (channel: ChannelAddress, after: Position | number) => Promise<void>): LiveHub {
  const unexpected: unknown[] = [];
  faults.push(unexpected);
  const hub = new LiveHub({
    subscriber: (listener) => new ShardSubscriber(server.redis, listener), limits: LIVE_LIMITS, onFault: (error) => unexpected.push(error),
    logs: {
      read: async (channel, after): Promise<LogPart> => {
        const part = await log.read(channel, after);
        await during(channel, after);
        return part;
      },
      keep: (channels) => log.keep(channels),
    },
  });
  t.teardown(() => { hub.close(); });
  return hub;
}

async function withServer(t: Test, options: LiveServerOptions): ReturnType<typeof startLive> {
  const started = await startLive(redis.url, options);
  faults.push(started.faults);
  t.teardown(() => started.close());
  return started;
}

await t.test('frames that come while a log is read are neither missed nor told twice', async (t) => {
  const room = newRoom();
  let n = 0;
  let reads = 0;
  const hub = slowHub(t, async () => {
    // The first two readings miss what comes before they are answered.
    if (++reads > 2) return;
    for (let i = 0; i < 3; i++) await log.publish(room, 'note', { n: ++n });
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  });
  await log.publish(room, 'note', { n: ++n });
  const listener = new Listener();
  const { head } = (await hub.join(room, listener))!;
  t.equal(head.offset, 7, 'it begins when nothing is missing any more');
  const late = new Listener();
  t.same((await hub.join(room, late, { ...head, offset: 4 }))!.missed?.map(({ offset }) => offset), [5, 6, 7]);
  for (let i = 0; i < 2; i++) await log.publish(room, 'note', { n: ++n });
  await until(() => listener.heard.length === 2 && late.heard.length === 2, 'the last frames');
  t.same([listener.heard, late.heard], [[8, 9], [8, 9]]);
});

await t.test('what was not published, or published out of turn, is found by the next frame', async (t) => {
  const hub = slowHub(t, async () => { /* at once */ });
  const room = newRoom();
  const listener = new Listener();
  const { head } = (await hub.join(room, listener))!;
  await server.redis.xadd(room.log, `${head.epoch}-1`, 'f', '{"type":"note","n":1}');
  await server.redis.xadd(room.log, `${head.epoch}-2`, 'f', '{"type":"note","n":2}');
  await log.publish(room, 'note', { n: 3 });
  await server.redis.spublish(room.push, `${head.epoch}-2 {"type":"note","n":2}`);
  await log.publish(room, 'note', { n: 4 });
  await until(() => listener.heard.length === 4, 'all frames');
  t.same(listener.heard, [1, 2, 3, 4]);
  await server.redis.del(room.log);
  await log.publish(room, 'note', { n: 5 });
  await until(() => listener.heard.length === 5, 'the loss');
  await server.redis.spublish(room.push, `${head.epoch}-9 {"type":"note","n":9}`);
  await log.publish(room, 'note', { n: 6 });
  await until(() => listener.heard.length === 6, 'what follows');
  t.same(listener.heard.slice(4), ['lost', 6], 'a log that was lost is no gap; a frame of the old one is nothing');
});

await t.test('what this process appended is handed over at once, and not again; hooks hear each frame of a room once', async (t) => {
  const hub = slowHub(t, async () => { /* at once */ });
  const [room, listener] = [newRoom(), new Listener()];
  const told: string[] = [];
  const roomId = room.name.slice('room:'.length);
  hub.watchRooms({
    onFrame: (id, type, { offset }) => { told.push(`${id} ${type} ${offset}`); },
    onJoin: (id) => { told.push(`${id} join`); }, onLeave: (id) => { told.push(`${id} leave`); },
  });
  await log.publish(room, 'note', { n: 0 });
  const { head } = (await hub.join(room, listener))!;
  await hub.join(room, listener, head);
  t.same([...hub.viewersOf(room)], [listener]);
  const append = async (n: number): Promise<Parameters<LiveHub['feed']>[1]> => {
    const json = `{"type":"note","n":${n}}`;
    await server.redis.xadd(room.log, `${head.epoch}-${n}`, 'f', json);
    return { ...head, offset: n, json: Buffer.from(json) };
  };
  const [second, third, fourth] = [await append(2), await append(3), await append(4)];
  t.equal(hub.feed(room, second), true);
  t.same(listener.heard, [2], 'at once');
  hub.feed(room, fourth);
  await until(() => listener.heard.length === 3, 'what came before it');
  for (const { offset, json } of [second, third, fourth]) await server.redis.spublish(room.push, `${head.epoch}-${offset} ${json.toString()}`);
  await log.publishState(room, 'count', { n: 'state' });
  await until(() => listener.heard.length === 4, 'the state');
  t.same(listener.heard, [2, 3, 4, 'state']);
  hub.leave(room, listener);
  hub.leave(room, listener);
  t.same(told, [`${roomId} join`, ...[2, 3, 4].map((offset) => `${roomId} note ${offset}`), `${roomId} leave`]);
  t.same([hub.feed(room, fourth), hub.channels, [...hub.viewersOf(room)]], [false, 0, []], 'nobody listens here any more');
});

await t.test('frames that come while a state is read follow the answer', async (t) => {
  let publish: (() => Promise<unknown>) | undefined;
  const slow = await withServer(t, {
    reader: { ofShopper: async () => {
      await publish?.();
      await new Promise((resolve) => { setTimeout(resolve, 50); });
      return '{"offers":[]}';
    } },
  });
  const client = await LiveClient.open(slow.url, { userId: 'patient' });
  const own = shopperChannel(KEYS, 'u:patient');
  publish = async () => { for (let n = 1; n <= 3; n++) await log.publish(own, 'note', { n }); };
  t.match(await client.listen(), { type: 'subscribed', offset: 0, recovered: undefined, state: { offers: [] } });
  t.same([(await client.next('note')).offset, (await client.next('note')).offset, (await client.next('note')).offset], [1, 2, 3]);
  // Everything is lost while the answer is made.
  publish = async () => {
    publish = undefined;
    await server.redis.del(own.log);
    for (let n = 1; n <= 2; n++) await log.publish(own, 'note', { n });
  };
  const { epoch, offset } = await client.listen({ after: { epoch: '1', offset: 1 } });
  t.same([epoch, offset], Object.values((await log.read(own, 0)).head), 'it says where things stand at the end');
  t.same(client.frames, []);
});

await t.test('who may listen to what', async (t) => {
  const keyed = await withServer(t, { jwt: JWT });
  await server.rooms.write({ ...ROOM, id: 'open' }, Date.now());
  await server.rooms.write({ ...ROOM, id: 'closed-club', access: 'invited' }, Date.now());
  const client = await LiveClient.open(keyed.url, { userId: 'ann' }, { token: await signToken({ sub: 'ann' }) });
  const guest = await LiveClient.open(keyed.url, { userId: 'bea' }, { token: await signToken({ sub: 'bea', rooms: ['closed-club'] }) });
  for (const [channel, code] of [
    ['user:bea', 'forbidden'], ['user:', 'forbidden'], ['room:nowhere', 'not_found'], ['room:closed-club', 'forbidden'], ['room:../x', 'not_found'], ['room:', 'not_found'],
  ] as const) {
    t.match(await client.listen({ channel }), { type: 'error', code }, channel);
    t.match(await client.listen({ channel, after: { epoch: '1', offset: 1 } }), { type: 'error', code }, `${channel}, to go on`);
  }
  t.match(await client.listen({ channel: 'room:open' }), { type: 'subscribed', state: { room: { id: 'open' }, cues: [] } });
  t.match(await guest.listen({ channel: 'room:closed-club' }), { type: 'subscribed' });
  t.match(await client.ask({ type: 'subscribe', channel: 'user:ann', epoch: '1' }), { code: 'invalid_request', message: /together/u });
  t.match(await client.ask({ type: 'subscribe', channel: 'recommendations', epoch: '1', offset: 1 }), { code: 'invalid_request', message: /no log/u });
  await client.ask({ type: 'unsubscribe', channel: 'room:open' });
  await log.publish(roomChannel(KEYS, 'open'), 'note', {});
  t.same(await client.during(50, 'note'), []);
  await guest.listen({ channel: 'room:open' });
  await server.redis.del(KEYS.room('open').state, KEYS.room('open').log);
  await log.publish(roomChannel(KEYS, 'open'), 'note', {});
  t.match(await guest.next('unsubscribed'), { channel: 'room:open', code: 'not_found' }, 'a room that is no more');
  t.equal(guest.closed, undefined);
});

await t.test('only so many channels on a socket', async (t) => {
  const small = await withServer(t, { limits: { channelsMax: 2 } });
  for (const id of ['c1', 'c2']) await server.rooms.write({ ...ROOM, id }, Date.now());
  const client = await LiveClient.open(small.url, { userId: 'many' });
  await client.listen();
  await client.listen({ channel: 'room:c1' });
  t.match(await client.listen({ channel: 'room:c2' }), { type: 'error', code: 'conflict' });
  t.match(await client.listen({ channel: 'room:c1' }), { type: 'subscribed' }, 'the same again is no other');
  await client.ask({ type: 'unsubscribe', channel: 'room:c1' });
  t.match(await client.listen({ channel: 'room:c2' }), { type: 'subscribed' });
});

await t.test('only so many sockets of one address, loopback apart', async (t) => {
  const guests = new Guests({ origins: { allowed: [], isOpen: false }, limits: { ...LIVE_LIMITS, socketsPerIpMax: 2, leaveMs: 1, closeGraceMs: 1 }, clock: Date.now, random: Math.random });
  t.teardown(() => guests.close());
  const guest = (): Guest => ({ beat: () => { /* fine */ }, drain: () => Promise.resolve(), terminate: () => { /* gone */ } });
  const enter = (ip: string): Guest => {
    const one = guest();
    guests.enter(one, ip);
    return one;
  };
  const [first] = ['10.0.0.1', '10.0.0.1', '127.0.0.1', '127.0.0.1', '::ffff:127.0.0.1', '::ffff:127.0.0.1', '::1', '::1'].map(enter);
  const refusals = (): unknown[] => ['10.0.0.1', '10.0.0.2', '127.0.0.1', '::ffff:127.0.0.1', '::1'].map((ip) => guests.refusal({ headers: {}, ip })?.code);
  t.same(refusals(), ['rate_limited', undefined, undefined, undefined, undefined]);
  guests.leave(first!, '10.0.0.1');
  guests.leave(first!, '10.0.0.1');
  t.same(refusals(), Array(5).fill(undefined));
  enter('10.0.0.1');
  t.equal(guests.refusal({ headers: {}, ip: '10.0.0.1' })?.code, 'rate_limited', 'one that left twice made room once');
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::2'].map(enter);
  t.equal(guests.refusal({ headers: {}, ip: '2001:db8:1:2:3::3' })?.code, 'rate_limited', 'of IPv6 a network counts, not each of its addresses');
  t.equal(guests.refusal({ headers: {}, ip: '2001:db8:1:3::1' }), undefined);
});

await t.test('a process that is held up while it lets its guests go still has them come back one after the other', async (t) => {
  const limits = { ...LIVE_LIMITS, leaveEveryMs: 10, comeBackMs: 60_000, closeGraceMs: 1000 };
  const guests = new Guests({ origins: { allowed: [], isOpen: false }, limits, clock: Date.now, random: () => 0 });
  const [toldAt, backAt]: number[][] = [[], []];
  for (let index = 0; index < 40; index++) {
    const guest: Guest = {
      beat: () => { /* fine */ },
      drain: (_error, retryAfterMs) => {
        toldAt!.push(performance.now());
        backAt!.push(performance.now() + retryAfterMs);
        guests.leave(guest, '127.0.0.1');
        if (index === 5) for (const until = performance.now() + 150; performance.now() < until;) { /* Busy: fifteen turns pass. */ }
        return Promise.resolve();
      },
      terminate: () => { /* gone */ },
    };
    guests.enter(guest, '127.0.0.1');
  }
  await guests.close();
  const gaps = backAt!.slice(1).map((at, index) => at - backAt![index]!);
  t.equal(gaps.length, 39);
  // A busy machine may hold up a few of its own accord; of those whose turn passed here, fifteen would come at once.
  t.ok(gaps.filter((ms) => ms > 5).length > 30, `while it was held up, too: ${gaps.map(Math.round).join(' ')}`);
  t.ok(toldAt![20]! - toldAt![6]! > 30, 'and those whose turn has passed are not told all at once');
});

await t.test('of frames that only say how things stand a slow reader gets the latest', async (t) => {
  // Slow, not stalled, for however long a busy machine takes.
  const patient = await withServer(t, { limits: { probeAfterMs: 60_000, stalledMs: 60_000 } });
  const own = shopperChannel(KEYS, 'u:slow');
  const [slow, quick] = [await LiveClient.open(patient.url, { userId: 'slow' }), await LiveClient.open(patient.url, { userId: 'slow' })];
  for (const client of [slow, quick]) await client.listen();
  slow.socket.pause();
  const last = 300;
  // More than the system buffers and more than the outbox may hold.
  for (let n = 1; n <= last; n++) await log.publishState(own, 'count', { n, padding: 'x'.repeat(60_000) });
  await log.publish(own, 'note', { n: last });
  await until(() => quick.frames.length === last + 1, 'the quick reader');
  slow.socket.resume();
  t.equal((await slow.next('note')).n, last);
  const counts = slow.frames.map(({ n }) => n!);
  t.ok(counts.length < last, `${counts.length} of ${last}`);
  t.same([counts.at(-1), counts], [last, counts.toSorted((a, b) => a - b)], 'in order, and the latest before what came after it');
  t.equal(slow.closed, undefined, 'the outbox never was full');
});

await t.test('who reads nothing of the little that is sent is let go, too', async (t) => {
  const watchful = await withServer(t, { limits: { probeAfterMs: 100, stalledMs: 1500, sweepEveryMs: 50, slowGraceMs: 100 } });
  const [stalled, quiet, reading] = await Promise.all(['stalled', 'quiet', 'reading'].map((userId) => LiveClient.open(watchful.url, { userId })));
  for (const client of [stalled!, reading!]) await client.listen();
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  for (const client of [stalled!, quiet!]) client.socket.pause();
  for (const userId of ['stalled', 'reading']) await log.publish(shopperChannel(KEYS, `u:${userId}`), 'note', {});
  await until(() => watchful.sockets() === 2, 'the one to be gone');
  for (const client of [stalled!, quiet!]) client.socket.resume();
  t.match(await stalled!.untilClosed(), { code: 4503, reason: '{"code":"slow_consumer","resume":true}' });
  t.same([quiet!.closed, reading!.closed], [undefined, undefined], 'who is sent nothing has nothing to read');
});

await t.test('it is asked whether frames arrive, for many of them once', async (t) => {
  const asking = await withServer(t, { limits: { probeAfterMs: 1000, stalledMs: 60_000, sweepEveryMs: 200 } });
  const client = await LiveClient.open(asking.url, { userId: 'asked' });
  await client.listen();
  const heard = { notes: 0, pings: 0 };
  client.socket.on('message', () => { heard.notes += 1; });
  client.socket.on('ping', () => { heard.pings += 1; });
  const own = shopperChannel(KEYS, 'u:asked');
  await until(() => heard.pings === 1, 'a ping after the answers to the client');
  while (heard.pings === 1) {
    await log.publish(own, 'note', {});
    await pause(20);
  }
  t.ok(heard.notes > 5, `asked once about ${heard.notes}`);
  await log.publish(own, 'note', {});
  await until(() => heard.pings === 3, 'a ping after the last frame');
  await pause(2000);
  t.equal(heard.pings, 3, 'and none without a frame');
  t.equal(client.closed, undefined);
});

t.same(faults.flat(), [], 'nothing unexpected happened');
