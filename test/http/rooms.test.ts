import t from 'tap';
import type { Cue } from '../../src/domain/cue.js';
import { CueStore } from '../../src/redis/cue-store.js';
import { makeKeys } from '../../src/redis/keys.js';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { commandsTo, until } from '../helpers/streams.js';

const env = { ...PATIENT, API_KEYS: 'host-key:host, shop-key:recommend+events, staff-key:catalog+offers' };
const engine = await startEngine({ role: 'api', env });
t.teardown(() => engine.stop());
const second = await startEngine({ role: 'api', env, redis: engine.redis });
t.teardown(() => second.stop());
const redis = await commandsTo(engine.redis.url);
t.teardown(() => { redis.disconnect(); });
/** What the processes note while they play cues. */
const played = new CueStore(redis, makeKeys('rivulet:'), Date.now);

interface Reply { readonly status: number; readonly body: Record<string, unknown> & { code?: string; cursor?: string; cue?: Cue & { readonly offerId: string }; room?: Record<string, unknown> } }
type As = 'host-key' | 'shop-key' | 'staff-key' | 'nobody';

async function call(as: As, method: string, path: string, body?: unknown, { headers = {}, at = engine.url }: { headers?: Record<string, string>; at?: string } = {}): Promise<Reply> {
  const response = await fetch(at + path, {
    method, headers: { 'x-api-key': as, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Reply['body'] };
}
const host = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply> => call('host-key', method, path, body, { headers: headers ?? {} });
const cue = (room: string, key: string, body: unknown, at = engine.url): Promise<Reply> => call('host-key', 'POST', `/v1/rooms/${room}/cues`, body, { headers: { 'idempotency-key': key }, at });
const codeOf = ({ status, body }: Reply): string => `${status} ${body.code ?? ''}`;
const room = (id: string, fields: Record<string, unknown> = {}): Record<string, unknown> => ({
  id, title: `Room ${id}`, host: { id: 'h1', name: 'Ines' }, category: ['shoes', 'running'], products: ['shoe-1', 'shoe-2', 'sock-1', 'gone-1'], ...fields,
});
async function live(id: string, fields?: Record<string, unknown>): Promise<void> {
  await host('POST', '/v1/rooms', room(id, fields));
  await host('POST', `/v1/rooms/${id}/open`);
}
const offer = async (id: string): Promise<Record<string, unknown>> => (await call('staff-key', 'GET', `/v1/offers/${id}`)).body['offer'] as Record<string, unknown>;

await call('staff-key', 'POST', '/v1/items', {
  items: [
    { id: 'shoe-1', title: 'Trail shoe', category: ['shoes', 'running'], brand: 'Ines', price: 80, currency: 'EUR', stock: 5 },
    { id: 'shoe-2', title: 'Road shoe', category: ['shoes', 'running'], brand: 'Vento', price: 90, stock: 0 },
    { id: 'sock-1', title: 'Sock', category: ['socks'], brand: 'Vento', price: 9 },
    { id: 'lamp-1', title: 'Lamp', category: ['home', 'lamps'], brand: 'Lumo', price: 40 },
  ],
});

await t.test('a room is announced, opened, changed and closed; each step once, however often it is said', async (t) => {
  const first = await host('POST', '/v1/rooms', room('show', { startsAt: 1_900_000_000_000 }));
  t.match(first, { status: 201, body: { room: { id: 'show', status: 'scheduled', access: 'public', version: 1 } } });
  t.same(await host('POST', '/v1/rooms', room('show', { startsAt: 1_900_000_000_000 })), first);
  t.equal(codeOf(await host('POST', '/v1/rooms', room('show'))), '409 conflict');
  t.equal(codeOf(await cue('show', 'k', { kind: 'pin', itemId: 'shoe-1' })), '409 room_not_live');
  t.match(await host('POST', '/v1/rooms/show/open'), { status: 200, body: { room: { status: 'live', version: 2 } } });
  t.match(await host('POST', '/v1/rooms/show/open'), { status: 200, body: { room: { version: 2 } } });
  t.match(await cue('show', 'k', { kind: 'pin', itemId: 'shoe-2' }), { status: 201, body: { cue: { id: 'show.1', number: 1, kind: 'pin', itemId: 'shoe-2' } } });
  for (const who of ['shop-key', 'host-key'] as const) t.match((await call(who, 'GET', '/v1/rooms/show')).body, { room: { pinnedItemId: 'shoe-2', version: 3 } });
  t.equal(codeOf(await host('PUT', '/v1/rooms/show', room('show'), { 'if-match': '2' })), '409 conflict');
  const { body: { room: changed } } = await host('PUT', '/v1/rooms/show', room('show', { products: ['shoe-1'] }), { 'if-match': '"3"' });
  t.match(changed, { status: 'live', products: ['shoe-1'], version: 4 });
  t.notOk('pinnedItemId' in changed!, 'what is no product any more is not pinned');
  const closed = await host('POST', '/v1/rooms/show/close');
  t.match(closed, { status: 200, body: { room: { status: 'closed', version: 5 } } });
  t.same(await host('POST', '/v1/rooms/show/close'), closed);
  for (const [method, path, body] of [['POST', '/show/open', undefined], ['PUT', '/show', room('show')]] as const) t.equal(codeOf(await host(method, `/v1/rooms${path}`, body)), '409 room_not_live', path);
});

await t.test('who says the same at once, or while cues come, is no conflict', async (t) => {
  await host('POST', '/v1/rooms', room('rush'));
  const move = (to: string, i: number): Promise<Reply> => call('host-key', 'POST', `/v1/rooms/rush/${to}`, undefined, { at: i % 2 === 0 ? engine.url : second.url });
  for (const { status, body } of await Promise.all(Array.from({ length: 6 }, (_, i) => move('open', i)))) t.match([status, body.room], [200, { status: 'live', version: 2 }]);
  t.equal((await cue('rush', 'sale', { kind: 'flash_sale', itemId: 'shoe-1', priceMinor: 5000, stock: 2, durationS: 600 })).status, 201);
  const pins = Array.from({ length: 12 }, (_, i) => cue('rush', `p${i}`, { kind: 'pin', itemId: i % 2 === 0 ? 'shoe-1' : 'shoe-2' }, i % 2 === 0 ? engine.url : second.url));
  const changes = Array.from({ length: 3 }, (_, i) => host('PUT', '/v1/rooms/rush', room('rush', { title: `Rush ${i}` })));
  t.same(new Set((await Promise.all([...pins, ...changes])).map(({ status }) => status)), new Set([200, 201]));
  for (const { status, body } of await Promise.all(Array.from({ length: 6 }, (_, i) => move('close', i)))) t.match([status, body.room], [200, { status: 'closed' }]);
});

await t.test('faults are named', async (t) => {
  await live('faults');
  const ladder = { kind: 'coupon_ladder', offerIds: ['nowhere'], durationS: 60 };
  const cases: [string, Promise<Reply>, string][] = [
    ['no key', call('nobody', 'GET', '/v1/rooms/x'), '401 unauthorized'],
    ['another scope', call('shop-key', 'POST', '/v1/rooms', room('x')), '403 forbidden'],
    ['another scope, to read', call('staff-key', 'GET', '/v1/rooms'), '403 forbidden'],
    ['no such room', call('shop-key', 'GET', '/v1/rooms/none'), '404 not_found'],
    ['no such cue', call('shop-key', 'GET', '/v1/rooms/faults/cues/7'), '404 not_found'],
    ['the cues of no room', call('shop-key', 'GET', '/v1/rooms/none/cues'), '404 not_found'],
    ['a cue of no room', cue('none', 'k', { kind: 'end' }), '404 not_found'],
    ['an id that fits no channel', host('POST', '/v1/rooms', room('a b')), '400 invalid_request'],
    ['the id of another', host('PUT', '/v1/rooms/faults', room('other')), '400 invalid_request'],
    ['no idempotency key', host('POST', '/v1/rooms/faults/cues', { kind: 'end' }), '400 invalid_request'],
    ['a kind that is none', cue('faults', 'k', { kind: 'dance' }), '400 invalid_request'],
    ['a product of elsewhere', cue('faults', 'k', { kind: 'pin', itemId: 'lamp-1' }), '400 invalid_request'],
    ['a sale without a price to compare', cue('faults', 'k', { kind: 'flash_sale', itemId: 'gone-1', priceMinor: 100, stock: 1, durationS: 60 }), '400 invalid_request'],
    ['a sale at the usual price', cue('faults', 'k', { kind: 'flash_sale', itemId: 'shoe-1', priceMinor: 8000, stock: 1, durationS: 60 }), '400 invalid_request'],
    ['a ladder of nothing', cue('faults', 'k', ladder), '404 not_found'],
    ['a poll without a choice', cue('faults', 'k', { kind: 'poll', question: 'Well?', options: ['yes'], durationS: 60 }), '400 invalid_request'],
  ];
  for (const [what, reply, expected] of cases) t.equal(codeOf(await reply), expected, what);
  t.match((await cue('faults', 'k', { kind: 'dance' })).body, { message: /kind is not one of pin, flash_sale/u });
});

await t.test('a flash sale makes its offer before it is told, once under retries at two processes', async (t) => {
  await live('sale');
  const sale = { kind: 'flash_sale', itemId: 'shoe-1', priceMinor: 4990, stock: 2, durationS: 60 };
  const replies = await Promise.all(Array.from({ length: 8 }, (_, i) => cue('sale', 'drop-1', sale, i % 2 === 0 ? engine.url : second.url)));
  t.same(replies.map(({ status }) => status).toSorted((a, b) => a - b), [200, 200, 200, 200, 200, 200, 200, 201]);
  const made = replies[0]!.body.cue!;
  for (const { body } of replies) t.same(body.cue, made);
  t.match(made, { id: 'sale.1', itemId: 'shoe-1', perUser: 1, costMinor: 3010, offerId: /^cue_sale_[0-9a-f]{16}$/u });
  t.match(await offer(made.offerId), {
    status: 'active', currency: 'EUR', terms: { kind: 'flash_sale', itemId: 'shoe-1', priceMinor: 4990, stock: 2 }, budget: { count: 2, moneyMinor: 6020 }, window: { endsAt: made.endsAt },
  });
  const claim = (user: string): Promise<Reply> => call('shop-key', 'POST', `/v1/offers/${made.offerId}/claims`, { userId: user }, { headers: { 'idempotency-key': user } });
  t.same((await Promise.all(['ann', 'bob', 'cyd'].map(claim))).map(codeOf).toSorted(), ['201 ', '201 ', '409 offer_exhausted']);
  t.equal(codeOf(await cue('sale', 'drop-1', { ...sale, stock: 3 })), '409 key_reused');
  const { body: { offers } } = await call('staff-key', 'GET', '/v1/offers');
  t.equal((offers as { id: string }[]).filter(({ id }) => id.startsWith('cue_sale_')).length, 1);
});

await t.test('an offer whose cue was cut short is taken up by the next try, with a window of its own', async (t) => {
  await live('cut');
  const sale = { kind: 'flash_sale', itemId: 'shoe-1', priceMinor: 4990, stock: 2, durationS: 60 };
  const { offerId } = (await cue('cut', 'drop', sale)).body.cue!;
  // As after a crash between the two: the offer is there, the cue is not, and time has passed.
  await engine.redis.restart();
  await until('Redis is back, and empty', async () => (await call('shop-key', 'GET', '/v1/rooms/cut')).status === 404);
  await call('staff-key', 'POST', '/v1/items', { items: [{ id: 'shoe-1', title: 'Trail shoe', category: ['shoes', 'running'], brand: 'Ines', price: 80, currency: 'EUR', stock: 5 }] });
  const long = Date.now() - 3_600_000;
  t.equal((await call('staff-key', 'POST', '/v1/offers', {
    id: offerId, title: 'Room cut: Trail shoe', terms: { kind: 'flash_sale', itemId: 'shoe-1', priceMinor: 4990, stock: 2, costMinor: 3010 },
    window: { startsAt: long, endsAt: long + 60_000 }, budget: { moneyMinor: 6020, count: 2 }, marginMinor: 0,
  })).status, 201);
  await live('cut');
  const again = await cue('cut', 'drop', sale);
  t.match(again, { status: 201, body: { cue: { id: 'cut.1', offerId } } });
  t.match(await offer(offerId), { status: 'active', window: { endsAt: again.body.cue!.endsAt } });
});

await t.test('cues of two hosts are in one order; the end ends the sales, and whoever says it again finishes it', async (t) => {
  await live('busy');
  const sale = { kind: 'flash_sale', itemId: 'shoe-1', priceMinor: 4990, stock: 2, durationS: 600 };
  const { offerId } = (await cue('busy', 'sale', sale)).body.cue!;
  const replies = await Promise.all(Array.from({ length: 24 }, (_, i) => cue('busy', `p${i}`, { kind: 'pin', itemId: i % 3 === 0 ? null : 'shoe-1' }, i % 2 === 0 ? engine.url : second.url)));
  t.same(replies.map(({ body }) => body.cue!.number).toSorted((a, b) => a - b), Array.from({ length: 24 }, (_, i) => i + 2));
  const page = await call('shop-key', 'GET', '/v1/rooms/busy/cues?limit=20');
  const rest = await call('shop-key', 'GET', `/v1/rooms/busy/cues?cursor=${page.body.cursor}`);
  t.same([...page.body['cues'] as Cue[], ...rest.body['cues'] as Cue[]].map(({ number }) => number), Array.from({ length: 25 }, (_, i) => 25 - i));
  t.match((await call('shop-key', 'GET', '/v1/rooms/busy/cues/1')).body, { cue: { number: 1, kind: 'flash_sale', offerId }, reach: { reached: 0, default: 0, soldOut: 0, buckets: [] } });
  for (const viewers of [2, 3]) await played.countTold({ roomId: 'busy', number: 2 }, viewers);
  t.match((await call('shop-key', 'GET', '/v1/rooms/busy/cues/2')).body, { reach: { reached: 5, default: 0, soldOut: 0, buckets: [{ ms: 0, count: 5 }] } });
  t.match(await cue('busy', 'end', { kind: 'end' }), { status: 201, body: { cue: { number: 26 } } });
  t.match(await offer(offerId), { status: 'archived' });
  t.match((await call('shop-key', 'GET', '/v1/rooms/busy')).body, { room: { status: 'closed' } });
  t.match(await cue('busy', 'end', { kind: 'end' }), { status: 200, body: { cue: { number: 26 } } });
  t.equal(codeOf(await cue('busy', 'late', sale)), '409 room_not_live');
});

await t.test('a ladder is of active offers that stand as long as it does', async (t) => {
  await live('ladder');
  const draft = async (id: string, fields: Record<string, unknown>): Promise<void> => {
    await call('staff-key', 'POST', '/v1/offers', {
      id, title: id, terms: { kind: 'fixed', saveMinor: 500 }, window: { startsAt: Date.now() - 1000, endsAt: Date.now() + 3_600_000 }, budget: { moneyMinor: 5000, count: 10 }, marginMinor: 1000, ...fields,
    });
    if (id !== 'draft') await call('staff-key', 'POST', `/v1/offers/${id}/activate`);
  };
  await draft('small', {});
  await draft('large', { terms: { kind: 'threshold', spendMinor: 9000, saveMinor: 1500 } });
  await draft('draft', {});
  await draft('short', { window: { startsAt: Date.now() - 1000, endsAt: Date.now() + 30_000 } });
  await draft('crowd', { terms: { kind: 'group_buy', itemId: 'shoe-1', priceMinor: 100, size: 2, withinS: 60, costMinor: 10 }, budget: { moneyMinor: 5000, count: 10 } });
  const ladder = (key: string, offerIds: string[], fields: Record<string, unknown> = {}): Promise<Reply> => cue('ladder', key, { kind: 'coupon_ladder', offerIds, durationS: 60, ...fields });
  t.match(await ladder('a', ['large', 'small']), { status: 201, body: { cue: { offerIds: ['large', 'small'], defaultOfferId: 'small' } } });
  await played.countReach({ roomId: 'ladder', number: 1, at: 1000 }, { offer: 3, default: 1, sold_out: 1 }, 1300);
  t.match((await call('shop-key', 'GET', '/v1/rooms/ladder/cues/1')).body, { reach: { reached: 5, default: 1, soldOut: 1, buckets: [{ ms: 250, count: 5 }] } });
  t.match(await ladder('b', ['large', 'small'], { defaultOfferId: 'large' }), { status: 201, body: { cue: { defaultOfferId: 'large' } } });
  t.equal(codeOf(await ladder('c', ['large'], { defaultOfferId: 'small' })), '400 invalid_request');
  t.equal(codeOf(await ladder('d', ['draft'])), '409 offer_not_active');
  t.equal(codeOf(await ladder('e', ['short'])), '409 outside_window');
  t.equal(codeOf(await ladder('f', ['crowd'])), '400 invalid_request');
});

await t.test('rooms are listed, those made last first', async (t) => {
  await host('POST', '/v1/rooms', room('later'));
  const ids = async (query: string): Promise<string[]> => ((await call('shop-key', 'GET', `/v1/rooms?${query}`)).body['rooms'] as { id: string }[]).map(({ id }) => id);
  t.same(await ids(''), ['later', 'ladder', 'busy', 'cut']);
  t.same(await ids('limit=2&cursor=ladder'), ['busy', 'cut']);
  t.same(await ids('status=live'), ['ladder', 'cut']);
  t.same(await ids('status=scheduled'), ['later']);
  t.same(await ids('status=closed'), ['busy']);
  t.same(await ids('status=live&cursor=busy'), ['cut'], 'a page goes on after a room that was closed meanwhile');
  t.equal((await host('POST', '/v1/rooms', room('cut'))).status, 201);
  t.same(await ids(''), ['later', 'ladder', 'busy', 'cut'], 'said again, a room keeps its place');
});
