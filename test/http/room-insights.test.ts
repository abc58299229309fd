import t from 'tap';
import type { RoomInsights } from '../../src/paths/room-insights.js';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { LiveClient } from '../helpers/live-client.js';
import { until } from '../helpers/until.js';

const env = { ...PATIENT, API_KEYS: 'key-of-the-shop:events+recommend,key-of-the-host:host+catalog' };
const engine = await startEngine({ env });
t.teardown(() => engine.stop());
const second = await startEngine({ env, redis: engine.redis });
t.teardown(() => second.stop());

async function call(method: string, path: string, body?: unknown, key = 'key-of-the-host'): Promise<Response> {
  return fetch(engine.url + path, {
    method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
const insights = async (): Promise<RoomInsights> => await (await call('GET', '/v1/rooms/show/insights')).json() as RoomInsights;

async function viewer(at: typeof engine, userId: string): Promise<LiveClient> {
  const client = new LiveClient(at.url);
  await new Promise((resolve) => { client.socket.once('open', resolve); });
  client.send({ type: 'auth', token: 'key-of-the-shop', userId });
  await client.next('ready');
  await client.listen({ channel: 'room:show' });
  return client;
}

await call('POST', '/v1/items', { items: [{ id: 'mask', title: '玫瑰面膜', category: ['beauty'], price: 20, stock: 50 }, { id: 'serum', title: 'Serum', category: ['beauty'], price: 40, stock: 50 }] });
await call('POST', '/v1/rooms', { id: 'show', title: 'Show', host: { id: 'h', name: 'Mia' }, category: ['beauty'], products: ['mask', 'serum'] });
await call('POST', '/v1/rooms/show/open');
const mine = await viewer(engine, 'ann');
await Promise.all(['bob', 'eve'].map((userId) => viewer(second, userId)));
await until(async () => (await insights()).stats.viewers === 3, 'viewers of both processes');
// Its viewers are dropped while the other tests run.
await second.kill('SIGKILL');

await t.test('a host sees what viewers of any process do and say', async (t) => {
  for (const [i, text] of ['面膜多少钱', 'is the mask good for dry skin?', 'love it'].entries()) {
    t.match(await mine.ask({ type: 'interact', roomId: 'show', action: 'comment', text, name: `Ann ${i}` }), { type: 'interacted' });
  }
  const carts = Array.from({ length: 25 }, (_, i) => ({ id: `c${i}`, type: 'add_to_cart', userId: `u${i}`, itemId: 'mask', roomId: 'show' }));
  t.equal((await call('POST', '/v1/events', { events: carts }, 'key-of-the-shop')).status, 200);
  await until(async () => {
    const { stats, suggestions } = await insights();
    return stats.comments === 3 && suggestions.length > 0;
  }, 'all of it');
  const seen = await insights();
  t.match(seen, {
    room: { id: 'show', status: 'live' }, sentiment: { negative: 0, score: Number }, carts: [{ itemId: 'mask', title: '玫瑰面膜' }],
    asked: { items: [{ itemId: 'mask', level: Number }], latest: [{ text: 'is the mask good for dry skin?', from: 'Ann 1' }, { text: '面膜多少钱' }] },
    suggestions: [{ kind: 'pin', itemId: 'mask', reason: /25 carts in about a minute/u }],
  });
  t.ok(seen.asked.themes.some(({ theme }) => theme === 'price'));
});

await t.test('the insights are the host\'s', async (t) => {
  t.equal((await call('GET', '/v1/rooms/show/insights', undefined, 'key-of-the-shop')).status, 403);
  t.equal((await call('GET', '/v1/rooms/nowhere/insights')).status, 404);
  t.equal((await call('GET', '/v1/rooms/%20/insights')).status, 400);
});

await t.test('viewers of a process that was killed are gone', async (t) => {
  await until(async () => (await insights()).stats.viewers === 1, 'one viewer', 40_000);
  t.equal((await insights()).stats.unique, 3);
});
