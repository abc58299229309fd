import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { askPatiently, type AskedOfEngine } from '../../bench/live/ask-engine.js';
import { ClusterFleet } from '../../bench/live/cluster-fleet.js';
import { killMaster } from '../../bench/live/cluster.js';
import { ApiClient } from '../../bench/claims/api-client.js';
import { anOffer } from '../../bench/claims/offers.js';
import { LiveClient, type Frame } from '../helpers/live-client.js';
import { putItems } from '../helpers/traffic.js';
import { until } from '../helpers/until.js';

/** The engine on a Redis Cluster of six processes: all that it does, and the loss of a master. The long form: `npm run bench:live -- cluster`. */

const NODE_TIMEOUT_MS = 2000;
const fleet = await ClusterFleet.start({ apis: 2, nodeTimeoutMs: NODE_TIMEOUT_MS, env: { CART_ABANDONED_AFTER_S: '1', LOG_LEVEL: 'warn' } });
t.teardown(() => fleet.stop());
t.setTimeout(240_000);
const ask = async <T = Record<string, unknown>>(...request: AskedOfEngine): Promise<T> => await askPatiently(fleet.engine.url, ...request) as T;
await putItems(fleet.engine.url, 60);

await t.test('events, portraits, segments, merges and erasure', async (t) => {
  await ask('PUT', '/v1/segments/buyers-all', { title: 'Buyers', expression: 'orders > 0' });
  const events = Array.from({ length: 120 }, (_, i) => ({ id: `e${i}`, type: i % 3 === 0 ? 'purchase' : 'view_item', userId: `s${i % 40}`, itemId: `sku-${i % 60}`, value: 5 }));
  const { accepted, duplicates, rejected } = await ask<{ accepted: number; duplicates: number; rejected: unknown[] }>('POST', '/v1/events', { events });
  // More than one try may have been needed, and some of them been taken by each.
  t.same([accepted + duplicates, rejected], [120, []]);
  t.match(await ask('POST', '/v1/events', { events }), { accepted: 0, duplicates: 120 });
  t.match(await ask('POST', '/v1/events', { events: [{ id: 'v1', type: 'purchase', anonymousId: 'visitor', itemId: 'sku-1', value: 7 }] }), { rejected: [] });
  t.match(await ask('POST', '/v1/users/s1/alias', { anonymousId: 'visitor' }), { merged: true });
  t.match(await ask('GET', '/v1/users/s1/profile'), { events: 4 });
  await until(async () => (await ask<{ size: number }>('GET', '/v1/segments/buyers-all')).size === 40, 'all buyers are in the segment');
  t.match(await ask('POST', '/v1/segments/estimate', { expression: 'orders > 0' }), { size: Number });
  const members = await ask<{ members: unknown[] }>('GET', '/v1/segments/buyers-all/members?limit=100');
  t.equal(members.members.length, 40);
  await ask('DELETE', '/v1/users/s2');
  await until(async () => (await ask<{ size: number }>('GET', '/v1/segments/buyers-all')).size === 39, 'who is erased leaves it');
  t.match(await ask('POST', '/v1/recommendations', { userId: 's1', scene: 'home', limit: 5 }), { items: { length: 5 } });
});

await t.test('offers, claims and wallets on all masters; a cart that is left behind brings a message to the socket', async (t) => {
  const offers = Array.from({ length: 9 }, (_, i) => ({ ...anOffer(`all-${i}`, 50, 0), marginMinor: 400 }));
  for (const offer of offers) {
    await ask('POST', '/v1/offers', offer);
    await ask('POST', `/v1/offers/${offer.id}/activate`);
  }
  const client = await LiveClient.open(fleet.engine.url, { userId: 'carter' });
  await client.listen();
  await ask('POST', '/v1/events', { events: [{ id: 'c1', type: 'add_to_cart', userId: 'carter', itemId: 'sku-3' }] });
  const api = new ApiClient(fleet.engine.url, 4);
  t.teardown(() => api.stop());
  for (const { id } of offers) await until(async () => (await api.send({ act: 'claim', offer: id, key: id, userId: 'carter' })).type === 'ok', `${id} is claimed, however busy its replica is`);
  await until(async () => (await ask<{ claims: unknown[] }>('GET', '/v1/users/carter/wallet')).claims.length === offers.length, 'the wallet has them');
  t.match(await ask('POST', '/v1/decisions', { userId: 'carter', scene: 'cart' }), { decisionId: String });
  t.match((await client.next('offer')).offer, { cause: 'cart_abandoned', itemId: 'sku-3' });
  t.match(await ask('GET', '/v1/users/carter/inbox'), { messages: [{ cause: 'cart_abandoned' }] });
  await client.close();
});

await t.test('a room: every viewer the same frames in order, and an offer of their own', async (t) => {
  await ask('POST', '/v1/rooms', { id: 'stage', title: 'Stage', host: { id: 'h', name: 'Host' }, category: ['Live'], products: ['sku-1', 'sku-2'], access: 'public' });
  await ask('POST', '/v1/rooms/stage/open');
  const viewers = await Promise.all(['s5', 's6', 's7', 's8'].map((userId) => LiveClient.open(fleet.engine.url, { userId })));
  for (const viewer of viewers) {
    await viewer.listen();
    await viewer.listen({ channel: 'room:stage' });
  }
  await until(() => ask('POST', '/v1/rooms/stage/cues', { kind: 'coupon_ladder', offerIds: ['all-1', 'all-2', 'all-3'], durationS: 600 }).then(() => true, () => false), 'every process knows the room');
  for (let n = 0; n < 20; n++) await ask('POST', '/v1/rooms/stage/cues', { kind: 'pin', itemId: n % 2 === 0 ? 'sku-1' : null });
  const ofRoom = (viewer: LiveClient): Frame[] => viewer.frames.filter(({ channel, type }) => channel === 'room:stage' && type === 'cue');
  await until(() => viewers.every((viewer) => ofRoom(viewer).length >= 21), 'all cues arrive');
  const [first] = viewers.map(ofRoom);
  for (const viewer of viewers) {
    t.same(ofRoom(viewer), first);
    t.match((await viewer.next('offer')).offer, { cueId: 'stage.1' });
  }
  const places = viewers[0]!.frames.filter(({ channel, type, offset }) => channel === 'room:stage' && type !== 'stats' && type !== 'subscribed' && offset !== undefined).map(({ offset }) => offset!);
  t.same(places, places.map((_, i) => places[0]! + i), 'without a gap');
  await ask('POST', '/v1/rooms/stage/cues', { kind: 'flash_sale', itemId: 'sku-2', priceMinor: 100, stock: 5, durationS: 60 });
  await Promise.all(viewers.map((viewer) => viewer.close()));
});

await t.test('nothing reached over slots, and all groups keep up', async (t) => {
  const lags = async (): Promise<string[]> => (await (await fetch(`${fleet.engine.url}/metrics`)).text()).split('\n').filter((line) => line.startsWith('rivulet_stream_lag{'));
  t.ok((await lags()).length >= 8);
  await until(async () => (await lags()).every((line) => line.endsWith(' 0')), 'every group has handled all');
  await pause(500);
  t.notMatch(fleet.engine.output(), /CROSSSLOT|same slot|MOVED|NOSCRIPT/u);
});

await t.test('kill -9 of a master: served again soon, no claim over budget, none twice, none lost', async (t) => {
  const { broken, claims, unknown, forgotten, ...times } = await killMaster(fleet, { rounds: 1, apis: 2, clients: 12, viewers: 12, writers: 8, nodeTimeoutMs: NODE_TIMEOUT_MS }, 1);
  t.same(broken, []);
  t.ok(claims > 0 && unknown > 0, `${claims} claims, ${unknown} answers without certainty, ${forgotten} acknowledged writes forgotten`);
  t.pass(JSON.stringify(times));
});
