import t from 'tap';
import { PATIENT, startEngine, type Engine } from '../helpers/engine.js';
import { until } from '../helpers/streams.js';

type Body = Record<string, unknown>;
interface Reply { readonly status: number; readonly body: Body }

const yen = await startEngine({ env: { ...PATIENT, STORE_CURRENCY: 'JPY' } });
t.teardown(() => yen.stop());

async function call(engine: Engine, method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(engine.url + path, {
    method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() as Body };
}
const get = (path: string): Promise<Reply> => call(yen, 'GET', path);
const post = (path: string, body: unknown): Promise<Reply> => call(yen, 'POST', path, body);

const buy = (id: string, more: Body): Body => ({ id, type: 'purchase', userId: 'ann', itemId: `of-${id}`, ...more });
const item = (id: string, more: Body): Body => ({ id, title: id, category: ['cups'], stock: 5, ...more });
const window = { startsAt: Date.now() - 1000, endsAt: Date.now() + 3_600_000 };
const draft = (id: string, more: Body = {}): Body => ({
  id, title: id, terms: { kind: 'fixed', saveMinor: 100 }, window,
  budget: { moneyMinor: 1000, count: 5 }, marginMinor: 400, ...more,
});

await t.test('amounts that state no currency are in the store\'s; those in another count without their amount', async (t) => {
  t.match((await post('/v1/events', { events: [
    buy('stated', { value: 500, currency: 'JPY' }), buy('unstated', { value: 500 }), buy('other', { value: 70.25, currency: 'EUR' }),
    { id: 'back', type: 'refund', userId: 'ann', itemId: 'of-stated', value: 200 }, { id: 'back-other', type: 'refund', userId: 'ann', itemId: 'of-other', value: 9, currency: 'USD' },
  ] })).body, { accepted: 5, rejected: [] });
  t.match((await get('/v1/users/ann/profile')).body, { events: 5, units: 3, spent: 1000, refunded: 200, currency: 'JPY' });
  t.match((await get('/v1/users/ann/portrait')).body, { spentMinor: 800, refundedMinor: 200, currency: 'JPY' });
});

await t.test('a page\'s own events are read by the same rule', async (t) => {
  const events = [{ id: 'p1', type: 'purchase', itemId: 'x', value: 300 }, { id: 'p2', type: 'purchase', itemId: 'y', value: 3, currency: 'EUR' }];
  t.match((await post('/v1/recommendations', { userId: 'bob', scene: 'home', events })).body, { events: { accepted: 2 } });
  t.match((await get('/v1/users/bob/profile')).body, { units: 2, spent: 300 });
});

await t.test('items are kept with the store\'s currency, refused in another; carts and filters are in it', async (t) => {
  const put = await post('/v1/items', { items: [
    item('cup', { price: 1200 }), item('bowl', { price: 900, currency: 'JPY' }), item('story', {}), item('mug', { price: 9.5, currency: 'EUR' }),
  ] });
  t.match(put.body, { accepted: 3, rejected: [{ index: 3, code: 'other_currency', message: /EUR.*JPY/u }] });
  t.match((await get('/v1/items/cup')).body, { price: 1200, currency: 'JPY' });
  t.notOk('currency' in (await get('/v1/items/story')).body, 'what has no price has no currency');
  const shown = (filter: Body): Promise<unknown[]> => post('/v1/recommendations', { scene: 'search', itemIds: ['cup', 'bowl'], withItems: true, filter })
    .then(({ body }) => (body['items'] as { id: string; item: Body }[]).map(({ id, item: { price, currency } }) => [id, price, currency]));
  await until('both are in the catalog of the process', async () => (await shown({})).length === 2);
  t.same(await shown({ priceMin: 1000, priceMax: 1200 }), [['cup', 1200, 'JPY']]);
  await post('/v1/events', { events: [
    { id: 'c1', type: 'add_to_cart', userId: 'cyd', itemId: 'cup' }, { id: 'c2', type: 'add_to_cart', userId: 'cyd', itemId: 'unknown', value: 700 },
    { id: 'c3', type: 'add_to_wishlist', userId: 'cyd', itemId: 'elsewhere', value: 7, currency: 'EUR' },
  ] });
  const { body } = await get('/v1/users/cyd/profile');
  t.same((body['cart'] as { itemId: string; price: number }[]).map(({ price }) => price).toSorted((a, b) => a - b), [700, 1200]);
  t.match(body['wishlist'], [{ price: 0 }]);
});

await t.test('offers and carts that state no currency are in the store\'s', async (t) => {
  t.match(await post('/v1/offers', draft('save')), { status: 201, body: { offer: { currency: 'JPY' } } });
  t.equal((await post('/v1/offers', draft('save'))).status, 201, 'the same draft again');
  t.match(await post('/v1/offers', draft('euros', { currency: 'EUR' })), { status: 400, body: { code: 'other_currency', message: /euros.*EUR.*JPY/u } });
  t.match(await call(yen, 'PUT', '/v1/offers/save', draft('save', { currency: 'EUR' })), { status: 400, body: { code: 'other_currency' } });
  t.match(await call(yen, 'PUT', '/v1/offers/save', draft('save', { title: 'A hundred off' })), { status: 200, body: { offer: { title: 'A hundred off', currency: 'JPY' } } });
  await post('/v1/offers/save/activate', {});
  t.match(await call(yen, 'PUT', '/v1/offers/save', draft('save', { title: 'A hundred less' })), { status: 200, body: { offer: { status: 'active', currency: 'JPY' } } }, 'which is no change of what was promised');
  const check = (currency: Body): Promise<Reply> => post('/v1/offers/validate', { userId: 'ann', offerIds: ['save'], cart: { lines: [{ itemId: 'cup', unitMinor: 1200, quantity: 1 }], ...currency } });
  await until('the offer is in the book of the process', async () => ((await check({})).body['applied'] as unknown[]).length === 1);
  t.match((await check({})).body, { currency: 'JPY', totalMinor: 1100 });
  t.match((await check({ currency: 'EUR' })).body, { currency: 'EUR', totalMinor: 1200, notApplied: [{ offerId: 'save', reason: 'other_currency' }] });
});

await t.test('without the setting amounts that state no currency have two decimals, and replies name none', async (t) => {
  const plain = await startEngine({ env: PATIENT });
  t.teardown(() => plain.stop());
  await call(plain, 'POST', '/v1/events', { events: [buy('a', { value: 12.34 }), buy('b', { value: 1, currency: 'EUR' }), buy('c', { value: 2, currency: 'USD' })] });
  const { body } = await call(plain, 'GET', '/v1/users/ann/profile');
  t.match(body, { spent: 15.34 });
  t.notOk('currency' in body);
});
