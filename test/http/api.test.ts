import { connect } from 'node:net';
import { Redis } from 'ioredis';
import t from 'tap';
import { makeKeys } from '../../src/redis/keys.js';
import { PATIENT, startEngine, type Engine } from '../helpers/engine.js';
import { until } from '../helpers/streams.js';

const engine: Engine = await startEngine({ role: 'api', env: PATIENT });
t.teardown(() => engine.stop());

interface Reply { status: number; body: Record<string, unknown>; text: string }

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const raw = typeof body === 'string';
  const response = await fetch(engine.url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) as Record<string, unknown> : {} };
}
const post = (path: string, body: unknown, headers?: Record<string, string>): Promise<Reply> => call('POST', path, body, headers);
const item = (n: number, over: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: `sku-${n}`, title: `Item ${n}`, category: [`root-${n % 3}`, `leaf-${n % 9}`], brand: `brand-${n % 5}`, price: 10 + n, currency: 'EUR', stock: 5, tags: ['t'], ...over,
});
type Listed = { id: string; score: number; position: number; source: string; item: Record<string, unknown>; explain?: { features: Record<string, number> } };
const listOf = (reply: Reply): Listed[] => reply.body['items'] as Listed[];

/** The catalog travels to the process by a stream: until it is there. */
const untilRanked = (id: string): Promise<void> =>
  until(`${id} is there`, async () => listOf(await post('/v1/recommendations', { scene: 'search', itemIds: [id] })).length === 1);

await t.test('items: JSON and NDJSON, read, list, delete; a change is ranked', async (t) => {
  const put = await post('/v1/items', { items: [...Array.from({ length: 60 }, (_, n) => item(n)), { id: 'bad', title: 'x', category: [], price: 1 }, item(1, { colour: 'red' })] });
  t.match(put, { status: 200, body: { accepted: 60, created: 60, rejected: [{ index: 60 }, { index: 61, code: 'invalid_request', message: /colour/u }] } });
  const lines = Array.from({ length: 120 }, (_, n) => JSON.stringify(item(100 + n)));
  const ndjson = await post('/v1/items', [...lines, '{broken', ''].join('\n'), { 'content-type': 'application/x-ndjson' });
  t.match(ndjson.body, { accepted: 120, rejected: [{ index: 120, message: /not valid JSON/u }] });
  await untilRanked('sku-219');
  t.match((await call('GET', '/v1/items/sku-7')).body, { id: 'sku-7', price: 17 });
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const page = await call('GET', `/v1/items?limit=50&cursor=${cursor}`);
    for (const one of page.body['items'] as { id: string }[]) seen.add(one.id);
    cursor = (page.body['cursor'] as string | undefined) ?? '0';
  } while (cursor !== '0');
  t.equal(seen.size, 180);
  t.equal((await call('DELETE', '/v1/items/sku-219')).status, 204);
  t.match(await call('DELETE', '/v1/items/sku-219'), { status: 404, body: { code: 'not_found' } });
  t.equal((await call('GET', '/v1/items/sku-219')).status, 404);
});

await t.test('events: accepted, duplicate and rejected are told apart, by index and field', async (t) => {
  const reply = await post('/v1/events', {
    events: [
      { id: 'a1', type: 'view_item', userId: 'ann', itemId: 'sku-1' }, { id: 'a1', type: 'view_item', userId: 'ann', itemId: 'sku-1' },
      { id: 'a2', type: 'wave', userId: 'ann' }, { id: 'a3', type: 'search' }, { id: 'a4', type: 'search', userId: 'ann', bogus: 1 },
      { id: 'a5', type: 'purchase', userId: 'ann', itemId: 'sku-2', value: 12.34, currency: 'EUR', quantity: 1 }, 17, null,
      { id: 'a6', type: 'view_item', userId: 'ann', timestamp: '1999-12-31T23:59:59Z' }, { id: 'a7', type: 'view_item', userId: 'ann', timestamp: Date.now() + 3_600_000 },
      { id: 'a8', type: 'view_item', userId: 'ann', itemId: 'nobody-knows' },
    ],
  });
  t.equal(reply.status, 200);
  t.match(reply.body, { accepted: 3, duplicates: 1 });
  t.same((reply.body['rejected'] as { index: number }[]).map((entry) => entry.index), [2, 3, 4, 6, 7, 8, 9]);
  t.match(reply.body['rejected'], [{ message: /wave/u }, { message: /userId/u }, { message: /bogus/u }, { message: /not an object/u }]);
  const profile = await call('GET', '/v1/users/ann/profile');
  t.match(profile.body, { events: 3, orders: 1, spent: 12.34 });
  const ndjson = await post('/v1/events', '{"id":"n1","type":"like","userId":"ann","itemId":"sku-3"}\nnot json\n', { 'content-type': 'application/x-ndjson' });
  t.match(ndjson.body, { accepted: 1, rejected: [{ index: 1 }] });
  t.match(await call('GET', '/v1/users/nobody/profile'), { status: 404, body: { code: 'not_found' } });
});

await t.test('bad input gets a clear 4xx with the field named, and the next request works', async (t) => {
  const event = { id: 'x', type: 'view_item', userId: 'bob' };
  const cases: [string, Promise<Reply>, number, RegExp][] = [
    ['no events', post('/v1/events', {}), 400, /events/u],
    ['empty batch', post('/v1/events', { events: [] }), 400, /events/u],
    ['too many', post('/v1/events', { events: Array.from({ length: 1001 }, (_, i) => ({ ...event, id: String(i) })) }), 400, /events/u],
    ['unknown field', post('/v1/events', { events: [event], extra: 1 }), 400, /extra|body/u],
    ['not JSON', post('/v1/events', '{"events":[NaN]}'), 400, /not valid JSON: Unexpected token 'N'/u],
    ['cut off', post('/v1/events', '{"events":['), 400, /not valid JSON: Unexpected end/u],
    ['empty body', post('/v1/events', ''), 400, /empty|JSON/u],
    ['poisoned', post('/v1/events', '{"events":[{"id":"x","type":"like","userId":"u","__proto__":{"a":1}}]}'), 400, /key __proto__/u],
    ['deep', post('/v1/recommendations', `{"scene":"home","filter":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`), 400, /./u],
    ['oversized', post('/v1/events', JSON.stringify({ events: [{ ...event, query: 'x'.repeat(5_000_000) }] })), 413, /./u],
    ['media type', call('POST', '/v1/events', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }), 415, /./u],
    ['plain text, which pages of other origins may send', call('POST', '/v1/events', JSON.stringify(event), { 'content-type': 'text/plain' }), 415, /x-ndjson/u],
    ['no lines', call('POST', '/v1/items', '\n', { 'content-type': 'application/x-ndjson' }), 400, /no lines/u],
    ['no UTF-8 in the address', call('GET', '/v1/items/%ff'), 400, /address/u],
    ['endless id in the address', call('GET', `/v1/items/${'x'.repeat(2000)}`), 400, /address/u],
    ['long id in the address', call('GET', `/v1/users/${encodeURIComponent('é'.repeat(129))}/profile`), 400, /id is longer/u],
    ['long id of a shopper', post('/v1/recommendations', { scene: 'home', userId: 'é'.repeat(129) }), 400, /userId is longer than 256 bytes/u],
    ['lone surrogate', post('/v1/users/bob/alias', { anonymousId: '\ud800' }), 400, /anonymousId has a lone surrogate/u],
    ['events of nobody', post('/v1/recommendations', { scene: 'home', events: [{ id: 'x', type: 'view_item' }] }), 400, /userId or anonymousId is missing/u],
    ['cursor that no page gives', call('GET', '/v1/items?cursor=99999999999999999999'), 400, /cursor/u],
    ['unknown scene', post('/v1/recommendations', { scene: 'attic' }), 400, /scene/u],
    ['huge limit', post('/v1/recommendations', { scene: 'home', limit: 1e9 }), 400, /limit/u],
    ['wrong type', post('/v1/recommendations', { scene: 'home', limit: '5' }), 400, /limit/u],
    ['prices with nothing in between', post('/v1/recommendations', { scene: 'home', filter: { priceMin: 20, priceMax: 10 } }), 400, /priceMin 20 .*priceMax 10/u],
    ['the same in one list of a page', post('/v1/recommendations/batch', { lists: [{ scene: 'home' }, { scene: 'feed', filter: { priceMin: 0.2, priceMax: 0.1 } }] }), 400, /priceMin/u],
    ['an item pinned twice', call('PUT', '/v1/scenes/home/pins', { itemIds: ['sku-1', 'sku-2', 'sku-1'] }), 400, /itemIds/u],
    ['a page of none', call('GET', '/v1/items?limit=0'), 400, /limit is "0"/u],
    ['bad cursor', call('GET', '/v1/items?cursor=x'), 400, /cursor/u],
    ['no such route', call('GET', '/v1/nothing'), 404, /docs/u],
  ];
  for (const [name, pending, status, message] of cases) {
    const reply = await pending;
    t.equal(reply.status, status, `${name}: ${reply.text.slice(0, 200)}`);
    t.match(reply.body, { code: String, message, statusCode: status }, name);
  }
  const huge = await post('/v1/events', `{"events":[{"id":"h","type":"purchase","userId":"bob","value":1e999},{"id":"h2","type":"purchase","userId":"bob","value":-3}]}`);
  t.match(huge.body, { accepted: 0, rejected: [{ message: /value/u }, { message: /value/u }] });
  const contexts = [{ ['k'.repeat(257)]: 1 }, { '': 1 }, { 'a\nb': { c: {} } }, { a: null }].map((context, i) => ({ ...event, id: `c${i}`, context }));
  t.match((await post('/v1/events', { events: contexts })).body, {
    accepted: 0, rejected: [{ message: /A name in context must not have more than 256/u }, { message: /A name in context/u }, { message: /a\nb must be string or number or boolean/u }, { message: /context\.a must be string or/u }],
  });
  const lines = await post('/v1/events', `${JSON.stringify(event).slice(0, -3)}\n{"id":"p","type":"like","userId":"u","__proto__":{}}\n5`, { 'content-type': 'application/x-ndjson' });
  t.match(lines.body, { accepted: 0, rejected: [{ message: /line is not valid JSON: Unterminated/u }, { message: /line has an object with the key __proto__/u }, { message: /not an object/u }] });
  t.match((await post('/v1/events', { events: [event] })).body, { accepted: 1 });
  t.match(await post('/v1/users/bob/check-ins', ''), { status: 200, body: { counted: true } }, 'where no body is asked for, JSON may be nothing');
  t.match(await post('/v1/users/bob/check-ins', {}), { status: 200 });
  t.match(await post('/v1/users/bob/check-ins', { day: '2026-01-01' }), { status: 400, body: { code: 'invalid_request', message: /check-ins takes no body/u } }, 'and is never dropped silently');
});

await t.test('what is no request gets its reason in the form of all others', async (t) => {
  const { port, hostname } = new URL(engine.url);
  const answerTo = async (bytes: string): Promise<string> => {
    const socket = connect(Number(port), hostname);
    socket.write(bytes);
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
    return text;
  };
  const bodyOf = (text: string): unknown => JSON.parse(text.slice(text.indexOf('\r\n\r\n')));
  for (const [bytes, statusCode, code] of [
    ['what is this?\r\n\r\n', 400, 'invalid_request'], [`GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ] as const) {
    const text = await answerTo(bytes);
    t.match(text, new RegExp(`^HTTP/1.1 ${statusCode} `, 'u'));
    t.match(bodyOf(text), { code, statusCode, message: String });
  }
});

await t.test('ids of any Unicode up to 256 bytes work, longer ones and lone surrogates do not', async (t) => {
  const ids = ['日本語のショッパー', 'a/b?c#d%20e', '{braces}{p0.1}', '👩‍👩‍👧‍👦', 'x'.repeat(256), '\u0000\u0001', ' '];
  for (const id of ids) {
    const reply = await post('/v1/events', { events: [{ id: `e-${id}`.slice(0, 250), type: 'view_item', userId: id, itemId: id }] });
    t.match(reply.body, { accepted: 1 }, JSON.stringify(id));
    t.match((await call('GET', `/v1/users/${encodeURIComponent(id)}/profile`)).body, { events: 1 }, JSON.stringify(id));
  }
  const bad = await post('/v1/events', { events: [{ id: 'l', type: 'view_item', userId: '€'.repeat(86) }, { id: '\ud800', type: 'view_item', userId: 'u' }] });
  t.match(bad.body, { accepted: 0, rejected: [{ message: /256 bytes/u }, { message: /surrogate/u }] });
});

await t.test('recommendations: full for a stranger, exact for search, filtered, folded, explained', async (t) => {
  const stranger = await post('/v1/recommendations', { anonymousId: 'never-seen', scene: 'home', limit: 20 });
  t.equal(listOf(stranger).length, 20);
  t.notOk('degraded' in stranger.body, stranger.text.slice(-200));
  t.same(listOf(stranger).map((entry) => entry.position), Array.from({ length: 20 }, (_, i) => i));
  const search = await post('/v1/recommendations', { userId: 'ann', scene: 'search', itemIds: ['sku-5', 'sku-9', 'not-there', 'sku-30'] });
  t.same(new Set(listOf(search).map((entry) => entry.id)), new Set(['sku-5', 'sku-9', 'sku-30']));
  const filtered = await post('/v1/recommendations', { userId: 'ann', scene: 'home', limit: 50, withItems: true, filter: { category: ['root-1'], priceMin: 20, priceMax: 60, brand: ['brand-0', 'brand-1'] } });
  t.ok(listOf(filtered).length > 0);
  for (const { item: one } of listOf(filtered)) t.ok((one['category'] as string[])[0] === 'root-1' && (one['price'] as number) >= 20 && (one['price'] as number) <= 60);
  const folded = await post('/v1/recommendations', {
    userId: 'carl', scene: 'product', itemId: 'sku-4', explain: true,
    events: [{ id: 'c1', type: 'view_item', itemId: 'sku-4' }, { id: 'c2', type: 'view_item', itemId: 'sku-13', userId: 'someone-else' }],
  });
  t.match(folded.body, { events: { accepted: 1, rejected: [{ index: 1 }] } });
  const explain = folded.body['explain'] as { userFeatures: Record<string, number>; profileEvents: number };
  t.equal(explain.profileEvents, 1);
  t.ok(explain.userFeatures['view_item_30m']! > 0.6);
  t.notOk(listOf(folded).some((entry) => entry.id === 'sku-4'), 'not the page’s own item');
  t.ok(listOf(folded).every((entry) => Object.values(entry.explain!.features).every(Number.isFinite)));
});

await t.test('a batch of lists has no item twice', async (t) => {
  const reply = await post('/v1/recommendations/batch', { userId: 'ann', lists: [{ scene: 'home', limit: 30 }, { scene: 'feed', limit: 30 }, { scene: 'cart', limit: 10 }] });
  const lists = reply.body['lists'] as { scene: string; items: Listed[] }[];
  t.same(lists.map((list) => list.scene), ['home', 'feed', 'cart']);
  const ids = lists.flatMap((list) => list.items.map((entry) => entry.id));
  t.equal(ids.length, 70);
  t.equal(new Set(ids).size, ids.length);
});

await t.test('what a shopper dismissed is not shown again; pins come first', async (t) => {
  const before = listOf(await post('/v1/recommendations', { userId: 'dora', scene: 'home', limit: 10 }));
  const disliked = before[0]!.id;
  await post('/v1/events', { events: [{ id: 'd1', type: 'dismiss', userId: 'dora', itemId: disliked }] });
  const after = listOf(await post('/v1/recommendations', { userId: 'dora', scene: 'home', limit: 100 }));
  t.notOk(after.some((entry) => entry.id === disliked));
  t.equal((await call('PUT', '/v1/scenes/feed/pins', { itemIds: ['sku-33', 'sku-44'] })).status, 200);
  t.same((await call('GET', '/v1/scenes/feed/pins')).body, { itemIds: ['sku-33', 'sku-44'] });
  let feed: Listed[] = [];
  await until('the pins are there', async () => {
    feed = listOf(await post('/v1/recommendations', { userId: 'dora', scene: 'feed', limit: 5 }));
    return feed[0]!.source === 'pinned';
  });
  t.same(feed.slice(0, 2).map((entry) => [entry.id, entry.source]), [['sku-33', 'pinned'], ['sku-44', 'pinned']]);
});

await t.test('a shopper is merged exactly once, erased for good, and shown as portrait and features', async (t) => {
  await post('/v1/events', { events: [{ id: 'v1', type: 'view_item', anonymousId: 'visitor', itemId: 'sku-1' }, { id: 'v2', type: 'add_to_cart', anonymousId: 'visitor', itemId: 'sku-2' }] });
  await post('/v1/events', { events: [{ id: 'e1', type: 'purchase', userId: 'eve', itemId: 'sku-3', value: 5 }] });
  const redis = new Redis(engine.redis.url);
  t.teardown(() => { redis.disconnect(); });
  const sent = { id: 'm1', kind: 'notice', cause: 'x', title: 'Hello', createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2126-01-01T00:00:00.000Z' };
  await redis.lpush(makeKeys('rivulet:').inbox('a:visitor'), JSON.stringify(sent), JSON.stringify(sent));
  t.same((await post('/v1/users/eve/alias', { anonymousId: 'visitor' })).body, { merged: true });
  t.same((await call('GET', '/v1/users/eve/inbox')).body, { messages: [sent] }, 'before any worker has looked');
  t.same((await post('/v1/users/eve/alias', { anonymousId: 'visitor' })).body, { merged: false });
  t.match(await post('/v1/users/fred/alias', { anonymousId: 'visitor' }), { status: 409, body: { code: 'conflict' } });
  t.match((await call('GET', '/v1/users/eve/profile')).body, { events: 3, orders: 1, cart: [{ itemId: 'sku-2' }] });
  await post('/v1/events', { events: [{ id: 'v3', type: 'view_item', anonymousId: 'visitor', itemId: 'sku-9' }, { id: 'v1', type: 'view_item', anonymousId: 'visitor', itemId: 'sku-1' }] });
  t.match((await call('GET', '/v1/users/visitor/profile?kind=anonymous')).body, { shopper: 'u:eve', events: 4 }, 'later events go to the user, repeated ones nowhere');
  t.match((await call('GET', '/v1/users/eve/portrait')).body, { lifecycle: 'new', orders: 1, cartItems: 1 });
  t.ok(((await call('GET', '/v1/users/eve/features')).body['features'] as Record<string, number>)['has_order'] === 1);
  t.equal((await call('DELETE', '/v1/users/eve')).status, 204);
  for (const path of ['profile', 'features', 'portrait']) t.equal((await call('GET', `/v1/users/eve/${path}`)).status, 404);
  t.equal((await call('DELETE', '/v1/users/eve')).status, 404);
  t.equal((await call('GET', '/v1/users/visitor/profile?kind=anonymous')).status, 404, 'nor is there a sign of who the visitor was');
});

await t.test('who never sent an event is erased all the same', async (t) => {
  await post('/v1/users/cared/check-ins', '');
  await call('PUT', '/v1/users/flagged/risk', { flag: 'flagged', reason: 'chargebacks' });
  for (const id of ['cared', 'flagged']) t.same([(await call('DELETE', `/v1/users/${id}`)).status, (await call('DELETE', `/v1/users/${id}`)).status], [204, 404], id);
});

await t.test('of a crowd of requests for one shopper none is sent away, and each event is counted once', async (t) => {
  const counted = async (): Promise<number> => Number(/rivulet_events_accepted_total (\d+)/u.exec((await call('GET', '/metrics')).text)?.[1]);
  const before = await counted();
  const replies = await Promise.all(Array.from({ length: 100 }, (_, n) => post('/v1/events', { events: [{ id: `crowd${n}`, type: 'view_item', userId: 'crowded' }] })));
  t.same(new Set(replies.map(({ status }) => status)), new Set([200]));
  t.match((await call('GET', '/v1/users/crowded/profile')).body, { events: 100 });
  t.equal(await counted() - before, 100);
});

await t.test('fifty clients writing one shopper at once lose and double nothing', async (t) => {
  const events = Array.from({ length: 400 }, (_, n) => ({ id: `w${n}`, type: 'view_item', userId: 'wanted', itemId: `sku-${n % 50}` }));
  await Promise.all(Array.from({ length: 50 }, async (_, client) => {
    for (let n = client * 8; n < client * 8 + 8; n++) {
      // Each event is sent twice, to two places of the line.
      for (;;) {
        const reply = await post('/v1/events', { events: [events[n], events[(n + 200) % 400]] });
        if (reply.status === 200 && (reply.body['rejected'] as unknown[]).length === 0) break;
      }
    }
  }));
  t.match((await call('GET', '/v1/users/wanted/profile')).body, { events: 400 });
});

await t.test('a profile nobody can read costs its shopper the features, not the list', async (t) => {
  const redis = new Redis(engine.redis.url);
  await redis.set(makeKeys('rivulet:').profile('u:torn'), Buffer.from('not a profile of any version'));
  redis.disconnect();
  const reply = await post('/v1/recommendations', { userId: 'torn', scene: 'home', limit: 5 });
  t.match(reply, { status: 200, body: { degraded: ['no_features'] } });
  t.equal(listOf(reply).length, 5);
});

await t.test('operations: health, metrics, documentation', async (t) => {
  t.match(await call('GET', '/health/live'), { status: 200, body: { status: 'ok' } });
  t.match(await call('GET', '/health/ready'), { status: 200, body: { status: 'ready', circuit: 'closed' } });
  const metrics = await call('GET', '/metrics');
  t.match(metrics.text, /rivulet_events_accepted_total \d+/u);
  t.match(metrics.text, /rivulet_events_unknown_item_total [1-9]/u);
  const spec = await call('GET', '/docs/json');
  t.match(spec.body, { openapi: '3.1.0', components: { schemas: { Event: { required: ['id', 'type'] }, Item: { required: ['id', 'title', 'category'] } } } });
  const routes = spec.body['paths'] as Record<string, Record<string, { security?: unknown; description?: string; responses: object }>>;
  t.match(routes['/v1/rooms']?.['post'], { security: [{ key: [] }], description: /scope `host`/u }, 'whose key');
  t.same(Object.keys(routes['/v1/rooms']!['post']!.responses), ['2XX', '4XX', '5XX'], 'made is 201');
  t.same(Object.keys(routes['/v1/events']!['post']!.responses), ['200', '4XX', '5XX']);
  t.notOk('security' in routes['/health/live']!['get']!);
  const paths = Object.keys(routes);
  for (const path of ['/v1/events', '/v1/recommendations', '/v1/recommendations/batch', '/v1/items', '/v1/items/{id}', '/v1/users/{id}/alias', '/health/ready']) t.ok(paths.includes(path), path);
  t.match((await call('GET', '/docs/')).text, /swagger/iu);
});
