import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { ChannelAddress } from '../../src/domain/channel.js';
import type { Room } from '../../src/domain/room.js';
import { LOG_LIMITS, roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { seededRandom } from '../../src/util/random.js';
import { launchChromium, skipWithoutChromium } from '../helpers/chromium.js';
import { LiveClient } from '../helpers/live-client.js';
import { KEYS, startLive, type LiveServer, type LiveServerOptions } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';
import { SseClient } from '../helpers/sse-client.js';
import { JWT, signToken } from '../helpers/tokens.js';
import { until } from '../helpers/until.js';

const redis = await startRedis();
t.teardown(() => redis.stop());

async function withServer(t: Test, options: LiveServerOptions = {}): Promise<LiveServer> {
  const server = await startLive(redis.url, options);
  t.teardown(() => server.close());
  return server;
}

let names = 0;
const newName = (): string => `s${++names}`;
const channelOf = (name: string): ChannelAddress => shopperChannel(KEYS, `u:${name}`);

async function openRoom(server: LiveServer, access: Room['access'] = 'public'): Promise<string> {
  const id = newName();
  const room: Room = { id, title: id, host: { id: 'h', name: 'Host' }, category: ['Live'], products: [], access, status: 'live', version: 1, createdAt: Date.now() };
  await server.rooms.write(room, Date.now());
  return id;
}

const auth = (token: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${token}` } });

await t.test('a stream hears what a socket hears', async (t) => {
  const server = await withServer(t);
  const [name, other, room] = [newName(), newName(), await openRoom(server)];
  const stream = await SseClient.open(server.url, [`user:${name}`, `room:${room}`], { query: { userId: name } });
  t.match(stream.response.headers, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': /no-transform/u, 'x-accel-buffering': 'no' });
  t.match(await stream.next('subscribed', `user:${name}`), { offset: 0, state: { offers: [] }, recovered: undefined });
  t.match(await stream.next('subscribed', `room:${room}`), { state: { room: { id: room } } });
  t.match(await stream.next('stats', `room:${room}`), { viewers: 1 });
  t.ok(stream.retryMs! > 0);
  await server.log.publish(channelOf(other), 'offer', { n: 'of another' });
  await server.log.publish(channelOf(name), 'offer', { n: 1, text: 'two\nlines\r\n\r\ndata: and "more" \u2028' });
  await server.log.publish(roomChannel(KEYS, room), 'comments', { n: 2 });
  await server.log.publishState(roomChannel(KEYS, room), 'stats', { n: 3 });
  t.match(await stream.next('offer'), { channel: `user:${name}`, offset: 1, n: 1, text: 'two\nlines\r\n\r\ndata: and "more" \u2028' });
  t.match(await stream.next('comments'), { n: 2 });
  t.match(await stream.next('stats'), { n: 3 });
  t.same(stream.frames, [], 'and nothing of others');
  stream.cut();
  await until(() => server.sockets() === 0, 'its end');
  t.equal(server.hub.channels, 0, 'nothing is left behind');
  t.equal(server.hub.shoppers, 0);
});

await t.test('the last id resumes all channels, without gap or duplicate', async (t) => {
  const server = await withServer(t);
  const [name, room] = [newName(), await openRoom(server)];
  const asked = [`user:${name}`, `room:${room}`];
  const random = seededRandom(3);
  const heard: Record<string, number[]> = { offer: [], comments: [] };
  const sent: Record<string, number> = { offer: 0, comments: 0 };
  const publish = async (): Promise<void> => {
    const type = random() < 0.5 ? 'offer' : 'comments';
    await server.log.publish(type === 'offer' ? channelOf(name) : roomChannel(KEYS, room), type, { n: ++sent[type]! });
  };
  let lastEventId: string | undefined;
  for (let cut = 0; cut <= 25; cut++) {
    const stream: SseClient = await SseClient.open(server.url, random() < 0.5 ? asked : asked.toReversed(), { query: { userId: name }, lastEventId });
    for (const channel of asked) {
      const { recovered } = await stream.next('subscribed', channel);
      t.equal(recovered, lastEventId === undefined ? undefined : true);
    }
    for (let count = Math.floor(random() * 6); count > 0; count--) await publish();
    // Now and then the connection goes while frames are on their way.
    if (random() < 0.7 || cut === 25) await until(() => stream.frames.filter(({ type }) => type !== 'stats').length + heard['offer']!.length + heard['comments']!.length === sent['offer']! + sent['comments']!, 'what was sent');
    stream.cut();
    for (const { type, n } of stream.frames) heard[type]?.push(n!);
    lastEventId = stream.lastEventId;
    if (cut === 25) break;
    for (let count = Math.floor(random() * 4); count > 0; count--) await publish();
  }
  for (const type of ['offer', 'comments']) t.same(heard[type], Array.from({ length: sent[type]! }, (_, i) => i + 1), type);
});

await t.test('an id that is too old is told so, and what things have come to', async (t) => {
  const server = await withServer(t);
  const name = newName();
  const first = await SseClient.open(server.url, [`user:${name}`], { query: { userId: name } });
  await first.next('subscribed');
  first.cut();
  for (let i = 0; i <= LOG_LIMITS.framesMax; i++) await server.log.publish(channelOf(name), 'offer', { n: i });
  const again = await SseClient.open(server.url, [`user:${name}`], { query: { userId: name }, lastEventId: first.lastEventId });
  t.match(await again.next('subscribed'), { recovered: false, offset: LOG_LIMITS.framesMax + 1, state: { offers: [] } });
  t.same(again.frames, []);
  const ids = { nonsense: false, '~~..~': false, ['a.1.1~'.repeat(1000)]: false, [again.lastEventId.replace(/^[^.]+/u, 'zzz')]: undefined };
  for (const [lastEventId, recovered] of Object.entries(ids)) {
    const stranger = await SseClient.open(server.url, [`user:${name}`], { query: { userId: name }, lastEventId });
    t.match(await stranger.next('subscribed'), { recovered, offset: LOG_LIMITS.framesMax + 1, state: {} }, 'begins anew: after what cannot be read by saying so, in a channel that the id does not know as the first time');
    stranger.cut();
  }
  const newcomer = newName();
  const lost = await SseClient.open(server.url, [`user:${newcomer}`], { query: { userId: newcomer }, lastEventId: 'nonsense' });
  t.match(await lost.next('subscribed'), { recovered: false, state: { offers: [] } }, 'where there is no log, too');
  lost.cut();
});

await t.test('who may listen to what', async (t) => {
  const server = await withServer(t, { jwt: JWT, apiKeys: { 'key-of-the-host': ['host', 'recommend'], 'key-of-a-server': ['recommend'], 'key-of-a-writer': ['events'] } });
  const [name, open, invited] = [newName(), await openRoom(server), await openRoom(server, 'invited')];
  const token = await signToken({ sub: name });
  const invitation = await signToken({ sub: name, rooms: [invited] });
  const welcome: [string, string[], Parameters<typeof SseClient.ask>[2]][] = [
    ['a token', [`user:${name}`, `room:${open}`], auth(token)],
    ['a token that names the room', [`room:${invited}`], auth(invitation)],
    ['a key of a server, for a shopper', [`user:${name}`], { ...auth('key-of-a-server'), query: { userId: name } }],
    ['a key of a host', [`room:${invited}`], { headers: { 'x-api-key': 'key-of-the-host' }, query: { userId: name } }],
  ];
  for (const [what, channels, options] of welcome) {
    const stream = await SseClient.open(server.url, channels, options);
    for (const channel of channels) t.match(await stream.next('subscribed', channel), { channel }, what);
    stream.cut();
  }
  const refused: [string, string[], Parameters<typeof SseClient.ask>[2], number, string | undefined][] = [
    ['nobody', [`user:${name}`], { query: { userId: name } }, 401, 'unauthorized'],
    ['a cookie', [`user:${name}`], { headers: { cookie: `token=${token}; authorization=Bearer ${token}` }, query: { userId: name } }, 401, 'unauthorized'],
    ['a token of another', [`user:${name}`], auth(await signToken({ sub: 'other' })), 403, 'forbidden'],
    ['a visitor of the same name', [`user:${name}`], { ...auth(token), query: { anonymousId: name } }, 403, 'forbidden'],
    ['an expired token', [`user:${name}`], auth(await signToken({ sub: name }, { lifeS: -60 })), 401, 'token_expired'],
    ['a forged token', [`user:${name}`], auth(await signToken({ sub: name }, { key: 'x'.repeat(48) })), 401, 'unauthorized'],
    ['a room that it is not invited to', [`room:${open}`, `room:${invited}`], auth(token), 403, 'forbidden'],
    ['the same with an id of somebody who was', [`room:${invited}`], { ...auth(token), lastEventId: 'x.1.1' }, 403, 'forbidden'],
    ['a key of a server', [`room:${invited}`], { ...auth('key-of-a-server'), query: { userId: name } }, 403, 'forbidden'],
    ['a key without the scope', [`user:${name}`], { ...auth('key-of-a-writer'), query: { userId: name } }, 403, 'forbidden'],
    ['no such room', ['room:nowhere'], auth(token), 404, 'not_found'],
    ['lists', ['recommendations'], auth(token), 400, undefined],
    ['nothing', [], auth(token), 400, undefined],
    ['too much', Array.from({ length: 11 }, (_, i) => `room:${i}`), auth(token), 400, undefined],
  ];
  for (const [what, channels, options, status, code] of refused) {
    t.match(await SseClient.ask(server.url, channels, options), { status, ...(code === undefined ? {} : { body: { code } }) }, what);
  }
  await until(() => server.sockets() === 0, 'nobody to be left');
  t.equal(server.hub.channels, 0);
  t.same(server.faults, []);
});

await t.test('a token that expires ends the stream', async (t) => {
  let skipMs = 0;
  const server = await withServer(t, { jwt: JWT, clock: () => Date.now() + skipMs, limits: { sweepEveryMs: 20 } });
  const name = newName();
  const stream = await SseClient.open(server.url, [`user:${name}`], auth(await signToken({ sub: name })));
  await stream.next('subscribed');
  skipMs = 280_000;
  t.ok((await stream.next('token_expires')).expiresInMs! <= 30_000);
  skipMs = 310_000;
  t.match(await stream.next('error'), { code: 'token_expired' });
  await stream.untilEnd();
  t.ok(stream.retryMs! > 60_000, 'who comes with the same one need not hurry');
  const again = await SseClient.open(server.url, [`user:${name}`], { ...auth(await signToken({ sub: name }, { lifeS: 900 })), lastEventId: stream.lastEventId });
  t.match(await again.next('subscribed'), { recovered: true }, 'a new one resumes');
});

await t.test('a stream that is not read is ended; the others go on', async (t) => {
  const server = await withServer(t, { limits: { outboxFramesMax: 20, sweepEveryMs: 50 } });
  const name = newName();
  const [slow, quick] = await Promise.all([0, 1].map(() => SseClient.open(server.url, [`user:${name}`], { query: { userId: name } })));
  await Promise.all([slow!.next('subscribed'), quick!.next('subscribed')]);
  slow!.response.pause();
  const padding = 'x'.repeat(60_000);
  let sent = 0;
  while (server.sockets() === 2 && sent < 400) {
    await server.log.publish(channelOf(name), 'offer', { n: sent++, padding });
    await until(() => quick!.frames.length >= sent, 'the quick one');
  }
  t.equal(server.sockets(), 1, 'it was let go');
  t.same(quick!.frames.map(({ n }) => n), Array.from({ length: sent }, (_, i) => i));
  slow!.response.resume();
  await slow!.untilEnd();
  const numbersOf = (stream: SseClient): (number | undefined)[] => stream.frames.filter(({ type }) => type === 'offer').map(({ n }) => n);
  const heard = numbersOf(slow!);
  t.ok(heard.length < sent);
  // What waits to be resumed may be too much for it as well: it goes on from where it came to.
  for (let { lastEventId } = slow!; heard.length < sent;) {
    const back = await SseClient.open(server.url, [`user:${name}`], { query: { userId: name }, lastEventId });
    t.match(await back.next('subscribed'), { recovered: true });
    await until(() => back.hasEnded || heard.length + numbersOf(back).length === sent, 'what it missed');
    back.cut();
    heard.push(...numbersOf(back));
    lastEventId = back.lastEventId;
  }
  t.same(heard, Array.from({ length: sent }, (_, i) => i));
});

await t.test('one that stands still with little to send is ended, too; a quiet one is kept alive', async (t) => {
  const server = await withServer(t, { limits: { stalledMs: 200, sweepEveryMs: 20, pingEveryMs: 50, outboxFramesMax: 1e6, outboxBytesMax: 1e9 } });
  const [name, quiet] = [newName(), newName()];
  const alive = await SseClient.open(server.url, [`user:${quiet}`], { query: { userId: quiet } });
  const slow = await SseClient.open(server.url, [`user:${name}`], { query: { userId: name } });
  await slow.next('subscribed');
  slow.response.pause();
  for (let i = 0; i < 200; i++) await server.log.publish(channelOf(name), 'offer', { padding: 'x'.repeat(60_000) });
  await until(() => server.sockets() === 1, 'the slow one to be let go');
  await until(() => alive.comments > 3, 'signs of life');
  t.equal(alive.hasEnded, false);
});

await t.test('streams count as sockets, and leave with them', async (t) => {
  const server = await startLive(redis.url, { limits: { socketsPerShopperMax: 2, socketsMax: 3 } });
  const name = newName();
  const first = await SseClient.open(server.url, [`user:${name}`], { query: { userId: name } });
  const second = await LiveClient.open(server.url, { userId: name });
  const third = await SseClient.open(server.url, [`user:${name}`], { query: { userId: name } });
  t.match(await first.next('error'), { code: 'conflict' }, 'the oldest makes room');
  await first.untilEnd();
  const other = newName();
  const last = await SseClient.open(server.url, [`user:${other}`], { query: { userId: other } });
  t.match(await SseClient.ask(server.url, [`user:${other}`], { query: { userId: other } }), { status: 503, body: { code: 'overloaded' } });
  await last.next('subscribed');
  const closing = server.close();
  for (const stream of [third, last]) {
    t.match(await stream.next('error'), { code: 'shutting_down', retryable: true });
    await stream.untilEnd();
    t.ok(stream.retryMs! <= 1000);
  }
  t.match(await second.untilClosed(), { code: 1012 });
  await closing;
});

/** A plain reverse proxy, whose connections can be cut, with a page at `/`. */
async function startProxy(target: string): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    if (request.url === '/') {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>page</title>');
      return;
    }
    const onward = httpRequest(new URL(request.url!, target), { method: request.method, headers: request.headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

await t.test('an EventSource comes back by itself and has missed nothing, through a proxy', { skip: skipWithoutChromium() }, async (t) => {
  const server = await withServer(t);
  const [proxy, browser] = [await startProxy(server.url), await launchChromium()];
  t.teardown(async () => {
    await browser.close();
    proxy.server.close();
  });
  const [page, name] = [await browser.newPage(), newName()];
  await page.goto(`${proxy.url}/`);
  await page.evaluate(`
    window.heard = [];
    window.source = new EventSource('/v1/live/sse?channel=user:${name}&userId=${name}');
    window.source.onmessage = ({ data }) => window.heard.push(JSON.parse(data));
  `);
  const heard = (): Promise<{ type: string; n?: number; recovered?: boolean }[]> => page.evaluate('window.heard');
  await until(async () => (await heard()).length === 1, 'its first subscription');
  await server.log.publish(channelOf(name), 'offer', { n: 1 });
  await until(async () => (await heard()).length === 2, 'the first frame, alone');
  proxy.server.closeAllConnections();
  await server.log.publish(channelOf(name), 'offer', { n: 2 });
  await server.log.publish(channelOf(name), 'offer', { n: 3 });
  await until(async () => (await heard()).length === 5, 'it to come back');
  const all = await heard();
  t.same(all.map(({ type }) => type), ['subscribed', 'offer', 'subscribed', 'offer', 'offer']);
  t.same(all.map(({ n }) => n).filter((n) => n !== undefined), [1, 2, 3]);
  t.equal(all[2]!.recovered, true);
});
