import { test } from 'tap';
import { Type } from 'typebox';
import { AttributesSchema } from '../../src/domain/attributes.js';
import { CampaignInputSchema } from '../../src/domain/campaign.js';
import { OfferInputSchema } from '../../src/domain/offer.js';
import { makeChecker } from '../../src/util/schema-fault.js';

const offers = makeChecker(OfferInputSchema, 'body');
const withTerms = (terms: unknown) => offers.fault({ id: 'a', title: 'A', terms, window: { startsAt: 0, endsAt: 1 }, budget: { moneyMinor: 1, count: 1 }, marginMinor: 1 });

void test('of several kinds the one that was meant is what a fault is told by', (t) => {
  t.equal(withTerms({ kind: 'fixed', saveMinor: -1 }), 'terms.saveMinor must be >= 1.');
  t.equal(withTerms({ kind: 'fixed', saveMinor: '100' }), 'terms.saveMinor must be integer.');
  t.equal(withTerms({ kind: 'fixed', saveMinor: 1, foo: 1 }), 'terms.foo is not a known field.');
  t.equal(withTerms({ kind: 'gift', costMinor: 1 }), 'terms.itemId is missing.');
  t.match(withTerms({ kind: 'nope' }), /^terms\.kind is not one of threshold, percentage, .*, share_reward\.$/u);
  t.match(withTerms({ saveMinor: 1 }), /^terms\.kind is missing; it is one of threshold, /u);
  t.equal(withTerms(5), 'terms must be object.');
  t.equal(withTerms([]), 'terms must be object.');
  t.equal(withTerms(undefined), 'terms must be object.');
  t.end();
});

void test('of several missing fields each is named', (t) => {
  const cue = makeChecker(Type.Object({ flash: Type.Object({ priceMinor: Type.Integer(), durationS: Type.Integer() }, { additionalProperties: false }) }), 'body');
  t.equal(cue.fault({ flash: {} }), 'flash.priceMinor, flash.durationS are missing.');
  t.equal(cue.fault({ flash: { priceMinor: 1 } }), 'flash.durationS is missing.');
  t.equal(cue.fault({}), 'flash is missing.');
  t.end();
});

void test('of one or a list, what is wrong with the list', (t) => {
  const name = Type.String({ pattern: '^room:' });
  const query = makeChecker(Type.Object({ channel: Type.Union([name, Type.Array(name, { maxItems: 2 })]) }), 'query');
  t.equal(query.fault({ channel: ['room:1', 'room:2', 'room:3'] }), 'channel must not have more than 2 items.');
  t.equal(query.fault({ channel: 'lists' }), 'channel must match pattern "^room:".');
  t.equal(query.fault({ channel: 3 }), 'channel must be string or array.');
  t.end();
});

void test('so it is in lists, and without a kind to tell by', (t) => {
  const campaigns = makeChecker(CampaignInputSchema, 'body');
  const withOffer = (offer: unknown) => campaigns.fault({ title: 'A', trigger: { on: 'first_seen' }, steps: [{ afterS: 0, message: { title: 'A' } }, { afterS: 0, message: { title: 'A' }, offer }] });
  t.equal(withOffer({ id: 'a b' }), 'steps.1.offer.id must be an id of 1 to 64 letters, digits, - or _.');
  t.equal(withOffer({ decide: { scene: 'moon' } }), 'steps.1.offer.decide.scene is not one of home, product, cart, search, live, post_purchase, feed.');
  t.equal(withOffer({ decide: { scene: 'home', foo: 1 } }), 'steps.1.offer.decide.foo is not a known field.');
  t.equal(campaigns.fault({ title: ' ', trigger: { on: 'first_seen' }, steps: [] }), 'title must be words, not only blanks.');
  t.match(campaigns.fault({ title: 'A', trigger: { on: 'moon' }, steps: [] }), /^trigger\.on is not one of event, first_seen, /u);
  t.end();
});

void test('names of a client’s choosing are all looked at, and so are their values', (t) => {
  const attributes = makeChecker(AttributesSchema, 'body');
  for (const custom of [{ 'a-b': 1 }, { 'a\nb': {} }, { '': 1 }, { ok: {} }, { ['x'.repeat(33)]: true }]) t.notOk(attributes.check({ custom }), JSON.stringify(custom));
  t.ok(attributes.check({ custom: { vip: true, spent_2025: 3 }, consent: { marketing: false } }));
  t.match(attributes.fault({ custom: { 'a-b': 1 } }), /^A name in custom must be at most 32 letters/u);
  t.equal(attributes.fault({ custom: { vip: null } }), 'custom.vip must be string or number or boolean.');
  t.end();
});
