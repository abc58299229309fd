import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import type { Item } from '../../src/domain/item.js';
import { LiveClient } from '../helpers/live-client.js';
import { ITEMS, KEYS, startLive } from '../helpers/live.js';
import { startCampaignWorker } from '../helpers/campaigns.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const redis = await startRedis();
const server = await startLive(redis.url, { items: ITEMS });
let worker = await startCampaignWorker(redis.url, { afterMs: 3_600_000, cooldownMs: 0 });
await worker.catalog.putItems(ITEMS);
t.teardown(async () => {
  await worker.stop();
  await server.close();
  await redis.stop();
});

async function act(userId: string, ...events: readonly { type: string; itemId: string }[]): Promise<void> {
  await server.ingestor.ingest(events.map((event) => ({ id: randomUUID(), userId, ...event })));
}
const isWatched = async (userId: string, itemId: string): Promise<boolean> => (await worker.redis.zscore(KEYS.watchers(itemId), `u:${userId}`)) !== null;
const titlesOf = async (userId: string): Promise<string[]> => (await server.offers.inbox(`u:${userId}`, Date.now())).map(({ title }) => title);
const setPrice = async (id: string, price: number, more: Partial<Item> = {}): Promise<void> => {
  await worker.catalog.putItems([{ ...ITEMS.find((item) => item.id === id)!, price, ...more }]);
};

await t.test('who has the item in cart or wishlist hears of a lower price', async (t) => {
  const client = await LiveClient.open(server.url, { userId: 'cart' });
  await client.listen();
  await act('cart', { type: 'add_to_cart', itemId: 'i4' });
  await act('wish', { type: 'add_to_wishlist', itemId: 'i4' });
  await act('both', { type: 'add_to_cart', itemId: 'i4' }, { type: 'add_to_wishlist', itemId: 'i4' });
  await act('viewer', { type: 'view_item', itemId: 'i4' });
  await act('removed', { type: 'add_to_cart', itemId: 'i4' });
  await act('removed', { type: 'remove_from_cart', itemId: 'i4' });
  await act('kept', { type: 'add_to_cart', itemId: 'i4' }, { type: 'add_to_wishlist', itemId: 'i4' });
  await act('kept', { type: 'remove_from_cart', itemId: 'i4' });
  await act('buyer', { type: 'add_to_wishlist', itemId: 'i4' });
  await act('buyer', { type: 'purchase', itemId: 'i4' });
  await until(async () => await isWatched('kept', 'i4') && await isWatched('wish', 'i4') && !await isWatched('buyer', 'i4') && !await isWatched('removed', 'i4'), 'the index');
  await setPrice('i4', 9.5);
  t.match((await client.next('offer')).offer, {
    kind: 'price_drop', cause: 'price_drop', itemId: 'i4', title: 'Item 4 now costs €9.50 instead of €14.00',
    discount: { type: 'amount', value: 4.5 }, price: { was: 14, now: 9.5 }, currency: 'EUR',
  });
  await until(() => worker.told.some(({ sent }) => sent === 4), 'the job');
  for (const user of ['cart', 'wish', 'both', 'kept']) t.same(await titlesOf(user), ['Item 4 now costs €9.50 instead of €14.00'], user);
  for (const user of ['viewer', 'removed', 'buyer']) t.same(await titlesOf(user), [], user);
});

await t.test('no word of a price that rose, hardly fell, or of something sold out', async (t) => {
  await act('calm', { type: 'add_to_cart', itemId: 'i6' });
  await until(() => isWatched('calm', 'i6'), 'the index');
  await setPrice('i6', 20);
  await setPrice('i6', 18); // lower than just before, higher than when it was put there
  await setPrice('i6', 15.99); // from 16.00
  await setPrice('i6', 10, { stock: 0 });
  await pause(400);
  t.same(await titlesOf('calm'), []);
  await setPrice('i6', 9);
  await until(async () => (await titlesOf('calm')).includes('Item 6 now costs €9.00 instead of €16.00'), 'the real drop');
});

await t.test('an index that is wrong does no harm and is put right', async (t) => {
  await worker.watchers.watch([{ shopper: 'u:nobody', itemId: 'i7', at: Date.now() }]);
  await setPrice('i7', 1);
  await until(() => worker.told.some(({ itemId }) => itemId === 'i7'), 'the job');
  t.same(worker.told.filter(({ itemId }) => itemId === 'i7').map(({ sent }) => sent), [0]);
  t.equal(await isWatched('nobody', 'i7'), false);
});

await t.test('who waits for something sold out hears when it is back, once', async (t) => {
  await setPrice('i0', 10, { stock: 0 });
  await act('waiting', { type: 'add_to_wishlist', itemId: 'i0' });
  await until(() => isWatched('waiting', 'i0'), 'the index');
  await until(async () => await worker.redis.sismember(KEYS.soldOutSeen, 'i0') === 1, 'the watch to see it');
  await setPrice('i0', 10, { stock: 3 });
  await until(() => worker.told.some(({ itemId, change }) => itemId === 'i0' && change === 'back_in_stock'), 'the job');
  await setPrice('i0', 10, { stock: 2 });
  t.same(await titlesOf('waiting'), ['Item 0 is back']);
});

await t.test('a job that runs again, or too late, sends nothing again', async (t) => {
  await act('late', { type: 'add_to_cart', itemId: 'i8' });
  await until(() => isWatched('late', 'i8'), 'the index');
  // Again; after the price went back up; of an item that is gone.
  for (const itemId of ['i4', 'i8', 'unheard of']) {
    await worker.processors['item-news']!({ itemId, change: 'price_drop', sequence: 1 }, new AbortController().signal, false);
    t.same(worker.told.at(-1), { itemId, change: 'price_drop', sent: 0 });
  }
});

await t.test('changes made while no worker ran are not lost', async (t) => {
  await act('patient', { type: 'add_to_cart', itemId: 'i9' }, { type: 'add_to_wishlist', itemId: 'i10' });
  await until(async () => await isWatched('patient', 'i9') && await isWatched('patient', 'i10'), 'the index');
  await worker.stop();
  const other = await startLive(redis.url);
  const { CatalogStore } = await import('../../src/redis/catalog-store.js');
  const catalog = new CatalogStore(other.redis, KEYS);
  await catalog.putItems([{ ...ITEMS[9]!, price: 5 }]);
  worker = await startCampaignWorker(redis.url, { afterMs: 3_600_000, cooldownMs: 0 });
  await until(async () => (await titlesOf('patient')).length === 1, 'the first drop');
  await worker.stop();
  // This change is trimmed away before anybody read it: only the gap in the sequence tells of it.
  await catalog.putItems([{ ...ITEMS[10]!, price: 5 }]);
  await catalog.putItems([{ ...ITEMS[11]!, title: 'unrelated' }]);
  await other.redis.xtrim(KEYS.catalogChanges, 'MAXLEN', 1);
  worker = await startCampaignWorker(redis.url, { afterMs: 3_600_000, cooldownMs: 0 });
  await until(async () => (await titlesOf('patient')).length === 2, 'the drop behind the gap');
  await other.close();
  t.pass('both came');
});

await t.test('one offer of a kind within the cooldown', async (t) => {
  await worker.stop();
  worker = await startCampaignWorker(redis.url, { afterMs: 3_600_000, cooldownMs: 60_000 });
  await act('often', { type: 'add_to_cart', itemId: 'i1' }, { type: 'add_to_cart', itemId: 'i2' });
  await until(async () => await isWatched('often', 'i1') && await isWatched('often', 'i2'), 'the index');
  await worker.catalog.putItems([{ ...ITEMS[1]!, price: 2 }, { ...ITEMS[2]!, price: 2 }]);
  await until(() => worker.told.length === 2, 'both jobs');
  t.equal(worker.told.reduce((sum, { sent }) => sum + sent, 0), 1);
  t.equal((await titlesOf('often')).length, 1);
});

await t.test('the index is bounded', async (t) => {
  await worker.watchers.watch(Array.from({ length: 100 }, (_, i) => ({ shopper: 'u:hoarder', itemId: `h${i}`, at: i })));
  t.equal(await worker.redis.zcard(KEYS.watched('u:hoarder')), 64);
  await worker.watchers.watch(Array.from({ length: 10_050 }, (_, i) => ({ shopper: `u:w${i}`, itemId: 'popular', at: i })));
  t.equal(await worker.redis.zcard(KEYS.watchers('popular')), 10_000);
  t.equal(await worker.redis.zscore(KEYS.watchers('popular'), 'u:w0'), null, 'the longest ago goes');
  await worker.watchers.forget('u:hoarder');
  t.equal(await worker.redis.exists(KEYS.watchers('h99'), KEYS.watched('u:hoarder')), 0);
});

t.same(server.faults, []);
