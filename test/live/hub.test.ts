import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import type { OfferMessage } from '../../src/domain/offer-message.js';
import { LiveClient } from '../helpers/live-client.js';
import { startLive } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';

const redis = await startRedis({ appendOnly: true });
const [here, there] = await Promise.all([startLive(redis.url), startLive(redis.url)]);
t.teardown(async () => {
  await Promise.all([here.close(), there.close()]);
  await redis.stop();
});

const offer = (id: string): OfferMessage => ({
  id, kind: 'coupon', cause: 'cart_abandoned', title: `Offer ${id}`, discount: { type: 'percent', value: 10 },
  createdAt: new Date().toISOString(), expiresAt: new Date(Date.now() + 60_000).toISOString(),
});

async function listener(server: typeof here, ids: { userId: string } | { anonymousId: string }): Promise<LiveClient> {
  const client = await LiveClient.open(server.url, ids);
  await client.listen();
  return client;
}

await t.test('a frame sent by any process reaches all sockets of the shopper, and nobody else', async (t) => {
  const mine = await Promise.all([listener(here, { userId: 'ann' }), listener(here, { userId: 'ann' }), listener(there, { userId: 'ann' })]);
  const others = await Promise.all([
    listener(here, { userId: 'ben' }), listener(there, { anonymousId: 'ann' }), listener(here, { userId: 'ann:push' }), listener(here, { userId: '*' }),
  ]);
  const unsubscribed = await LiveClient.open(here.url, { userId: 'ann' });
  t.equal(await there.offers.send('u:ann', offer('o1')), 'sent');
  for (const client of mine) t.match(await client.next('offer'), { offer: { id: 'o1' } });
  await there.redis.spublish(there.keys.push('u:ann'), '{"type":"from_a_newer_version","x":1}');
  for (const nonsense of ['nonsense', '', '~', '1-1', 'x-1 {}', '~1-x {}', `${'1'.repeat(60)}-1 {}`]) await there.redis.spublish(there.keys.push('u:ann'), nonsense);
  t.equal(await here.offers.send('u:ann', offer('o1')), 'sent_before', 'once');
  for (const client of [...mine, ...others, unsubscribed]) t.same(await client.during(30, 'offer'), []);
  for (const client of [...mine, ...others, unsubscribed]) t.same(client.frames, []);
});

await t.test('frames for many shoppers go to each their own', async (t) => {
  const clients = await Promise.all(Array.from({ length: 60 }, (_, i) => listener(i % 2 === 0 ? here : there, { userId: `m${i}` })));
  await Promise.all(clients.flatMap((_, i) => [1, 2, 3].map((n) => here.offers.send(`u:m${i}`, offer(`m${i}.${n}`)))));
  for (const [i, client] of clients.entries()) {
    const ids = [await client.next('offer'), await client.next('offer'), await client.next('offer')].map((frame) => frame.offer?.id);
    t.same(new Set(ids), new Set([`m${i}.1`, `m${i}.2`, `m${i}.3`]));
  }
});

await t.test('what was sent to nobody is the state that a subscription begins with', async (t) => {
  await here.offers.send('u:late', offer('w1'));
  await here.offers.send('u:late', offer('w2'));
  await here.offers.send('u:late', { ...offer('w3'), expiresAt: new Date(Date.now() - 1).toISOString() });
  const client = await LiveClient.open(here.url, { userId: 'late' });
  const offersOf = async (one: LiveClient): Promise<unknown> => (await one.listen()).state?.offers?.map(({ id, isRead = false }) => [id, isRead]);
  t.same(await offersOf(client), [['w1', false], ['w2', false]], 'oldest first, and what has expired is not there');
  t.match(await client.ask({ type: 'ack', messageIds: ['w1', 'unheard of'] }), { type: 'acked', messageIds: ['w1'] });
  await client.ask({ type: 'events', events: [{ id: 'seen', type: 'view_promotion', context: { offerId: 'w1' } }, { id: 'no', type: 'dismiss', context: { offerId: 'w2' } }] });
  const again = await LiveClient.open(there.url, { userId: 'late' });
  t.same(await offersOf(again), [['w1', true]], 'one that was seen is there after a reload, one that was declined is not');
  t.same(await offersOf(await LiveClient.open(here.url, { anonymousId: 'late' })), [], 'nor is anything for a namesake');
  t.same([...client.frames, ...again.frames], []);
});

await t.test('subscriptions outlive a lost connection and a restart of Redis; what came meanwhile comes late', async (t) => {
  const client = await listener(here, { userId: 'eve' });
  await there.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await pause(200);
  await there.offers.send('u:eve', offer('r1'));
  t.match(await client.next('offer'), { offer: { id: 'r1' } }, 'after the connection was lost');
  await redis.restart();
  while (there.redis.status !== 'ready') await pause(10);
  await there.offers.send('u:eve', offer('r2'));
  t.match(await client.next('offer'), { offer: { id: 'r2' } }, 'after Redis came back');
  t.equal(client.closed, undefined, 'the socket stayed open');
  await there.offers.send('u:eve', offer('r3'));
  t.match(await client.next('offer'), { offer: { id: 'r3' } });
  t.same(client.frames, [], 'nothing twice');
  t.equal(client.closed, undefined);
});

await t.test('while Redis is away a socket stays; a new subscription is asked to come back', async (t) => {
  const server = await startLive(redis.url);
  const hasty = await startLive(redis.url, { limits: { subscribeMs: 300 } });
  const staying = await listener(server, { userId: 'stay' });
  await redis.kill('SIGKILL');
  const late = await LiveClient.open(hasty.url, { userId: 'new' });
  late.send({ type: 'subscribe', channel: late.channel });
  t.match(await late.untilClosed(), { code: 1013, reason: 'store_unavailable' });
  t.match(await staying.ask({ type: 'events', events: [{ id: 'x', type: 'view_item' }] }), { type: 'error', code: 'store_unavailable', retryable: true });
  t.equal(staying.closed, undefined);
  await redis.restart();
  while (server.redis.status !== 'ready') await pause(10);
  await server.offers.send('u:stay', offer('back'));
  t.match(await staying.next('offer'), { offer: { id: 'back' } });
  await Promise.all([server.close(), hasty.close()]);
});

t.same([...here.faults, ...there.faults], []);
