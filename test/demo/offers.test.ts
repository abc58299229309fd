import t from 'tap';
import { CampaignDesk } from '../../src/paths/campaign-desk.js';
import { builtInCampaigns } from '../../src/campaigns/built-in.js';
import { DEMO } from '../../src/demo/seed.js';
import { makeStore } from '../../src/demo/store.js';
import { OfferDesk } from '../../src/paths/offer-desk.js';
import { CatalogStore } from '../../src/redis/catalog-store.js';
import { CampaignStore } from '../../src/redis/campaign-store.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { OfferBookStore } from '../../src/redis/offer-book-store.js';
import { demoKeeper } from '../../src/wire/demo.js';
import { roomDesks } from '../../src/wire/rooms.js';
import { startRedis } from '../helpers/redis.js';

const HOUR_MS = 3_600_000;
const NAMES = ['basket', 'cart', 'delivery', 'flash', 'friends', 'livehello', 'livemore', 'livesteps', 'livetable', 'regulars', 'together', 'welcome'];

const server = await startRedis();
t.teardown(() => server.stop());
const redis = connectRedis(server.url, 'commands', { timeoutMs: 10_000, name: 'test' });
t.teardown(() => { redis.disconnect(); });
await untilReady(redis, 30_000);
const keys = makeKeys('test:');
const config = { cartAbandonedAfterMs: 15_000, offerCooldownMs: HOUR_MS };
const desk = new OfferDesk({ store: new OfferBookStore(redis, keys), clock: () => now, checkEligibility: () => { /* not under test */ } });
const campaigns = new CampaignDesk(new CampaignStore(redis, keys), builtInCampaigns(config));
const silent = (): void => { /* nothing to tell */ };
let now = Date.now();
const keep = demoKeeper({ config, log: { info: silent, debug: silent, warn: silent }, redis, keys, clock: () => now });
const ids = async (status: 'active' | 'archived' | 'paused'): Promise<string[]> => (await desk.list('', 200, status)).offers.map(({ id }) => id);
const handedOut = async (): Promise<unknown> => (await campaigns.get('cart_abandoned')).steps[0]?.offer;

await t.test('a store with items of its own gets no offers', async (t) => {
  await keep();
  t.same(await ids('active'), []);
});

await t.test('the demo store opens one of each, which shoppers have taken up, and a second start changes nothing', async (t) => {
  await redis.hset(keys.meta, 'demo', JSON.stringify({ seed: 2026, until: now, done: true }));
  await keep();
  t.same(await ids('active'), NAMES.map((name) => `${name}-1`));
  t.match(await desk.describe('flash-1'), { terms: { stock: 25 }, usage: { count: 8, redeemed: 4 } });
  t.match(await campaigns.get('cart_abandoned'), { status: 'active', steps: [{ afterS: 15, offer: { id: 'cart-1' } }] });
  const before = await desk.list('', 200);
  await keep();
  t.same(await desk.list('', 200), before);
});

await t.test('what ended is followed by the next round, what an operator paused stays paused', async (t) => {
  await desk.move('basket-1', 'pause', 'test');
  now += 5 * HOUR_MS;
  await keep();
  t.same(await ids('archived'), ['flash-1']);
  t.same(await ids('paused'), ['basket-1']);
  t.ok((await ids('active')).includes('flash-2'));
  now += 31 * 24 * HOUR_MS;
  await keep();
  t.same(await ids('active'), NAMES.map((name) => (name === 'flash' ? 'flash-3' : `${name}-2`)));
  t.same(await handedOut(), { id: 'cart-2' }, 'the campaign hands out the new one');
});

await t.test('the demo\'s host is live with products of two tastes; when the room is closed the next one opens', async (t) => {
  const { desk: rooms } = roomDesks({ redis, keys, catalog: new CatalogStore(redis, keys), offers: desk, clock: () => now });
  const [room, ...others] = (await rooms.list('', 10)).rooms;
  t.match([room, others], [{ id: 'studio-1', status: 'live' }, []]);
  const items = makeStore({ seed: 2026, items: DEMO.items, now });
  const roots = room!.products.map((id) => items.find((item) => item.id === id)?.category[0]);
  t.same([new Set(roots), roots.length], [new Set(['shoes', 'kitchen']), 14]);
  await rooms.close('studio-1');
  await keep();
  await keep();
  t.match((await rooms.list('', 10)).rooms.map(({ id, status }) => `${id} ${status}`), ['studio-2 live', 'studio-1 closed']);
});

await t.test('a campaign of an operator is left alone', async (t) => {
  const { id, status: _status, isBuiltIn: _isBuiltIn, ...campaign } = await campaigns.get('cart_abandoned');
  const [step] = campaign.steps;
  await campaigns.put(id, { ...campaign, steps: [{ ...step!, offer: { id: 'spring' } }] });
  await keep();
  t.same(await handedOut(), { id: 'spring' });
});
