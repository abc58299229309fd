import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Shoppers } from '../../src/paths/shoppers.js';
import { AttributeStore } from '../../src/redis/attribute-store.js';
import { LiveClient } from '../helpers/live-client.js';
import { ITEMS, KEYS, startLive } from '../helpers/live.js';
import { startCampaignWorker, type CampaignWorker } from '../helpers/campaigns.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const AFTER_MS = 500;
const redis = await startRedis();
const server = await startLive(redis.url, { items: ITEMS });
const worker = await startCampaignWorker(redis.url, { afterMs: AFTER_MS });
await worker.catalog.putItems(ITEMS);
t.teardown(async () => {
  await worker.stop();
  await server.close();
  await redis.stop();
});

interface Did { readonly type: string; readonly itemId?: string; readonly timestamp?: number; readonly quantity?: number }
async function act(ids: { userId: string } | { anonymousId: string }, ...events: readonly Did[]): Promise<void> {
  const report = await server.ingestor.ingest(events.map((event) => ({ id: randomUUID(), ...ids, ...event })));
  if (report.rejected.length > 0) throw new Error(JSON.stringify(report.rejected));
}
const outcomesOf = (userId: string, from: CampaignWorker = worker): string[] =>
  from.outcomes.filter(({ enrolment }) => enrolment.shopper === `u:${userId}`).map(({ outcome }) => outcome);
const inboxOf = (userId: string): Promise<unknown[]> => server.offers.inbox(`u:${userId}`, Date.now());

async function listener(userId: string): Promise<LiveClient> {
  const client = await LiveClient.open(server.url, { userId });
  await client.listen();
  return client;
}

await t.test('a cart that is left behind brings one offer, at the socket and for later', async (t) => {
  const client = await listener('left');
  const startedAt = Date.now();
  await act({ userId: 'left' }, { type: 'add_to_cart', itemId: 'i3' });
  const { offer } = await client.next('offer');
  t.ok(Date.now() - startedAt >= AFTER_MS, `after the pause: ${Date.now() - startedAt} ms`);
  t.match(offer, { kind: 'coupon', cause: 'cart_abandoned', title: /Item 3/u, itemId: 'i3', discount: { type: 'percent', value: 10 } });
  t.same(await inboxOf('left'), [offer]);
  t.same(await client.during(AFTER_MS, 'offer'), [], 'and no more');
});

await t.test('the pause begins again with every change', async (t) => {
  const changes = [{ type: 'add_to_cart', itemId: 'i1' }, { type: 'add_to_cart', itemId: 'i2' }, { type: 'remove_from_cart', itemId: 'i1' }, { type: 'begin_checkout' }];
  /** @returns the longest time between two changes, ms */
  const change = async (userId: string): Promise<number> => {
    let longest = 0;
    let lastAt = Date.now();
    for (const one of changes) {
      await act({ userId }, one);
      await pause(300);
      longest = Math.max(longest, Date.now() - lastAt);
      lastAt = Date.now();
    }
    return longest;
  };
  // Where the machine is too busy to change a cart in time, another shopper tries.
  let tries = 1;
  let client = await listener('busy1');
  while (await change(`busy${tries}`) >= AFTER_MS && tries < 20) client = await listener(`busy${++tries}`);
  const lastAt = Date.now() - 300;
  t.same(client.frames, [], 'nothing while the shopper is busy');
  t.match((await client.next('offer')).offer, { itemId: undefined, cause: 'checkout_abandoned' }, 'what was left behind in the end is a checkout');
  t.ok(Date.now() - lastAt >= AFTER_MS);
  t.equal(outcomesOf(`busy${tries}`).filter((outcome) => outcome === 'sent').length, 1);
  t.ok(outcomesOf(`busy${tries}`).includes('restarted'));
  t.ok(outcomesOf(`busy${tries}`).includes('goal_met'), 'and a cart no longer');
});

await t.test('no offer for who bought, emptied the cart, or is gone', async (t) => {
  // Both at once: a machine that stands still between them would leave the cart behind.
  await act({ userId: 'bought' }, { type: 'add_to_cart', itemId: 'i1' }, { type: 'add_to_cart', itemId: 'i2' }, { type: 'purchase', itemId: 'i1' });
  await act({ userId: 'paid' }, { type: 'add_to_cart', itemId: 'i1' }, { type: 'purchase' });
  await act({ userId: 'emptied' }, { type: 'add_to_cart', itemId: 'i1' }, { type: 'remove_from_cart', itemId: 'i1' });
  await act({ userId: 'looked' }, { type: 'view_item', itemId: 'i1' });
  await act({ userId: 'late' }, { type: 'add_to_cart', itemId: 'i1', timestamp: Date.now() - 2 * 3_600_000 });
  await until(() => ['bought', 'paid'].every((user) => outcomesOf(user).includes('goal_met')) && outcomesOf('emptied').includes('not_in_audience'), 'the jobs');
  await pause(200);
  // What began anew a millisecond later was begun twice.
  for (const user of ['bought', 'paid']) t.same(outcomesOf(user).filter((outcome) => outcome !== 'goal_met' && outcome !== 'restarted'), [], user);
  t.same(outcomesOf('emptied').filter((outcome) => outcome !== 'not_in_audience' && outcome !== 'restarted'), []);
  t.same([outcomesOf('looked'), outcomesOf('late')], [[], []], 'nothing to look at');
  for (const user of ['bought', 'paid', 'emptied', 'looked', 'late']) t.same(await inboxOf(user), [], user);
});

await t.test('erasing forgets the cart and the offers', async (t) => {
  const shoppers = new Shoppers({ store: server.store, attributes: new AttributeStore(server.redis, KEYS, { profileTtlS: 3600 }), clock: Date.now, newToken: () => randomBytes(8), newId: randomUUID, handOver: async () => { /* left to the worker */ }, announceErased: async () => { /* one process */ } });
  await act({ userId: 'erased' }, { type: 'add_to_cart', itemId: 'i1' });
  await until(async () => (await inboxOf('erased')).length === 1, 'the offer');
  await shoppers.erase('u:erased');
  await until(async () => (await inboxOf('erased')).length === 0, 'the inbox to be emptied');
  await until(async () => (await worker.redis.zcard(KEYS.watchers('i1'))) === 0 || (await worker.redis.zscore(KEYS.watchers('i1'), 'u:erased')) === null, 'the watch to end');
  t.equal(await worker.redis.exists(KEYS.watched('u:erased')), 0);
});

await t.test('an anonymous cart follows its shopper into the account', async (t) => {
  const client = await listener('known');
  const shoppers = new Shoppers({ store: server.store, attributes: new AttributeStore(server.redis, KEYS, { profileTtlS: 3600 }), clock: Date.now, newToken: () => randomBytes(8), newId: randomUUID, handOver: async () => { /* left to the worker */ }, announceErased: async () => { /* one process */ } });
  await act({ anonymousId: 'unknown' }, { type: 'add_to_cart', itemId: 'i5' });
  t.equal(await shoppers.alias('u:known', 'a:unknown'), true);
  t.match((await client.next('offer')).offer, { itemId: 'i5' });
});

await t.test('what a visitor was sent goes over in a merge, and counts as contacts with the user', async (t) => {
  const shoppers = new Shoppers({ store: server.store, attributes: new AttributeStore(server.redis, KEYS, { profileTtlS: 3600 }), clock: Date.now, newToken: () => randomBytes(8), newId: randomUUID, handOver: async () => { /* left to the worker */ }, announceErased: async () => { /* one process */ } });
  await act({ anonymousId: 'guest' }, { type: 'add_to_cart', itemId: 'i3' });
  const inboxOfGuest = () => server.offers.inbox('a:guest', Date.now());
  await until(async () => (await inboxOfGuest()).length === 1, 'the offer');
  const sent = await inboxOfGuest();
  t.equal(await shoppers.alias('u:host', 'a:guest'), true);
  await until(async () => (await inboxOfGuest()).length === 0, 'the inbox to move');
  t.same(await inboxOf('host'), sent);
  t.equal(await worker.redis.zcard(KEYS.contacts('u:host')), 1);
});

await t.test('one offer of a kind within the cooldown', async (t) => {
  await act({ userId: 'cool' }, { type: 'add_to_cart', itemId: 'i1' });
  await until(() => outcomesOf('cool').length === 1, 'the first');
  await pause(1100); // the profile's times are whole seconds
  await act({ userId: 'cool' }, { type: 'add_to_cart', itemId: 'i2' });
  await until(() => outcomesOf('cool').length === 2, 'the second');
  t.same(outcomesOf('cool'), ['sent', 'cooldown']);
  t.equal((await inboxOf('cool')).length, 1);
});

await t.test('a job that is done again sends nothing again', async (t) => {
  await act({ userId: 'again' }, { type: 'add_to_cart', itemId: 'i1' });
  await until(() => outcomesOf('again').length === 1, 'the job');
  const { enrolment } = worker.outcomes.find((one) => one.enrolment.shopper === 'u:again')!;
  await worker.processors['campaign-step']!(enrolment, new AbortController().signal, false);
  t.same(outcomesOf('again'), ['sent', 'sent_before']);
  t.equal((await inboxOf('again')).length, 1);
});

await t.test('with jobs that die after their work, each offer still comes once', async (t) => {
  const ownRedis = await startRedis();
  const own = await startLive(ownRedis.url, { items: ITEMS });
  const failing = await startCampaignWorker(ownRedis.url, { afterMs: 300, cooldownMs: 0, failAfterWork: 2 });
  t.teardown(async () => {
    await failing.stop();
    await own.close();
    await ownRedis.stop();
  });
  const client = await LiveClient.open(own.url, { userId: 'retry' });
  await client.listen();
  await own.ingestor.ingest([{ id: 'r', type: 'add_to_cart', itemId: 'i1', userId: 'retry' }]);
  await until(() => outcomesOf('retry', failing).length === 3, 'three tries');
  t.same(outcomesOf('retry', failing), ['sent', 'sent_before', 'sent_before']);
  t.equal((await client.during(100, 'offer')).length, 1);
});

t.same(server.faults, []);
