import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import t from 'tap';
import type { ClientOptions } from 'ws';
import { launchChromium, skipWithoutChromium } from '../helpers/chromium.js';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { LiveClient } from '../helpers/live-client.js';
import { SseClient } from '../helpers/sse-client.js';
import { startRedis } from '../helpers/redis.js';
import { JWT, signToken } from '../helpers/tokens.js';
import { until } from '../helpers/until.js';

/**
 * Cross-site socket hijacking: whatever another site, or somebody between, can make a browser or a proxy send, nobody
 * gets a socket that speaks for a shopper without that shopper's token.
 */
const SHOP = 'https://shop.example';
const KEY = 'key-of-the-storefront';
const HOST_KEY = 'key-of-the-host';

const pages = await Promise.all([pageServer(), pageServer()]);
const [ownPages, foreignPages] = [originOf(pages[0]!), originOf(pages[1]!)];
const redis = await startRedis();
const [keyed, open] = await Promise.all([
  startEngine({ redis, env: { ...PATIENT, KEY_PREFIX: 'keyed:', LOG_LEVEL: 'trace', JWT_KEY: JWT.key, API_KEYS: `${KEY}:recommend+events,${HOST_KEY}:host`, CORS_ORIGINS: `${SHOP},https://m.shop.example:8443,${ownPages}` } }),
  startEngine({ redis, env: { ...PATIENT, KEY_PREFIX: 'open:', CORS_ORIGINS: SHOP } }),
]);
t.teardown(async () => {
  await Promise.all([keyed.stop(), open.stop()]);
  await redis.stop();
  for (const server of pages) server.close();
});

function pageServer(): Promise<Server> {
  const server = createServer((_request, response) => { response.setHeader('content-type', 'text/html').end('<!doctype html><title>page</title>'); });
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => { resolve(server); }); });
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Answer { readonly status: number; readonly text: string; readonly hasEnded: boolean }

/** Sends bytes as they are and reads until the other side ends, or an answer stands for a while. */
async function rawly(url: string, text: string, isComplete: (text: string) => boolean = () => false): Promise<Answer> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let [received, hasEnded] = ['', false];
  socket.on('data', (data: Buffer) => { received += data.toString('latin1'); });
  socket.on('close', () => { hasEnded = true; });
  socket.on('error', () => { hasEnded = true; });
  socket.write(text);
  await until(() => hasEnded || isComplete(received), `an answer to ${text.slice(0, 60)}`);
  socket.destroy();
  return { status: Number(/^HTTP\/1\.1 (\d{3})/u.exec(received)?.[1] ?? 0), text: received, hasEnded };
}

const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];

/** The handshake's status: 101 where a socket opened. */
function handshake(url: string, headers: readonly string[], path = '/v1/live'): Promise<Answer> {
  const lines = [`GET ${path} HTTP/1.1`, ...headers.some((line) => line.startsWith('Host:')) ? [] : [`Host: ${new URL(url).host}`], ...UPGRADE, ...headers];
  return rawly(url, `${lines.join('\r\n')}\r\n\r\n`, (text) => text.startsWith('HTTP/1.1 101'));
}

await t.test('pages of other origins open no socket', async (t) => {
  const { port } = new URL(keyed.url);
  for (const origin of [SHOP, 'https://m.shop.example:8443', keyed.url]) t.equal((await handshake(keyed.url, [`Origin: ${origin}`])).status, 101, origin);
  t.equal((await handshake(keyed.url, ['Host: api.shop.example', 'Origin: https://api.shop.example'])).status, 101, 'its own, behind a proxy that speaks TLS');
  const foreign = [
    'https://evil.example', 'null', '', 'http://shop.example', 'https://shop.example:444', 'https://shop.example:443', 'https://m.shop.example', 'https://shop.example.evil.example', 'https://evilshop.example',
    'https://a.shop.example', 'https://shop.example.', 'https://SHOP.example', 'https://shop.example/', 'https://shop.example@evil.example', 'https://evil.example#https://shop.example',
    // shоp with a Cyrillic о, as browsers send it, and as none does
    'https://xn--shp-zec.example', 'https://sh\xd0\xbep.example', 'file://', 'about:blank', 'blob:https://shop.example', 'chrome-extension://abcdefghijklmnop', 'ws://shop.example',
    `${SHOP}, https://evil.example`, `https://evil.example ${SHOP}`, `http://localhost:${port}`, `http://127.0.0.1`, `http://0x7f000001:${Number(port) + 1}`, `http://[::1]:${port}`,
  ];
  for (const origin of foreign) {
    const { status, hasEnded } = await handshake(keyed.url, [`Origin: ${origin}`]);
    t.same([status, hasEnded], [403, true], `from "${origin}"`);
  }
  t.equal((await handshake(keyed.url, [`Origin: ${SHOP}`, 'Origin: https://evil.example'])).status, 403, 'two origins');
  t.equal((await handshake(keyed.url, ['Origin: https://evil.example', `X-Forwarded-Host: ${keyed.url.slice(7)}`, `Referer: ${SHOP}/`, `Sec-WebSocket-Origin: ${SHOP}`])).status, 403, 'only Origin counts');
});

await t.test('an open engine cannot be reached by a name that was rebound to this machine', async (t) => {
  const { port } = new URL(open.url);
  for (const name of ['127.0.0.1', 'localhost', '[::1]', '127.1.2.3']) {
    t.equal((await handshake(open.url, [`Host: ${name}:${port}`, `Origin: http://${name}:${port}`])).status, 101, name);
  }
  for (const name of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '127.evil', '10.0.0.1', '[::2]', '127.0.0.1.']) {
    t.equal((await handshake(open.url, [`Host: ${name}:${port}`, `Origin: http://${name}:${port}`])).status, 403, name);
  }
  t.equal((await handshake(open.url, [`Host: evil.example:${port}`, `Origin: http://localhost:${port}`])).status, 403, 'a page of this machine at a foreign name');
});

await t.test('a room that is for the invited from now on is left by everybody else who is there, by socket and by stream', async (t) => {
  const room = { id: 'salon', title: 'Salon', host: { id: 'h', name: 'H' }, category: ['Live'], products: [] };
  const ask = async (method: string, path: string, body: object): Promise<number> =>
    (await fetch(`${keyed.url}${path}`, { method, headers: { 'content-type': 'application/json', authorization: `Bearer ${HOST_KEY}`, 'idempotency-key': `${method}-${path}` }, body: JSON.stringify(body) })).status;
  t.equal(await ask('POST', '/v1/rooms', { ...room, access: 'public' }), 201);
  const [stranger, guest] = await Promise.all([signToken({ sub: 'bob' }), signToken({ sub: 'ann', rooms: ['salon'] })]);
  const sockets = await Promise.all([{ userId: 'bob', token: stranger }, { userId: 'ann', token: guest }].map(({ token, ...ids }) => LiveClient.open(keyed.url, ids, { token })));
  const streams = await Promise.all([stranger, guest].map((token) => SseClient.open(keyed.url, ['room:salon'], { headers: { authorization: `Bearer ${token}` } })));
  t.teardown(async () => {
    for (const stream of streams) stream.cut();
    await Promise.all(sockets.map((socket) => socket.close()));
  });
  for (const socket of sockets) t.match(await socket.listen({ channel: 'room:salon' }), { type: 'subscribed' });
  t.equal(await ask('PUT', '/v1/rooms/salon', { ...room, title: 'Still for all', access: 'public' }), 200);
  t.equal(await ask('PUT', '/v1/rooms/salon', { ...room, access: 'invited' }), 200);
  for (const client of [sockets[0]!, streams[0]!]) t.match(await client.next('unsubscribed'), { channel: 'room:salon', code: 'forbidden' });
  t.equal(await ask('POST', '/v1/rooms/salon/open', {}), 200);
  t.equal(await ask('POST', '/v1/rooms/salon/cues', { kind: 'pin', itemId: null }), 201);
  for (const client of [sockets[1]!, streams[1]!]) t.match(await client.next('cue'), { channel: 'room:salon' }, 'who is invited stays');
  t.same([sockets[0]!, streams[0]!].map(({ frames }) => frames.filter(({ type }) => type === 'cue')), [[], []], 'what comes then is not for the others');
});

await t.test('a token in the address is refused, and written down nowhere', async (t) => {
  for (const name of ['token', 'access_token', 'jwt', 'apiKey', 'authorization', 'ticket']) {
    const { status, text } = await handshake(keyed.url, [`Origin: ${SHOP}`], `/v1/live?${name}=${KEY}`);
    t.equal(status, 400, name);
    t.notMatch(text, KEY, 'nor is it sent back');
  }
  t.equal((await handshake(keyed.url, [`Origin: ${SHOP}`], `/v1/live?${KEY}`)).status, 400, 'without a name');
  t.equal((await handshake(keyed.url, [`Origin: ${SHOP}`], `/v1/live/${KEY}`)).status, 404, 'as a part of the path');
  t.equal((await fetch(`${keyed.url}/v1/live?token=${KEY}`)).status, 400);
  t.ok(keyed.output().length > 0, 'though everything is logged');
  t.notMatch(keyed.output(), KEY);
});

await t.test('only the token in the first frame says who speaks', async (t) => {
  const token = await signToken({ sub: 'ann' });
  const cases: [string, ClientOptions, unknown, number][] = [
    ['a cookie', { headers: { cookie: `token=${token}; session=${KEY}` } }, { type: 'subscribe', channel: 'user:ann' }, 4401],
    ['a cookie and a frame without a token', { headers: { cookie: `token=${token}` }, origin: SHOP }, { type: 'auth', userId: 'ann' }, 4401],
    ['a header', { headers: { authorization: `Bearer ${token}`, 'x-api-key': KEY } }, { type: 'auth', userId: 'ann' }, 4401],
    ['a header, and not even a name', { headers: { authorization: `Bearer ${token}` } }, { type: 'events', events: [{ id: 'h1', type: 'like' }] }, 4401],
    ['no page, no token', {}, { type: 'auth', userId: 'ann' }, 4401],
    ['a page of the storefront, no token', { origin: SHOP }, { type: 'auth', userId: 'ann' }, 4401],
    ['the token behind another frame', { origin: SHOP }, { type: 'subscribe', channel: 'user:ann', token }, 4400],
    ['a refresh first', { origin: SHOP }, { type: 'refresh', token }, 4401],
    ['nonsense first', { origin: SHOP }, 'hello', 4400],
  ];
  for (const [name, options, frame, code] of cases) {
    const client = new LiveClient(keyed.url, options);
    await once(client.socket, 'open');
    client.send(frame);
    client.send({ type: 'auth', token });
    t.match(await client.untilClosed(), { code }, name);
    t.notOk(client.frames.some(({ type }) => type === 'ready'), `${name}: and what comes behind is not heard`);
  }
  for (const options of [{}, { origin: SHOP }]) {
    const client = new LiveClient(keyed.url, options);
    await once(client.socket, 'open');
    t.match(await client.ask({ type: 'auth', token }), { type: 'ready' }, 'with the token');
    t.match(await client.ask({ type: 'auth', token: await signToken({ sub: 'bob' }) }), { type: 'error', code: 'conflict' }, 'one shopper a socket');
    t.match(await client.ask({ type: 'subscribe', channel: 'user:bob' }), { type: 'error', code: 'forbidden' });
    client.send({ type: 'refresh', token: await signToken({ sub: 'bob' }) });
    t.match(await client.untilClosed(), { code: 4403 }, 'a refresh to another shopper');
  }
});

await t.test('upgrades to other things', async (t) => {
  t.notMatch((await handshake(keyed.url, ['Sec-WebSocket-Protocol: bearer.abc, graphql-ws'])).text, /sec-websocket-protocol/iu, 'no subprotocol is agreed to');
  t.notMatch((await handshake(keyed.url, ['Sec-WebSocket-Extensions: permessage-deflate'])).text, /sec-websocket-extensions/iu, 'no extension either');
  const inside = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
  const cases: [string, string, number][] = [
    ['of another address', `GET /health/live HTTP/1.1\r\nHost: x\r\n${UPGRADE.join('\r\n')}\r\n\r\n${inside}`, 200],
    ['of none', `GET /nothing HTTP/1.1\r\nHost: x\r\n${UPGRADE.join('\r\n')}\r\n\r\n${inside}`, 404],
    ['to HTTP/2', `GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n${inside}`, 200],
    ['to HTTP/2, at the socket', `GET /v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n${inside}`, 400],
    ['refused', `GET /v1/live HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n${UPGRADE.join('\r\n')}\r\n\r\n${inside}`, 403],
    ['of another version', `GET /v1/live HTTP/1.1\r\nHost: x\r\n${UPGRADE.join('\r\n').replace('13', '99')}\r\n\r\n${inside}`, 400],
    ['with a body', `POST /v1/events HTTP/1.1\r\nHost: x\r\n${UPGRADE.join('\r\n')}\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}${inside}`, 400],
    ['by another method', `POST /v1/live HTTP/1.1\r\nHost: x\r\n${UPGRADE.join('\r\n')}\r\n\r\n${inside}`, 404],
  ];
  for (const [name, bytes, status] of cases) {
    const answer = await rawly(keyed.url, bytes);
    t.equal(answer.status, status, name);
    t.equal(answer.text.split('HTTP/1.1 ').length, 2, `${name}: one answer, and the connection ends`);
  }
});

await t.test('browsers', { skip: skipWithoutChromium() }, async (t) => {
  const evil = `evil.example:${new URL(open.url).port}`;
  const browser = await launchChromium('--host-resolver-rules=MAP evil.example 127.0.0.1');
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  /** What a page of an origin gets of a socket: the type of the first frame or the code of an error, or the close code. */
  const tried = async (pageUrl: string, socketUrl: string): Promise<unknown> => {
    await page.goto(pageUrl);
    const got: unknown = await page.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket(${JSON.stringify(`${socketUrl.replace(/^http/u, 'ws')}/v1/live`)});
      socket.onopen = () => socket.send(JSON.stringify({ type: 'auth', userId: 'ann', token: ${JSON.stringify(KEY)} }));
      socket.onmessage = ({ data }) => { const { type, code } = JSON.parse(data); resolve(code ?? type); };
      socket.onclose = ({ code }) => resolve(code);
    })`);
    // A browser on a busy machine may take too long to say who it is.
    return got === 'auth_timeout' ? tried(pageUrl, socketUrl) : got;
  };
  t.equal(await tried(ownPages, keyed.url), 'ready', 'a page of the storefront');
  t.equal(await tried(foreignPages, keyed.url), 1006, 'a page of another site');
  t.equal(await tried(`${open.url}/docs`, open.url), 'ready', 'a page of the engine');
  t.equal(await tried(`http://${evil}/health/live`, `http://${evil}`), 1006, 'a name that was rebound');
  t.equal(await tried(foreignPages, open.url), 1006, 'a page of another site, with an open engine');

  /** What it gets of a stream with a token: the type of the first frame, or the name of the error. */
  const fetched = async (pageUrl: string, engineUrl: string): Promise<unknown> => {
    await page.goto(pageUrl);
    return page.evaluate(`(async () => {
      const { body } = await fetch('${engineUrl}/v1/live/sse?channel=user:ann&userId=ann', { headers: { authorization: 'Bearer ${KEY}', 'last-event-id': 'x' } });
      const reader = body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ''; ; text += (await reader.read()).value) if (text.includes('data: ')) return JSON.parse(text.split('data: ')[1].split('\\n')[0]).type;
    })().catch(({ name }) => name)`);
  };
  t.equal(await fetched(ownPages, keyed.url), 'subscribed', 'a stream for a page of the storefront');
  t.equal(await fetched(foreignPages, keyed.url), 'TypeError', 'none for a page of another site');
  /** Whether its EventSource opens, or is refused for good (2). */
  const listened = async (pageUrl: string, engineUrl: string): Promise<unknown> => {
    await page.goto(pageUrl);
    return page.evaluate(`new Promise((resolve) => {
      const source = new EventSource('${engineUrl}/v1/live/sse?channel=user:ann&userId=ann');
      source.onopen = () => resolve('open');
      source.onerror = () => resolve(source.readyState);
    })`);
  };
  t.equal(await listened(`${open.url}/docs`, open.url), 'open', 'a stream for a page of the engine');
  t.equal(await listened(foreignPages, open.url), 2, 'none for a page of another site');
  t.equal(await listened(`http://${evil}/health/live`, `http://${evil}`), 2, 'none for a name that was rebound');
});
