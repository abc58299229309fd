import t from 'tap';
import type { Offer } from '../../../src/domain/offer.js';
import { DAY_MS } from '../../../src/offers/contact-policy.js';
import { mayClaim, pageContact, refusalOf, shutGate, type Asked, type OfferRule, type Policy, type ShopperFacts } from '../../../src/offers/decide/eligibility.js';
import { OFFER_SEEN } from '../../../src/offers/decide/offer-features.js';
import { OfferPreparer } from '../../../src/offers/decide/prepared-offer.js';
import { emptyProfile } from '../../../src/profile/profile.js';
import { compileExpression } from '../../../src/segments/expression.js';
import { hash48 } from '../../../src/util/hash.js';
import { anOffer, ASKED, documentOf, factsOf, NOW, ON_PLAN, OPEN_POLICY, prepared } from '../../helpers/decide.js';

interface Twist { offer?: Partial<Offer>; facts?: Partial<ShopperFacts>; asked?: Partial<Asked>; policy?: Partial<Policy>; usage?: { count: number; moneyMinor: number } }

function refusal({ offer, facts, asked, policy, usage }: Twist): OfferRule | undefined {
  return refusalOf(
    { prepared: prepared(anOffer('spring', offer)), usage: usage ?? ON_PLAN },
    { facts: { ...factsOf(), ...facts }, asked: { ...ASKED, ...asked }, policy: { ...OPEN_POLICY, ...policy } },
  );
}

const memory = (state: number, at: number): Partial<ShopperFacts> => {
  const profile = emptyProfile();
  profile.offers.push({ offer: hash48('spring'), state, at });
  return { profile };
};
const capped: Partial<Policy> = { caps: { perDayMax: 1, perWeekMax: 0 } };
const buyers = { eligibility: { expression: 'orders > 0' } };

await t.test('each rule refuses what it is about, and lets the rest be', async (t) => {
  const cases: readonly [OfferRule | undefined, string, Twist][] = [
    [undefined, 'nothing speaks against it', {}],
    ['status', 'paused', { offer: { status: 'paused' } }],
    ['window', 'over at its very end', { asked: { now: NOW + DAY_MS } }],
    [undefined, 'open at its very beginning', { asked: { now: NOW - DAY_MS }, usage: { count: 0, moneyMinor: 0 } }],
    ['campaign', 'not of this campaign', { asked: { offerIds: new Set(['other']) } }],
    ['scene', 'for another scene', { offer: { scenes: ['cart'] } }],
    ['channel', 'for another channel', { offer: { channels: ['socket'] } }],
    ['budget', 'used up', { usage: { count: 0, moneyMinor: 1_000_000 } }],
    ['claimed', 'the shopper has one', { facts: { claims: new Map([['spring', 1]]) } }],
    [undefined, 'the shopper may have two', { offer: { caps: { perUser: 2 } }, facts: { claims: new Map([['spring', 1]]) } }],
    ['dismissed', 'not interested, last week', { facts: memory(OFFER_SEEN.shown | OFFER_SEEN.dismissed, NOW - 7 * DAY_MS) }],
    [undefined, 'not interested, long ago', { facts: memory(OFFER_SEEN.dismissed, NOW - 31 * DAY_MS) }],
    ['frequency', 'enough for today', { policy: capped, facts: { contacts: [{ id: 'push', at: NOW - 1 }] } }],
    [undefined, 'the page showed this very offer today', { policy: capped, facts: { contacts: [{ id: pageContact('spring'), at: NOW - 1 }] } }],
    ['segments', 'in none of them', { offer: { eligibility: { segments: ['vip', 'staff'] } }, facts: { document: documentOf({ segments: ['new'] }) } }],
    [undefined, 'in one of them', { offer: { eligibility: { segments: ['vip', 'staff'] } }, facts: { document: documentOf({ segments: ['staff'] }) } }],
    ['expression', 'has not bought', { offer: buyers }],
    ['expression', 'is not known', { offer: buyers, facts: { document: undefined } }],
    [undefined, 'has bought', { offer: buyers, facts: { document: documentOf({ profile: { ...emptyProfile(), orders: 1 } }) } }],
  ];
  for (const [expected, what, twist] of cases) t.equal(refusal(twist), expected, what);
});

await t.test('a holdout is a fixed share of the shoppers, another for each offer and for the store', async (t) => {
  const shoppers = Array.from({ length: 4000 }, (_, i) => `u:${i}`);
  const held = (id: string): Set<string> => new Set(shoppers.filter((shopper) => refusal({ offer: { id, holdout: 0.25 }, facts: { shopper } }) === 'holdout'));
  const spring = held('spring');
  t.ok(Math.abs(spring.size / 4000 - 0.25) < 0.03, `${spring.size} of 4000`);
  t.same(held('spring'), spring, 'the same ones for ever');
  const both = [...held('summer')].filter((shopper) => spring.has(shopper)).length;
  t.ok(Math.abs(both / 4000 - 0.0625) < 0.02, `independent of each other: ${both}`);
  const store = shoppers.filter((shopper) => shutGate({ facts: factsOf({ shopper }), asked: ASKED, policy: { ...OPEN_POLICY, holdout: 0.1 } }) === 'store_holdout');
  t.ok(Math.abs(store.length / 4000 - 0.1) < 0.02, `${store.length}`);
  t.ok(Math.abs(store.filter((shopper) => spring.has(shopper)).length / store.length - 0.25) < 0.08);
});

await t.test('who may claim is a matter of who they are, not of what was shown', async (t) => {
  const may = (offer: Partial<Offer>, facts: ShopperFacts): boolean => mayClaim(prepared(anOffer('spring', offer)), facts);
  t.equal(may({ scenes: ['cart'], status: 'paused' }, factsOf()), true, 'the claim script looks at the status');
  t.equal(may(buyers, factsOf()), false);
  t.equal(may({ holdout: 0.9 }, factsOf({ shopper: 'u:1' })) && may({ holdout: 0.9 }, factsOf({ shopper: 'u:2' })) && may({ holdout: 0.9 }, factsOf({ shopper: 'u:3' })), false);
});

await t.test('gates: risk, consent, quiet hours', async (t) => {
  const gate = (facts: ShopperFacts, asked: Partial<Asked> = {}, policy: Partial<Policy> = {}) => shutGate({ facts, asked: { ...ASKED, ...asked }, policy: { ...OPEN_POLICY, ...policy } });
  const said = (marketing: boolean) => factsOf({ attributes: { consent: { marketing } } });
  const push = { channel: 'socket' } as const;
  t.equal(gate(factsOf()), undefined);
  t.equal(gate(factsOf({ riskScore: 0.95 })), 'risk');
  t.equal(gate(said(false)), undefined, 'a page is no contact');
  t.equal(gate(said(false), push), 'consent');
  t.equal(gate(factsOf(), push), undefined);
  t.equal(gate(factsOf(), push, { consentRequired: true }), 'consent');
  t.equal(gate(said(true), push, { consentRequired: true }), undefined);
  t.equal(gate(factsOf({ attributes: { consent: { personalization: false } } })), 'consent', 'refused for pages too');
  const quiet = { quiet: { from: 12, until: 14, timezone: 'UTC' } };
  t.equal(gate(factsOf(), push, quiet), 'quiet_hours');
  t.equal(gate(factsOf(), {}, quiet), undefined, 'a page that was asked for');
  t.equal(gate(factsOf({ attributes: { timezone: 'Asia/Tokyo' } }), push, quiet), undefined, 'nine in the evening there');
});

await t.test('what several offers ask of one shopper is evaluated once, and of each shopper', (t) => {
  let evaluated = 0;
  const preparer = new OfferPreparer((source) => {
    const rule = compileExpression(source);
    return { fields: rule.fields, matches: (document) => (evaluated += 1) > 0 && rule.matches(document) };
  });
  const offers = ['a', 'b', 'c'].map((id) => preparer.prepare(anOffer(id, buyers)));
  const refusals = (facts: ShopperFacts) => offers.map((offer) => refusalOf({ prepared: offer, usage: ON_PLAN }, { facts, asked: ASKED, policy: OPEN_POLICY }));
  const [buyer, browser] = [1, 0].map((orders) => factsOf({ profile: { ...emptyProfile(), orders } }));
  t.same([buyer!, browser!, buyer!].map(refusals), [[undefined, undefined, undefined], ['expression', 'expression', 'expression'], [undefined, undefined, undefined]]);
  t.equal(evaluated, 3);
  t.end();
});
