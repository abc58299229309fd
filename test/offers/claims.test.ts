import t from 'tap';
import { claimIdOfCode, codeSource } from '../../src/domain/claim-code.js';
import { ClaimStore } from '../../src/redis/claim-store.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { claimRig, made, NOW, numberOf, reason } from '../helpers/claims.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo, keys, until } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const { book, claims, offer, claim, balance } = claimRig(redis);
t.beforeEach(async () => { await redis.flushall(); });

await t.test('a claim has an unguessable code that leads to it; the same key gets the same claim', async (t) => {
  const one = await offer('one');
  const first = await claim(one, 'u:ann', { key: 'k1', deviceId: 'phone' });
  const again = await claim(one, 'u:ann', { key: 'k1', deviceId: 'phone', at: NOW + 500 });
  t.same(made(again), made(first));
  t.equal('isNew' in first && first.isNew, true);
  t.equal('isNew' in again && again.isNew, false);
  t.match(made(first), { status: 'claimed', shopper: 'u:ann', createdAt: NOW, expiresAt: NOW + 86_400_000, reservedMinor: 500, code: /^one-[0-9a-hjkmnp-tv-z]{25}$/u });
  t.equal(claimIdOfCode(made(first).code.toUpperCase().replace('ONE', 'one')), made(first).id, 'whoever shows the code finds the claim');
  t.notOk(made(first).id.includes(made(first).code.slice(4)), 'and an id does not tell the code');
  t.same(await balance(one), { money: 500, count: 1, ofClaims: { money: 500, count: 1 } });
});

await t.test('each reason why not', async (t) => {
  const one = await offer('one', { caps: { perUser: 2, perDevice: 1 } });
  made(await claim(one, 'u:ann', { key: 'k1', deviceId: 'phone' }));
  const cases: [string, string, ReturnType<typeof claim>][] = [
    ['the key with another shopper', 'key_reused', claim(one, 'u:bob', { key: 'k1', deviceId: 'phone' })],
    ['the key with another device', 'key_reused', claim(one, 'u:ann', { key: 'k1', deviceId: 'tablet' })],
    ['the device again', 'cap_reached', claim(one, 'u:cyd', { deviceId: 'phone' })],
    ['not eligible', 'not_eligible', claim(one, 'u:dan', { isEligible: false })],
    ['too early', 'outside_window', claim(one, 'u:dan', { at: one.window.startsAt - 1 })],
    ['too late', 'outside_window', claim(one, 'u:dan', { at: one.window.endsAt })],
    ['paused', 'offer_not_active', claim(await offer('two', { status: 'paused' }), 'u:ann')],
    ['no such offer', 'budget_missing', claim({ ...one, id: 'none' }, 'u:ann')],
  ];
  for (const [what, expected, outcome] of cases) t.equal(reason(await outcome), expected, what);
  made(await claim(one, 'u:ann'));
  t.equal(reason(await claim(one, 'u:ann')), 'cap_reached', 'the shopper a third time');
  t.equal(reason(await claim(one, 'u:ann', { key: 'k1', deviceId: 'phone', isEligible: false, at: NOW + 1e9 })), 'made', 'what the key has, it keeps');
});

await t.test('money and count are each a limit, and of a flash sale the stock is one', async (t) => {
  const money = await offer('money', { budget: { moneyMinor: 1499, count: 10 } });
  const count = await offer('count', { budget: { moneyMinor: 5000, count: 2 } });
  const stock = await offer('stock', { terms: { kind: 'flash_sale', itemId: 'i', priceMinor: 100, stock: 2, costMinor: 0 } });
  for (const one of [money, count, stock]) {
    const outcomes = await Promise.all(Array.from({ length: 6 }, (_, i) => claim(one, `u:${i}`)));
    t.same(outcomes.map(reason).toSorted(), ['made', 'made', 'offer_exhausted', 'offer_exhausted', 'offer_exhausted', 'offer_exhausted'], one.id);
  }
});

await t.test('who asks twice in one turn gets one claim', async (t) => {
  const one = await offer('one');
  const twice = await Promise.all(['k1', 'k1', 'k2'].map((key) => claim(one, 'u:ann', { key })));
  t.equal(made(twice[0]!).id, made(twice[1]!).id);
  t.equal(reason(twice[2]!), 'cap_reached');
  const crowd = await Promise.all(Array.from({ length: 300 }, (_, i) => claim(one, `u:${i % 20}`)));
  t.equal(crowd.filter((outcome) => reason(outcome) === 'made').length, 9, 'and a crowd no more than there is');
  t.same(await balance(one), { money: 5000, count: 10, ofClaims: { money: 5000, count: 10 } });
});

await t.test('what could be taken for somebody else is refused', async (t) => {
  const one = await offer('one');
  for (const bad of ['u:a\nb', 'u:a\0b']) await t.rejects(claim(one, bad), { code: 'invalid_request' });
  await t.rejects(claim(one, 'u:ann', { key: 'k\n' }), { code: 'invalid_request' });
});

await t.test('a missing budget hands out nothing, and a definition written again does not fill it', async (t) => {
  const one = await offer('one');
  made(await claim(one, 'u:ann'));
  await redis.hdel(keys.offer('one').state, 'money');
  t.equal(reason(await claim(one, 'u:bob')), 'budget_missing');
  const entry = { at: NOW, by: 'test', action: 'change', version: 2, changes: {} } as const;
  t.same(await book.write({ ...one, version: 2 }, entry), { kind: 'budget_missing' });
});

await t.test('a definition changed leaves what is out; a budget below it is refused', async (t) => {
  const one = await offer('one', { caps: { perUser: 5 } });
  for (let i = 0; i < 3; i++) made(await claim(one, 'u:ann'));
  const entry = { at: NOW, by: 'test', action: 'change', version: 2, changes: {} } as const;
  t.same(await book.write({ ...one, version: 2, budget: { moneyMinor: 1499, count: 10 } }, entry), { kind: 'below', moneyMinor: 1500, count: 3 });
  t.same(await book.write({ ...one, version: 2, budget: { moneyMinor: 1500, count: 2 } }, entry), { kind: 'below', moneyMinor: 1500, count: 3 });
  t.same(await book.write({ ...one, version: 2, budget: { moneyMinor: 1500, count: 3 } }, entry), { kind: 'written' });
  t.same(await book.write({ ...one, version: 2 }, entry), { kind: 'changed', version: 2 });
  t.equal(reason(await claim(one, 'u:bob')), 'offer_exhausted');
  t.same(await book.write({ ...one, version: 3 }, entry), { kind: 'written' });
  t.equal(reason(await claim(one, 'u:bob')), 'made');
  t.match(await balance(one), { money: 2000, count: 4 });
});

await t.test('redeemed for less, the rest is there again; a refund returns by the policy; saying it again changes nothing', async (t) => {
  for (const returns of [true, false]) {
    const one = await offer(`one-${returns}`, { refundReturnsBudget: returns });
    const settle = (what: 'redeem' | 'release' | 'refund', id: { id: string }, spent = 0, at = NOW) => claims.settle(what, one.id, numberOf(id), at, spent);
    const mine = made(await claim(one, 'u:ann'));
    t.equal(reason(await settle('refund', mine)), 'claim_not_redeemed');
    t.equal(reason(await settle('redeem', mine, 501)), 'above_reserved');
    t.equal(reason(await settle('redeem', mine, 1, mine.expiresAt)), 'claim_expired');
    for (let i = 0; i < 2; i++) t.match(made(await settle('redeem', mine, 300)), { status: 'redeemed', spentMinor: 300, reservedMinor: 500 });
    t.equal(reason(await settle('redeem', mine, 200)), 'claim_settled', 'another amount');
    t.equal(reason(await settle('release', mine)), 'claim_settled');
    t.same(await balance(one), { money: 300, count: 1, ofClaims: { money: 300, count: 1 } });
    t.match((await book.pulses([one.id]))[0], { usage: { redeemed: 1, spentMinor: 300 } });
    for (let i = 0; i < 2; i++) t.equal(made(await settle('refund', mine)).status, 'refunded');
    const out = returns ? { money: 0, count: 0 } : { money: 300, count: 1 };
    t.same(await balance(one), { ...out, ofClaims: out });
    t.equal(reason(await claim(one, 'u:ann')), 'cap_reached', 'the place under the cap does not come back');
    const other = made(await claim(one, 'u:bob'));
    for (let i = 0; i < 2; i++) t.equal(made(await settle('release', other)).status, 'released');
    t.equal(reason(await claim(one, 'u:bob')), 'made', 'but of one that was given back');
    t.equal(reason(await settle('redeem', { id: `${one.id}.${'0'.repeat(32)}` })), 'not_found');
  }
});

await t.test('with replicas to wait for, a claim is unknown until they have it, and its key tells', async (t) => {
  const wait = connectRedis(server.url, 'commands', { timeoutMs: 3000, name: 'test-wait' });
  t.teardown(() => { wait.disconnect(); });
  await untilReady(wait, 5000);
  const careful = new ClaimStore(redis, keys, codeSource(), { redis: wait, replicas: 1, timeoutMs: 100 });
  const one = await offer('one', { caps: { perUser: 100 }, budget: { moneyMinor: 50_000, count: 100 } });
  const ask = (key: string) => careful.claim({ offerId: 'one', kind: 'fixed', key, shopper: 'u:ann', isEligible: true, at: NOW });
  await t.rejects(ask('k1'), { code: 'write_unknown' }, 'no replica');
  await t.rejects(ask('k1'), { code: 'write_unknown' }, 'nor for the same key');
  const replica = await startRedis({ settings: { replicaof: `127.0.0.1 ${server.port}` } });
  t.teardown(() => replica.stop());
  await until('the replica is there', async () => (await redis.info('replication')).includes('state=online'), 20_000);
  await until('the claim is known', async () => ask('k1').then((outcome) => 'isNew' in outcome && !outcome.isNew, () => false));
  const crowd = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => ask(`crowd-${i % 25}`)));
  t.same(await balance(one), { money: 13_000, count: 26, ofClaims: { money: 13_000, count: 26 } });
  const copy = await commandsTo(replica.url);
  t.teardown(() => { copy.disconnect(); });
  const known = crowd.flatMap((result) => (result.status === 'fulfilled' && 'claim' in result.value ? [result.value.claim] : []));
  for (const mine of known) t.equal(await copy.hexists(keys.offer('one').state, `c:${numberOf(mine)}`), 1, 'what was handed out, the replica has');
});
