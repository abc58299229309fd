import { randomBytes, randomUUID } from 'node:crypto';
import t from 'tap';
import type { Claim } from '../../src/domain/claim.js';
import type { StreamRecord } from '../../src/domain/record.js';
import { Shoppers } from '../../src/paths/shoppers.js';
import { AttributeStore } from '../../src/redis/attribute-store.js';
import { mergeClaims } from '../../src/redis/merge-claims.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { claimJobs } from '../../src/wire/claim-jobs.js';
import { anEvent, commandsTo, keys, silent } from '../helpers/streams.js';
import { claimRig, made, NOW, numberOf, reason } from '../helpers/claims.js';
import { startRedis } from '../helpers/redis.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const { claims, wallets, book, offer, claim, balance } = claimRig(redis);
let now = NOW;
const profiles = new ProfileStore(redis, keys, { profileTtlS: 3600, streamEntriesMax: 1000 });
const { events, keeper } = claimJobs({ redis, keys, profiles, name: 'test', clock: () => now, log: silent });
const shoppersWith = (mergeClaims: (from: string, to: string) => Promise<void>): Shoppers => new Shoppers({
  store: profiles, attributes: new AttributeStore(redis, keys, { profileTtlS: 3600 }), handOver: mergeClaims,
  clock: () => now, newToken: () => randomBytes(8), newId: randomUUID, announceErased: async () => { /* one process */ },
});
t.beforeEach(async () => {
  await redis.flushall();
  now = NOW;
});

const status = async ({ offerId, id }: Claim): Promise<string | undefined> => (await claims.get(offerId, numberOf({ id })))?.status;
const statuses = (all: readonly Claim[]): Promise<(string | undefined)[]> => Promise.all(all.map(status));
const happens = (...records: Parameters<typeof anEvent>[0][]): Promise<void> => events.handle(records.map((fields, i) => {
  const record = anEvent({ at: now, ...fields });
  return { partition: 0, id: `${i}-0`, record, json: JSON.stringify(record) };
}));

await t.test('a claim that nobody redeems expires; budget and cap are free again; in the end it is forgotten', async (t) => {
  const one = await offer('one', { claimTtlS: 60 });
  const mine = made(await claim(one, 'u:ann', { key: 'k1' }));
  await keeper.round();
  t.equal(await status(mine), 'claimed');
  now += 60_000;
  await keeper.round();
  t.equal(await status(mine), 'expired');
  for (const what of ['redeem', 'refund'] as const) t.equal(reason(await claims.settle(what, 'one', numberOf(mine), now, 1)), 'claim_expired');
  t.same(await balance(one), { money: 0, count: 0, ofClaims: { money: 0, count: 0 } });
  t.equal(reason(await claim(one, 'u:ann', { at: now })), 'made');
  now += 100 * 86_400_000;
  await keeper.round();
  await keeper.round();
  t.equal(await status(mine), undefined);
  now += 100 * 86_400_000;
  await keeper.round();
  t.same((await redis.hkeys(keys.offer('one').state)).filter((field) => /^[ckud]:/u.test(field)), [], 'nothing is left of anybody');
});

await t.test('an archived offer is let go of when all its claims are forgotten', async (t) => {
  const one = await offer('one', { claimTtlS: 60, status: 'active' });
  made(await claim(one, 'u:ann'));
  await book.write({ ...one, status: 'archived', version: 2 }, { at: NOW, by: 'test', action: 'archive', version: 2, changes: {} });
  await keeper.round();
  t.same(await book.openIds(), ['one']);
  for (let i = 0; i < 4; i++) {
    now += 100 * 86_400_000;
    await keeper.round();
  }
  t.same(await book.openIds(), []);
  t.same(await book.ids('', 10), ['one'], 'it stays listed');
});

await t.test('a wallet that was never written is written by the follower of the ledger', async (t) => {
  const one = await offer('one');
  const mine = made(await claim(one, 'u:ann'));
  t.same(await wallets.read('u:ann'), [], 'as after a crash between claim and wallet');
  await keeper.round();
  t.same(await wallets.read('u:ann'), [{ claimId: mine.id, at: NOW }]);
  t.equal(await redis.xlen(keys.offer('one').ledger), 0, 'and the ledger does not grow for ever');
});

const GROUP = { kind: 'group_buy', itemId: 'i1', priceMinor: 500, size: 3, withinS: 600, costMinor: 100 } as const;

await t.test('a group that fills is claimed as a whole, with its last member', async (t) => {
  const one = await offer('one', { terms: GROUP });
  const first = made(await claim(one, 'u:ann'));
  t.match(first, { status: 'held', groupId: first.id, expiresAt: NOW + 600_000 });
  t.equal(reason(await claims.settle('redeem', 'one', numberOf(first), NOW, 1)), 'claim_held');
  t.equal(reason(await claim(one, 'u:ann', { named: numberOf(first) })), 'cap_reached');
  const second = made(await claim(one, 'u:bob', { named: numberOf(first) }));
  const third = made(await claim(one, 'u:cyd', { named: numberOf(first), at: NOW + 1000 }));
  t.match(third, { status: 'claimed', groupId: first.id, expiresAt: NOW + 1000 + 86_400_000 });
  t.same(await statuses([first, second, third]), ['claimed', 'claimed', 'claimed']);
  t.equal(reason(await claim(one, 'u:dan', { named: numberOf(first) })), 'group_closed');
  now += 700_000;
  await keeper.round();
  t.same(await statuses([first, second, third]), ['claimed', 'claimed', 'claimed'], 'the deadline is nothing to them any more');
  t.same(await balance(one), { money: 300, count: 3, ofClaims: { money: 300, count: 3 } });
});

await t.test('a group that does not fill is released as a whole', async (t) => {
  const one = await offer('one', { terms: GROUP });
  const first = made(await claim(one, 'u:ann'));
  const second = made(await claim(one, 'u:bob', { named: numberOf(first), at: NOW + 1000 }));
  now += 599_999;
  await keeper.round();
  t.same(await statuses([first, second]), ['held', 'held']);
  now += 1;
  t.equal(reason(await claim(one, 'u:cyd', { named: numberOf(first), at: now })), 'group_closed', 'too late, though nobody swept yet');
  await keeper.round();
  t.same(await statuses([first, second]), ['released', 'released']);
  t.same(await balance(one), { money: 0, count: 0, ofClaims: { money: 0, count: 0 } });
});

await t.test('a member who leaves an open group makes room; ten who want the last place are one', async (t) => {
  const one = await offer('one', { terms: GROUP });
  const first = made(await claim(one, 'u:ann'));
  const second = made(await claim(one, 'u:bob', { named: numberOf(first) }));
  await claims.settle('release', 'one', numberOf(first), NOW);
  const third = made(await claim(one, 'u:cyd', { named: numberOf(first) }));
  const wanted = await Promise.all(Array.from({ length: 10 }, (_, i) => claim(one, `u:${i}`, { named: numberOf(first) })));
  t.same(wanted.map(reason).toSorted(), [...Array.from({ length: 9 }, () => 'group_closed'), 'made']);
  t.same(await statuses([first, second, third]), ['released', 'claimed', 'claimed']);
});

const SHARE = { kind: 'share_reward', sharerMinor: 100, friendMinor: 50, refundableS: 1000 } as const;

await t.test('a share rewards both once the purchase of the friend can no longer be refunded', async (t) => {
  const one = await offer('one', { terms: SHARE });
  const sharer = made(await claim(one, 'u:ann', { deviceId: 'phone' }));
  t.match(sharer, { status: 'held', shareCode: sharer.id, reservedMinor: 100 });
  const named = numberOf(sharer);
  t.equal(reason(await claim(await offer('two', { terms: SHARE, caps: { perUser: 5 } }), 'u:ann', { named })), 'share_closed', 'of another offer');
  t.equal(reason(await claim(one, 'u:bob', { named, deviceId: 'phone' })), 'not_eligible', 'the same device');
  const friend = made(await claim(one, 'u:bob', { named, deviceId: 'tablet' }));
  t.match(friend, { status: 'held', sharedBy: sharer.id, reservedMinor: 50 });
  t.equal(reason(await claim(one, 'u:cyd', { named })), 'share_closed', 'one friend for a share');
  await keeper.round();
  const purchase = { id: 'p1', type: 'purchase', shopper: 'u:bob', itemId: 'i1' } as const;
  await happens({ ...purchase, id: 'p0', at: NOW - 1 });
  await happens(purchase);
  now += 999_999;
  await keeper.round();
  t.same(await statuses([sharer, friend]), ['held', 'held']);
  await happens({ id: 'r1', type: 'refund', shopper: 'u:bob', itemId: 'i1' });
  await happens(purchase);
  now += 1;
  await keeper.round();
  t.same(await statuses([sharer, friend]), ['held', 'held'], 'returned, and told again does not make it bought');
  await happens({ ...purchase, id: 'p2', at: now }, { id: 'r2', type: 'refund', shopper: 'u:bob', itemId: 'another' });
  now += 1_000_000;
  await keeper.round();
  t.same(await statuses([sharer, friend]), ['claimed', 'claimed']);
  t.same(await balance(one), { money: 150, count: 2, ofClaims: { money: 150, count: 2 } });
});

await t.test('nobody is their own friend', async (t) => {
  const one = await offer('one', { terms: SHARE, caps: { perUser: 5 } });
  const sharer = made(await claim(one, 'u:ann'));
  t.equal(reason(await claim(one, 'u:ann', { named: numberOf(sharer) })), 'not_eligible');
});

await t.test('a merge takes the claims along with their places; an erasure leaves them to nobody', async (t) => {
  const one = await offer('one');
  const mine = made(await claim(one, 'a:visitor', { deviceId: 'phone' }));
  await keeper.round();
  const alias = { type: 'alias', id: 'x', shopper: 'u:ann', from: 'a:visitor', at: NOW } as const;
  for (let i = 0; i < 2; i++) await events.handle([{ partition: 0, id: '1-0', record: alias, json: '' }]);
  t.same(await wallets.read('u:ann'), [{ claimId: mine.id, at: NOW }]);
  t.equal((await claims.get('one', numberOf(mine)))?.shopper, 'u:ann');
  t.equal(reason(await claim(one, 'u:ann')), 'cap_reached');
  const erase = { type: 'erase', id: 'y', shopper: 'u:ann', at: NOW } as const;
  for (let i = 0; i < 2; i++) await events.handle([{ partition: 0, id: '2-0', record: erase, json: '' }]);
  await keeper.round();
  t.same(await wallets.read('u:ann'), []);
  t.notMatch(JSON.stringify(await redis.hgetall(keys.offer('one').state)), /ann|visitor/u, 'no trace of them');
  t.same(await balance(one), { money: 500, count: 1, ofClaims: { money: 500, count: 1 } });
  now += 2 * 86_400_000;
  await keeper.round();
  t.same(await balance(one), { money: 0, count: 0, ofClaims: { money: 0, count: 0 } }, 'and it expires as any other');
});

await t.test('who is erased before the ledger was followed gets no wallet again, nor the visitor they were', async (t) => {
  const one = await offer('one');
  const mine = made(await claim(one, 'a:visitor'));
  const entry = { claimId: mine.id, at: NOW };
  await wallets.add('a:visitor', [entry]);
  await mergeClaims({ claims, wallets }, 'a:visitor', 'u:ann');
  await events.handle([{ partition: 0, id: '1-0', record: { type: 'erase', id: 'y', shopper: 'u:ann', at: NOW }, json: '' }]);
  await keeper.round();
  t.same(await redis.exists(keys.wallet('a:visitor'), keys.wallet('u:ann')), 0);
  t.equal(await status(mine), 'claimed', 'the claim keeps its budget');
});

await t.test('the claim of a visitor who never sent an event goes over, too, by one record however often it is asked for', async (t) => {
  const shoppers = shoppersWith(async () => { /* Only by the record. */ });
  const one = await offer('one');
  const mine = made(await claim(one, 'a:visitor'));
  await keeper.round();
  t.same([await shoppers.alias('u:ann', 'a:visitor'), await shoppers.alias('u:ann', 'a:visitor')], [true, false]);
  const rows = await redis.xrange(keys.eventsOf('u:ann'), '-', '+');
  const records = rows.map(([, [, json]]) => JSON.parse(json!) as StreamRecord);
  t.match(records, [{ type: 'alias', shopper: 'u:ann', from: 'a:visitor', isSilent: true }]);
  await events.handle(records.map((record, i) => ({ partition: 0, id: `${i}-0`, record, json: '' })));
  t.same(await wallets.read('u:ann'), [{ claimId: mine.id, at: NOW }]);
  t.same(await wallets.read('a:visitor'), []);
  t.equal(reason(await claim(one, 'u:ann')), 'cap_reached');
  t.equal(await profiles.read('u:ann'), null, 'nothing was received of them');
  await shoppers.erase('u:ann');
  await wallets.erase('u:ann');
  await t.rejects(shoppers.erase('u:ann'), { code: 'not_found' });
  t.equal(await shoppers.alias('u:bob', 'a:visitor'), true, 'a new life');
});

await t.test('a merge that is answered counts what the visitor claimed; what was being claimed meanwhile follows', async (t) => {
  const [one, other] = [await offer('one'), await offer('other')];
  const shoppers = shoppersWith((from, to) => mergeClaims({ claims, wallets }, from, to));
  const mine = made(await claim(one, 'a:visitor'));
  await keeper.round();
  await shoppers.alias('u:ann', 'a:visitor');
  t.equal(reason(await claim(one, 'u:ann')), 'cap_reached');
  t.same(await wallets.read('u:ann'), [{ claimId: mine.id, at: NOW }]);
  const late = made(await claim(other, 'a:visitor', { at: NOW + 1 }));
  await keeper.round();
  t.same((await wallets.read('u:ann')).map(({ claimId }) => claimId), [late.id, mine.id]);
  t.equal(reason(await claim(other, 'u:ann')), 'cap_reached');
});
