import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { Room } from '../../src/domain/room.js';
import { LIVE_LIMITS } from '../../src/live/limits.js';
import { roomChannel } from '../../src/redis/channel-log.js';
import { LiveClient, type Frame } from '../helpers/live-client.js';
import { ITEMS, startLive, type LiveServer, type LiveServerOptions } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';
import { aRoom } from '../helpers/rooms.js';
import { JWT, signToken } from '../helpers/tokens.js';
import { until } from '../helpers/until.js';

const redis = await startRedis();
t.teardown(() => redis.stop());

async function withServer(t: Test, options: LiveServerOptions = {}): Promise<LiveServer> {
  const server = await startLive(redis.url, { jwt: JWT, ...options });
  t.teardown(() => server.close());
  return server;
}

async function connected(server: LiveServer): Promise<LiveClient> {
  const client = new LiveClient(server.url);
  await once(client.socket, 'open');
  return client;
}

async function authenticated(server: LiveServer, token: string): Promise<[LiveClient, Frame]> {
  const client = await connected(server);
  return [client, await client.ask({ type: 'auth', token })];
}

async function openRoom(server: LiveServer, id: string, access: Room['access'] = 'public'): Promise<string> {
  await server.rooms.write({ id, title: id, host: { id: 'h', name: 'Host' }, category: ['Live'], products: [], access, status: 'live', version: 1, createdAt: Date.now() }, Date.now());
  return id;
}

await t.test('a token says who speaks', async (t) => {
  const server = await withServer(t, { apiKeys: { 'key-of-a-shop': ['events'] } });
  const [client, ready] = await authenticated(server, await signToken({ sub: 'ann', scope: 'events' }));
  t.match(ready, { type: 'ready' });
  t.ok(ready.expiresInMs! > 290_000 && ready.expiresInMs! <= 300_000);
  t.match(await client.ask({ type: 'events', events: [{ id: 'k1', type: 'view_item', itemId: 'i' }, { id: 'k2', type: 'view_item', userId: 'bob', itemId: 'i' }] }), { accepted: 1, rejected: [{ index: 1, code: 'forbidden' }] });
  t.match(await client.ask({ type: 'recommendations', scene: 'home' }), { type: 'error', code: 'forbidden' }, 'only what its scope says');
  t.ok(await server.store.read('u:ann'));
  const byKey = await connected(server);
  t.match(await byKey.ask({ type: 'auth', token: 'key-of-a-shop', anonymousId: 'v' }), { type: 'ready', expiresInMs: undefined }, 'a key of a server beside it');
});

await t.test('who is invited to a room gets its products ranked, nobody else', async (t) => {
  const server = await withServer(t, { items: ITEMS });
  const products = ITEMS.slice(0, 2).map(({ id }) => id);
  await server.rooms.write(aRoom('closed-circle', { products, access: 'invited' }), Date.now());
  await server.rooms.write(aRoom('open-house', { products }), Date.now());
  const [guest] = await authenticated(server, await signToken({ sub: 'ann', scope: 'recommend', rooms: ['closed-circle'] }));
  const [other] = await authenticated(server, await signToken({ sub: 'bob', scope: 'recommend' }));
  const ask = (client: LiveClient, roomId: string): Promise<Frame> => client.ask({ type: 'recommendations', scene: 'live', roomId });
  t.equal((await ask(guest, 'closed-circle')).items?.length, 2);
  t.match(await ask(other, 'closed-circle'), { type: 'error', code: 'forbidden' });
  t.equal((await ask(other, 'open-house')).items?.length, 2);
  t.match(await ask(other, 'nowhere'), { type: 'error', code: 'not_found' });
});

await t.test('what is no token of this shopper closes the socket', async (t) => {
  const server = await withServer(t, { apiKeys: { 'key-of-a-shop': ['events'] } });
  const token = await signToken({ sub: 'ann' });
  const cases: [string, Record<string, unknown>, number, string][] = [
    ['none', { userId: 'ann' }, 4401, 'unauthorized'],
    ['another shopper', { userId: 'bob', token }, 4403, 'forbidden'],
    ['another secret', { token: await signToken({ sub: 'ann' }, { key: 'x'.repeat(48) }) }, 4401, 'unauthorized'],
    ['another audience', { token: await signToken({ sub: 'ann', aud: 'another' }) }, 4401, 'unauthorized'],
    ['another algorithm', { token: await signToken({ sub: 'ann' }, { algorithm: 'HS384' }) }, 4401, 'unauthorized'],
    ['none by its header', { token: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.` }, 4401, 'unauthorized'],
    ['an expired one', { token: await signToken({ sub: 'ann' }, { lifeS: -60 }) }, 4440, 'token_expired'],
    ['one for a day', { token: await signToken({ sub: 'ann' }, { lifeS: 86_400 }) }, 4401, 'unauthorized'],
    ['a very long one', { token: 'x'.repeat(5000) }, 4400, 'invalid_request'],
  ];
  for (const [name, frame, code, reason] of cases) {
    const client = await connected(server);
    client.send({ type: 'auth', ...frame });
    t.match(await client.untilClosed(), { code, reason: `"code":"${reason}"` }, name);
    t.notOk(client.frames.some(({ type }) => type === 'ready'), `${name}: never ready`);
  }
  t.equal(server.hub.shoppers, 0, 'nobody is left');
});

await t.test('a token that expires: a warning, then the end, with a code that asks for a new one', async (t) => {
  let skipMs = 0;
  const server = await withServer(t, { clock: () => Date.now() + skipMs, limits: { sweepEveryMs: 20, pingEveryMs: 3_600_000 } });
  const [client] = await authenticated(server, await signToken({ sub: 'ann' }));
  const [other] = await authenticated(server, await signToken({ sub: 'bob' }, { lifeS: 800 }));
  t.same(await client.during(100, 'token_expires'), [], 'not yet');
  skipMs = 275_000 + 5000;
  const { expiresInMs } = await client.next('token_expires');
  t.ok(expiresInMs! > 0 && expiresInMs! <= LIVE_LIMITS.tokenWarningMs, `${expiresInMs} ms before`);
  t.same(await client.during(100, 'token_expires'), [], 'once');
  skipMs = 300_000 + 5000;
  t.match(await client.untilClosed(), { code: 4440, reason: '"code":"token_expired"' });
  t.match(await client.next('error'), { code: 'token_expired' });
  t.equal(other.closed, undefined, 'others stay');
});

await t.test('a frame that comes after the end is not answered, even before the sweep', async (t) => {
  let skipMs = 0;
  const server = await withServer(t, { clock: () => Date.now() + skipMs, limits: { sweepEveryMs: 3_600_000, pingEveryMs: 3_600_000 } });
  const [client] = await authenticated(server, await signToken({ sub: 'late' }));
  skipMs = 306_000;
  client.send({ type: 'events', events: [{ id: 'l1', type: 'view_item', itemId: 'i' }] });
  t.match(await client.untilClosed(), { code: 4440 });
  t.equal(await server.store.read('u:late'), null);
});

await t.test('a newer token goes on on the same socket', async (t) => {
  let skipMs = 0;
  const server = await withServer(t, { clock: () => Date.now() + skipMs, limits: { sweepEveryMs: 20, pingEveryMs: 3_600_000 } });
  const [client] = await authenticated(server, await signToken({ anon: 'v7' }, { lifeS: 40 }));
  skipMs = 20_000;
  await client.next('token_expires');
  const refreshed = await client.ask({ type: 'refresh', token: await signToken({ anon: 'v7', scope: 'events' }, { lifeS: 600 }) });
  t.match(refreshed, { type: 'refreshed' });
  t.ok(refreshed.expiresInMs! > 500_000);
  skipMs = 50_000;
  t.same(await client.during(100, 'token_expires'), [], 'the old one is forgotten');
  t.match(await client.ask({ type: 'events', events: [{ id: 'r1', type: 'view_item', itemId: 'i' }] }), { accepted: 1 });
  t.match(await client.ask({ type: 'recommendations', scene: 'home' }), { code: 'forbidden' }, 'its scopes count');
  t.match(await client.ask({ type: 'refresh', token: 'a.b.c' }), { type: 'error', code: 'unauthorized' }, 'one that does not count changes nothing');
  t.match(await client.ask({ type: 'refresh', token: await signToken({ anon: 'v7' }, { lifeS: -60 }) }), { type: 'error', code: 'token_expired' });
  t.match(await client.ask({ type: 'refresh' }), { type: 'error', code: 'invalid_request' });
  t.match(await client.ask({ type: 'events', events: [{ id: 'r2', type: 'view_item', itemId: 'i' }] }), { accepted: 1 });
  client.send({ type: 'refresh', token: await signToken({ sub: 'v7' }) });
  t.match(await client.untilClosed(), { code: 4403, reason: '"code":"forbidden"' }, 'a token of another shopper ends it');
  await until(() => server.hub.shoppers === 0, 'nobody to be left');
});

await t.test('each room is authorised when it is entered, when it is resumed and when the token changes', async (t) => {
  const server = await withServer(t, { apiKeys: { 'key-of-the-host': ['host', 'recommend'], 'key-of-a-server': ['recommend'] } });
  const [open, one, other] = await Promise.all([openRoom(server, 'hall'), openRoom(server, 'salon', 'invited'), openRoom(server, 'attic', 'invited')]);
  const enter = (client: LiveClient, id: string, more: object = {}): Promise<Frame> => client.ask({ type: 'subscribe', channel: `room:${id}`, ...more });
  const [stranger] = await authenticated(server, await signToken({ sub: 'bob' }));
  t.match(await enter(stranger, open), { type: 'subscribed' });
  t.match(await enter(stranger, one), { type: 'error', code: 'forbidden' });
  t.match(await enter(stranger, 'nowhere'), { type: 'error', code: 'not_found' });

  const [guest] = await authenticated(server, await signToken({ sub: 'ann', rooms: [one, other] }));
  await Promise.all([enter(guest, open), enter(guest, other), guest.ask({ type: 'subscribe', channel: 'user:ann' }), guest.ask({ type: 'subscribe', channel: 'recommendations' })]);
  const { epoch, offset } = await enter(guest, one);
  t.match(await enter(stranger, one, { epoch, offset }), { type: 'error', code: 'forbidden' }, 'a place in the log is no invitation');

  await guest.ask({ type: 'refresh', token: await signToken({ sub: 'ann', rooms: [other] }) });
  t.match(await guest.next('unsubscribed'), { channel: `room:${one}`, code: 'forbidden', replyTo: undefined }, 'what the new token does not name is left');
  await Promise.all([one, other, open].map((id) => server.log.publish(roomChannel(server.keys, id), 'comments', { of: id })));
  t.same(new Set([await guest.next('comments'), await guest.next('comments')].map(({ channel }) => channel)), new Set([`room:${other}`, `room:${open}`]));
  t.same(await guest.during(50, 'comments'), [], 'and heard no more');
  t.match(await enter(guest, one, { epoch, offset }), { code: 'forbidden' });

  await guest.ask({ type: 'refresh', token: await signToken({ sub: 'ann', scope: 'events', rooms: '*' }) });
  const left = await Promise.all([1, 2, 3, 4].map(() => guest.next('unsubscribed')));
  t.same(new Set(left.map(({ channel }) => channel)), new Set(['recommendations', `room:${other}`, `room:${open}`, 'user:ann']), 'without the scope nothing is left');
  t.equal(server.hub.channels, 1, 'but what the stranger hears');

  const [everywhere] = await authenticated(server, await signToken({ sub: 'eve', rooms: '*' }));
  t.match(await enter(everywhere, one), { type: 'subscribed' });
  for (const [token, type] of [['key-of-the-host', 'subscribed'], ['key-of-a-server', 'error']] as const) {
    const client = await connected(server);
    await client.ask({ type: 'auth', token, userId: 'host' });
    t.match(await enter(client, one), { type }, token);
  }
});

await t.test('a socket that is gone while its token is looked at leaves nothing behind', async (t) => {
  let [asked, answer] = [false, (): void => { /* not asked yet */ }];
  const answered = new Promise<void>((resolve) => { answer = resolve; });
  const server = await withServer(t, {
    authenticate: async () => {
      asked = true;
      await answered;
      return { key: 'u:ann', ids: { userId: 'ann' }, scopes: new Set(), rooms: new Set(), expiresAt: Infinity };
    },
  });
  const client = await connected(server);
  client.send({ type: 'auth', userId: 'ann' });
  await until(() => asked, 'the question');
  client.socket.terminate();
  await until(() => server.sockets() === 0, 'its end');
  answer();
  await new Promise(setImmediate);
  t.equal(server.hub.shoppers, 0);
});
