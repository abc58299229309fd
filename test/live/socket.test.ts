import { once } from 'node:events';
import t, { type Test } from 'tap';
import { AppError } from '../../src/errors.js';
import { LIVE_LIMITS } from '../../src/live/limits.js';
import { LiveClient } from '../helpers/live-client.js';
import { ITEMS, startLive, type LiveServer } from '../helpers/live.js';
import { shopperChannel } from '../../src/redis/channel-log.js';
import { startRedis } from '../helpers/redis.js';

const redis = await startRedis();
t.teardown(() => redis.stop());

const faults: unknown[][] = [];
let count = 0;
const newUser = (): { userId: string } => ({ userId: `user-${count++}` });

async function withServer(t: Test, options: Parameters<typeof startLive>[1] = {}): Promise<LiveServer> {
  const server = await startLive(redis.url, { items: ITEMS, ...options });
  t.teardown(() => server.close());
  faults.push(server.faults);
  return server;
}

await t.test('authenticates with the first frame', async (t) => {
  const server = await withServer(t);
  const client = new LiveClient(server.url);
  await once(client.socket, 'open');
  t.match(await client.ask({ type: 'auth', userId: 'ü/\u{1F6D2}' }), { type: 'ready', pingEveryMs: LIVE_LIMITS.pingEveryMs, frameBytesMax: 65_536 });
  t.match(await client.ask({ type: 'auth', userId: 'somebody else' }), { type: 'error', code: 'conflict' });
  t.match(await client.listen({ channel: 'user:ü/\u{1F6D2}' }), { type: 'subscribed', channel: 'user:ü/\u{1F6D2}' });
  t.match(await client.ask({ type: 'unsubscribe', channel: 'user:ü/\u{1F6D2}' }), { type: 'unsubscribed', channel: 'user:ü/\u{1F6D2}' });
  await client.close();
  t.same([server.hub.shoppers, server.hub.channels], [0, 0], 'nobody is left');
});

await t.test('refuses who does not authenticate', async (t) => {
  const server = await withServer(t, { limits: { authMs: 150 }, apiKeys: { 'key-of-a-shop': ['events'] } });
  const cases: [string, unknown, number, string][] = [
    ['another frame first', { type: 'subscribe', channel: 'user:u' }, 4401, 'unauthorized'],
    ['nonsense first', 'hello', 4400, 'invalid_json'],
    ['a wrong key', { type: 'auth', userId: 'u', token: 'key-of-another' }, 4401, 'unauthorized'],
    ['no key', { type: 'auth', userId: 'u' }, 4401, 'unauthorized'],
    ['nobody', { type: 'auth', token: 'key-of-a-shop' }, 4400, 'invalid_request'],
    ['two at once', { type: 'auth', userId: 'u', anonymousId: 'a', token: 'key-of-a-shop' }, 4400, 'invalid_request'],
    ['a lone surrogate', '{"type":"auth","userId":"\\ud800","token":"key-of-a-shop"}', 4400, 'invalid_request'],
    ['a long id', { type: 'auth', userId: 'ü'.repeat(129), token: 'key-of-a-shop' }, 4400, 'invalid_request'],
    ['an unknown field', { type: 'auth', userId: 'u', token: 'key-of-a-shop', admin: true }, 4400, 'invalid_request'],
  ];
  for (const [name, frame, code, reason] of cases) {
    const client = new LiveClient(server.url);
    await once(client.socket, 'open');
    client.send(frame);
    t.match(await client.untilClosed(), { code, reason: `"code":"${reason}"` }, name);
    t.match(await client.next('error'), { code: reason }, `${name}: says why`);
  }
  const silent = new LiveClient(server.url);
  t.match(await silent.untilClosed(), { code: 4408 }, 'silence');
});

await t.test('a key opens what its scopes say', async (t) => {
  const server = await withServer(t, { apiKeys: { 'events-only': ['events'], 'all-of-it': ['admin'] } });
  const client = new LiveClient(server.url);
  await once(client.socket, 'open');
  t.match(await client.ask({ type: 'auth', ...newUser(), token: 'events-only' }), { type: 'ready' });
  t.match(await client.ask({ type: 'events', events: [{ id: 'k1', type: 'view_item', itemId: 'i1' }] }), { type: 'ack', accepted: 1 });
  t.match(await client.ask({ type: 'recommendations', scene: 'home' }), { type: 'error', code: 'forbidden' });
  t.match(await client.listen({ channel: 'user:any' }), { type: 'error', code: 'forbidden' });
  const admin = new LiveClient(server.url);
  await once(admin.socket, 'open');
  await admin.ask({ type: 'auth', ...newUser(), token: 'all-of-it' });
  t.match(await admin.ask({ type: 'recommendations', scene: 'home' }), { type: 'recommendations' });
});

await t.test('events and recommendations over the socket are those of its shopper', async (t) => {
  const server = await withServer(t);
  const me = newUser();
  const client = await LiveClient.open(server.url, me);
  const ack = await client.ask({
    type: 'events', events: [
      { id: 's1', type: 'view_item', itemId: 'i1' }, { id: 's1', type: 'view_item', itemId: 'i1' },
      { id: 's2', type: 'view_item', itemId: 'i2', ...me }, { id: 's3', type: 'view_item', userId: 'somebody-else' },
      { id: 's4', type: 'teleport' }, { id: 's5', type: 'view_item', anonymousId: me.userId }, 7, { id: 's6', type: 'view_item', userId: 6 },
    ],
  });
  t.match(ack, { type: 'ack', accepted: 2, duplicates: 1 });
  t.same(ack.rejected?.map(({ index, code }) => [index, code]), [[3, 'forbidden'], [4, 'invalid_event'], [5, 'forbidden'], [6, 'invalid_event'], [7, 'invalid_event']]);
  t.equal(await server.store.read('u:somebody-else'), null, 'nothing was stored for somebody else');
  const list = await client.ask({ type: 'recommendations', scene: 'home', limit: 3 });
  t.equal(list.items?.length, 3);
  t.match(await client.ask({ type: 'recommendations', scene: 'home', ...me }), { type: 'recommendations' });
  t.match(await client.ask({ type: 'recommendations', scene: 'home', userId: 'somebody-else' }), { type: 'error', code: 'forbidden' });
  t.match(await client.ask({ type: 'recommendations', scene: 'home', anonymousId: me.userId }), { type: 'error', code: 'forbidden' });
});

await t.test('a fresh list follows the shopper\'s events, in one go', async (t) => {
  const server = await withServer(t, { limits: { refreshAfterMs: 50, refreshEveryMs: 100 } });
  const me = newUser();
  const [client, other] = [await LiveClient.open(server.url, me), await LiveClient.open(server.url, newUser())];
  await client.ask({ type: 'subscribe', channel: 'recommendations', scene: 'product', limit: 2 });
  await other.ask({ type: 'subscribe', channel: 'recommendations' });
  for (let i = 0; i < 5; i++) client.send({ type: 'events', events: [{ id: `f${i}`, type: 'view_item', itemId: `i${i}` }] });
  t.equal((await client.next('recommendations')).items?.length, 2);
  t.same(await client.during(200, 'recommendations'), [], 'one list for all of them');
  await server.ingestor.ingest([{ id: 'http', type: 'view_item', itemId: 'i1', ...me }]);
  t.match(await client.next('recommendations'), { type: 'recommendations' }, 'events that came another way count, too');
  t.same(await other.during(0, 'recommendations'), [], 'nobody else got one');
  await client.ask({ type: 'unsubscribe', channel: 'recommendations' });
  await server.ingestor.ingest([{ id: 'after', type: 'view_item', itemId: 'i1', ...me }]);
  t.same(await client.during(150, 'recommendations'), []);
});

await t.test('wrong frames are answered, and too many of them close the socket', async (t) => {
  const server = await withServer(t, { limits: { badFramesMax: 5 } });
  const client = await LiveClient.open(server.url, newUser());
  client.send('{');
  t.match(await client.next('error'), { code: 'invalid_json', statusCode: 400, retryable: false });
  t.match(await client.ask({ type: 'subscribe', channel: client.channel, scene: 'home' }), { code: 'invalid_request', message: /scene/u });
  t.match(await client.ask({ type: 'shout' }), { type: 'error', code: 'invalid_request' });
  t.match(await client.ask({ type: 'pong', loud: true }), { type: 'error', message: /loud/u });
  t.match(await client.listen(), { type: 'subscribed' }, 'it goes on');
  for (let i = 0; i < 3; i++) client.send('{}');
  t.match(await client.untilClosed(), { code: 4400 });
});

await t.test('binary, oversized and too many frames close the socket', async (t) => {
  const server = await withServer(t, { limits: { framesPerMinuteMax: 30 } });
  const binary = await LiveClient.open(server.url, newUser());
  binary.socket.send(Buffer.from('{"type":"pong"}'));
  t.match(await binary.untilClosed(), { code: 1003 });
  const large = await LiveClient.open(server.url, newUser());
  large.send({ type: 'events', events: [{ id: 'l', type: 'search', query: 'x'.repeat(65_536) }] });
  t.match(await large.untilClosed(), { code: 1009, reason: '' }, 'the WebSocket itself refuses it: no reason of ours');
  const garbled = await LiveClient.open(server.url, newUser());
  garbled.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
  t.match(await garbled.untilClosed(), { code: 1007 });
  const flood = await LiveClient.open(server.url, newUser());
  for (let i = 0; i < 40; i++) flood.send({ type: 'pong' });
  t.match(await flood.untilClosed(), { code: 4429, reason: 'rate_limited' });
});

await t.test('origins', async (t) => {
  const server = await withServer(t, { origins: ['https://shop.example'] });
  for (const origin of ['https://shop.example', server.url]) {
    const client = await LiveClient.open(server.url, newUser(), { origin });
    t.equal(client.closed, undefined, origin);
  }
  const evil = new LiveClient(server.url, { origin: 'https://evil.example' });
  const [, response] = await once(evil.socket, 'unexpected-response') as [unknown, { statusCode: number; destroy(): void }];
  t.equal(response.statusCode, 403);
  response.destroy();
  const plain = await fetch(`${server.url}/v1/live`);
  t.equal(plain.status, 400, 'not a WebSocket');
});

await t.test('a slow reader is told to come back; the others go on', async (t) => {
  const server = await withServer(t, { limits: { outboxFramesMax: 50, outboxBytesMax: 512 * 1024, slowGraceMs: 20_000 } });
  const me = newUser();
  const [slow, quick] = [await LiveClient.open(server.url, me), await LiveClient.open(server.url, me)];
  for (const client of [slow, quick]) await client.listen();
  slow.socket.pause();
  const channel = shopperChannel(server.keys, `u:${me.userId}`);
  const padding = 'x'.repeat(60_000);
  let sent = 0;
  while (server.sockets() === 2 && sent < 2000) {
    await server.log.publish(channel, 'offer', { n: sent++, padding });
    if (slow.socket.readyState === slow.socket.OPEN && sent % 50 === 0) await new Promise((resolve) => { setTimeout(resolve, 20); });
    if (sent > 400) break; // 24 MB: more than any system buffers
  }
  while (quick.frames.length < sent) await new Promise((resolve) => { setTimeout(resolve, 20); });
  t.equal(quick.frames.length, sent, 'the quick one has all');
  t.same(quick.frames.map((frame) => frame.n), Array.from({ length: sent }, (_, i) => i), 'in order');
  slow.socket.resume();
  t.match(await slow.untilClosed(), { code: 4503, reason: 'slow_consumer' });
  t.ok(slow.frames.length < sent, `it got ${slow.frames.length} of ${sent}`);
  t.equal(quick.closed, undefined);
});

await t.test('a reader that stands still is closed, even with a small outbox', async (t) => {
  const server = await withServer(t, { limits: { outboxFramesMax: 1e6, outboxBytesMax: 1e9, stalledMs: 200, sweepEveryMs: 50, slowGraceMs: 200 } });
  const me = newUser();
  const slow = await LiveClient.open(server.url, me);
  await slow.listen();
  slow.socket.pause();
  for (let i = 0; i < 400; i++) await server.log.publish(shopperChannel(server.keys, `u:${me.userId}`), 'offer', { padding: 'x'.repeat(60_000) });
  const deadline = Date.now() + 30_000;
  while (server.sockets() > 0 && Date.now() < deadline) await new Promise((resolve) => { setTimeout(resolve, 20); });
  t.equal(server.sockets(), 0, 'the server let it go though it never answered');
});

await t.test('heartbeat', async (t) => {
  const server = await withServer(t, { limits: { pingEveryMs: 100, pongWithinMs: 150, sweepEveryMs: 20 } });
  const alive = await LiveClient.open(server.url, newUser());
  const dead = await LiveClient.open(server.url, newUser());
  dead.socket.pong = () => { /* as if its network were gone */ };
  const mute = dead.socket as unknown as { _autoPong: boolean };
  mute._autoPong = false;
  t.match(await dead.untilClosed(), { code: 1006 }, 'a dead peer is let go');
  t.equal(alive.closed, undefined, 'one that answers stays');
  t.ok((await alive.during(0, 'ping')).length >= 2, 'and sees that we are there');
});

await t.test('frames that come faster than they are answered wait, and all are answered in order', async (t) => {
  const server = await withServer(t, { limits: { framesPendingMax: 4, framesPerMinuteMax: 1e6 } });
  const client = await LiveClient.open(server.url, newUser());
  for (let i = 0; i < 300; i++) client.send({ type: 'events', id: `o${i}`, events: [{ id: `o${i}`, type: 'view_item', itemId: 'i1' }] });
  t.match(await client.ask({ type: 'events', events: [{ id: 'o0', type: 'view_item' }] }), { accepted: 0, duplicates: 1 });
  t.same(client.frames.map(({ replyTo }) => replyTo), Array.from({ length: 300 }, (_, i) => `o${i}`));
});

await t.test('at most so many sockets, of one shopper and of all', async (t) => {
  const server = await withServer(t, { limits: { socketsPerShopperMax: 2, socketsMax: 4 } });
  const me = newUser();
  const first = await LiveClient.open(server.url, me);
  await LiveClient.open(server.url, me);
  const third = await LiveClient.open(server.url, me);
  t.match(await first.untilClosed(), { code: 4409, reason: 'conflict' }, 'the oldest made room');
  t.equal(third.closed, undefined);
  await LiveClient.open(server.url, newUser());
  await LiveClient.open(server.url, newUser());
  const fifth = new LiveClient(server.url);
  const [, response] = await once(fifth.socket, 'unexpected-response') as [unknown, { statusCode: number; destroy(): void }];
  t.equal(response.statusCode, 503, 'the house is full');
  response.destroy();
});

await t.test('shutdown: what was taken is answered, then a goodbye that says when to come back', async (t) => {
  const server = await startLive(redis.url, { items: ITEMS });
  const clients = await Promise.all(Array.from({ length: 20 }, () => LiveClient.open(server.url, newUser())));
  clients[0]!.send({ type: 'events', id: 'last', events: [{ id: 'd1', type: 'view_item' }] });
  await new Promise((resolve) => { setTimeout(resolve, 30); });
  const closing = server.close();
  const hints = await Promise.all(clients.map(async (client) => {
    const { code, reason } = await client.untilClosed();
    t.equal(code, 1012);
    t.match(await client.next('error'), { code: 'shutting_down', retryable: true });
    return (JSON.parse(reason) as { retryAfterMs: number }).retryAfterMs;
  }));
  t.match(await clients[0]!.next('ack'), { replyTo: 'last', accepted: 1 });
  t.ok(new Set(hints).size > 10, `spread: ${hints.join(' ')}`);
  t.ok(hints.every((ms) => ms >= 0 && ms <= LIVE_LIMITS.comeBackMs));
  await closing;
  t.equal(server.sockets(), 0);
  t.ok(new AppError('shutting_down', '').retryable);
});

t.same(faults.flat(), [], 'nothing unexpected happened');
