import t from 'tap';
import type { Offer } from '../../src/domain/offer.js';
import type { ManyOutcome } from '../../src/redis/claim-store.js';
import { anOffer, claimRig, NOW } from '../helpers/claims.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo, keys } from '../helpers/streams.js';

const server = await startRedis();
const redis = await commandsTo(server.url);
t.teardown(async () => {
  redis.disconnect();
  await server.stop();
});
const rig = claimRig(redis);
const requests = (count: number, from = 0): { key: string; shopper: string }[] => Array.from({ length: count }, (_, i) => ({ key: `cue-${from + i}`, shopper: `u:s${from + i}` }));
const claimOf = (outcome: ManyOutcome | undefined) => (outcome !== undefined && 'claim' in outcome ? outcome.claim : undefined);
const refusalOf = (outcome: ManyOutcome | undefined): string | undefined => (outcome !== undefined && 'refusal' in outcome ? outcome.refusal : undefined);

await t.test('claims for many are the claims that each would have made', async (t) => {
  const offer = await rig.offer('many', { budget: { moneyMinor: 1e6, count: 500 } });
  const outcomes = await rig.claims.claimMany(offer.id, requests(150), NOW);
  t.equal(new Set(outcomes.map((outcome) => claimOf(outcome)?.id)).size, 150, 'over more than one call');
  const made = claimOf(outcomes[140])!;
  t.match(await rig.claims.get(offer.id, made.id.split('.')[1]!), { ...made, shopper: 'u:s140', reservedMinor: 500, createdAt: NOW });
  t.match(await rig.claim(offer, 'u:s140', { key: 'cue-140' }), { claim: made, isNew: false }, 'one by one the key gets the same');
  const alone = await rig.claim(offer, 'u:alone', { key: 'alone' });
  t.match(claimOf((await rig.claims.claimMany(offer.id, [{ key: 'alone', shopper: 'u:alone' }], NOW))[0]), 'claim' in alone ? { id: alone.claim.id, code: alone.claim.code } : {}, 'and the other way round');
  t.same((await rig.claims.claimMany(offer.id, requests(150), NOW + 5)).map((outcome) => claimOf(outcome)?.id), outcomes.map((outcome) => claimOf(outcome)!.id), 'again, the same');
  t.same(await rig.claims.claimedBy(offer.id, ['cue-3', 'cue-999']), [claimOf(outcomes[3])!.id.split('.')[1], null]);
  const { money, count, ofClaims } = await rig.balance(offer);
  t.same({ money, count }, { money: 151 * 500, count: 151 });
  t.same(ofClaims, { money, count });
  const entries = await rig.claims.ledger(offer.id, 100);
  t.same(new Set(entries.flatMap(({ claims }) => claims.map(({ id }) => id))).size, 151, 'the ledger has them all');
});

await t.test('each is refused what it would be refused by itself', async (t) => {
  const few = await rig.offer('few', { budget: { moneyMinor: 1e6, count: 10 } });
  const outcomes = await rig.claims.claimMany(few.id, requests(100), NOW);
  t.equal(outcomes.filter((outcome) => claimOf(outcome) !== undefined).length, 10);
  t.ok(outcomes.slice(10).every((outcome) => refusalOf(outcome) === 'offer_exhausted'));
  const poor = await rig.offer('poor', { budget: { moneyMinor: 2600, count: 100 } });
  t.equal((await rig.claims.claimMany(poor.id, requests(100), NOW)).filter((outcome) => claimOf(outcome) !== undefined).length, 5, 'nor over the money');
  const twice = [{ key: 'a', shopper: 'u:ann' }, { key: 'b', shopper: 'u:ann' }, { key: 'c', shopper: 'u:ann' }];
  const capped = await rig.offer('capped', { caps: { perUser: 2 }, budget: { moneyMinor: 1e6, count: 100 } });
  t.same((await rig.claims.claimMany(capped.id, twice, NOW)).map(refusalOf), [undefined, undefined, 'cap_reached']);
  t.equal(refusalOf((await rig.claims.claimMany(capped.id, [{ key: 'a', shopper: 'u:ben' }], NOW))[0]), 'key_reused');
  t.equal(refusalOf((await rig.claims.claimMany(capped.id, [{ key: 'x', shopper: 'u:b\ny' }], NOW))[0]), 'not_eligible');
  for (const [id, fields, why] of [
    ['later', { window: { startsAt: NOW + 1, endsAt: NOW + 10 } }, 'outside_window'], ['paused', { status: 'paused' }, 'offer_not_active'],
    ['group', { terms: { kind: 'group_buy', itemId: 'i', priceMinor: 100, size: 2, withinS: 60 } }, 'not_eligible'],
  ] as const) {
    const offer = await rig.offer(id, fields as Partial<Offer>);
    t.same((await rig.claims.claimMany(offer.id, requests(2), NOW)).map(refusalOf), [why, why]);
  }
  await redis.hdel(keys.offer(few.id).state, 'money');
  t.equal(refusalOf((await rig.claims.claimMany(few.id, requests(1, 50), NOW))[0]), 'budget_missing');
  t.equal(refusalOf((await rig.claims.claimMany('unheard-of', requests(1), NOW))[0]), 'budget_missing');
});

await t.test('crowds at the same moment take no more than there is', async (t) => {
  const offer = await rig.offer('rush', { ...anOffer('rush'), budget: { moneyMinor: 1e6, count: 333 } });
  const crowds = await Promise.all(Array.from({ length: 8 }, (_, i) => rig.claims.claimMany(offer.id, requests(100, 100 * i), NOW)));
  t.equal(crowds.flat().filter((outcome) => claimOf(outcome) !== undefined).length, 333);
  const { count, ofClaims } = await rig.balance(offer);
  t.same([count, ofClaims.count], [333, 333]);
});

await t.test('what Redis did not answer is unknown', async (t) => {
  const away = await commandsTo(server.url);
  const { claims } = claimRig(away);
  away.disconnect();
  t.same(await claims.claimMany('many', requests(3), NOW), [undefined, undefined, undefined]);
});
