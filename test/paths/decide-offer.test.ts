import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readDecisions, type ArchivedDecision } from '../../src/archive/reader.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { Catalog } from '../../src/catalog/catalog.js';
import type { Offer } from '../../src/domain/offer.js';
import { VectorArchiver } from '../../src/jobs/archive.js';
import { StreamConsumer } from '../../src/jobs/stream-consumer.js';
import { parseVectors } from '../../src/jobs/streams.js';
import type { Contact } from '../../src/offers/contact-policy.js';
import { decisionVectors, replayDecision } from '../../src/offers/decide/decision-record.js';
import { pageContact, type Policy, type ShopperFacts } from '../../src/offers/decide/eligibility.js';
import { OFFER_FEATURES } from '../../src/offers/decide/offer-features.js';
import { OfferPreparer } from '../../src/offers/decide/prepared-offer.js';
import { OfferDecider, type DecisionRequest } from '../../src/paths/decide-offer.js';
import { emptyProfile } from '../../src/profile/profile.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import { DecisionLog, type LoggedDecision } from '../../src/redis/decision-log.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { compileExpression } from '../../src/segments/expression.js';
import type { Clock } from '../../src/util/clock.js';
import { idSource } from '../../src/util/id-source.js';
import { seededRandom } from '../../src/util/random.js';
import { anOffer, factsOf, NOW, ON_PLAN, OPEN_POLICY } from '../helpers/decide.js';
import { writeTestModel } from '../helpers/models.js';
import { until } from '../helpers/until.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo, keys, listenTo, silent, tempDir } from '../helpers/streams.js';

const FEATURES = { userFeatures: USER_FEATURES, itemFeatures: OFFER_FEATURES };
/** Worth a draw by the prior: a quarter off what is in the cart. */
const GOOD: Partial<Offer> = { terms: { kind: 'percentage', basisPoints: 2500, capMinor: 2000 }, marginMinor: 6000 };
const buyer = { ...emptyProfile(), orders: 3, spentMinor: 15_000, events: 12, updatedAt: NOW, cart: [{ item: 7, quantity: 1, priceMinor: 4000, at: NOW }] };

interface Options { readonly offers: readonly Offer[]; readonly policy?: Partial<Policy>; readonly model?: ModelHolder; readonly log?: { add(decision: LoggedDecision): void } }

const newId = idSource();

function decider({ offers, policy, model = new ModelHolder({ features: FEATURES, clock: () => performance.now() }), log = { add: () => { /* not looked at */ } } }: Options) {
  const live = offers.map((offer) => ({ offer, usage: ON_PLAN }));
  const noted: (Contact & { shopper: string })[] = [];
  const random = seededRandom(3);
  const made = new OfferDecider({
    offers: { live: () => live }, preparer: new OfferPreparer(compileExpression), model, catalog: new Catalog(), policy: { ...OPEN_POLICY, ...policy }, log,
    noteContact: (shopper, contact) => { noted.push({ shopper, ...contact }); }, clock: () => NOW, random, newId, deadlineMs: 5000,
  });
  const decide = (facts: ShopperFacts = factsOf({ profile: buyer }), request: Partial<DecisionRequest> = {}) => made.decide({ facts, isStored: true, scene: 'home', channel: 'page', ...request });
  return { decide, noted, fields: () => made.fields() };
}

async function responseModel(t: Test, offset: number, clock: Clock = () => performance.now()): Promise<ModelHolder> {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  await writeTestModel(dir.path, { features: FEATURES, name: 'response', offset });
  const model = new ModelHolder({ features: FEATURES, clock });
  t.teardown(() => model.close());
  t.notMatch(await model.swap(dir.path), { refused: {} });
  return model;
}

await t.test('no offers, none eligible, none worth it: each says so', async (t) => {
  t.match(await decider({ offers: [] }).decide(), { offer: null, reason: 'no_offer', model: 'none', propensity: 1 });
  t.match(await decider({ offers: [anOffer('a', { scenes: ['cart'] })] }).decide(), { offer: null, reason: 'no_offer' });
  t.match(await decider({ offers: [anOffer('a', { marginMinor: 10 })] }).decide(), { offer: null, reason: 'not_worth_it', model: 'prior' });
  t.match(await decider({ offers: [anOffer('a')], policy: { holdout: 0.5 } }).decide(factsOf({ shopper: 'u:4' })), { offer: null }, 'whatever the holdout says');
});

await t.test('without a model the prior decides, says so, and the page\'s contact is noted once a day', async (t) => {
  const { decide, noted } = decider({ offers: [anOffer('a', GOOD), anOffer('b', { marginMinor: 10 })] });
  const decisions = await Promise.all(Array.from({ length: 40 }, () => decide()));
  t.ok(decisions.every(({ model, degraded }) => model === 'prior' && degraded.includes('prior_scores')));
  const given = decisions.filter(({ offer }) => offer !== null);
  t.ok(given.length > 5, `${given.length} of 40: by chance, the prior is unsure`);
  t.ok(given.every(({ offer }) => offer!.id === 'a'));
  t.equal(noted.length, given.length);
  t.match(noted[0], { shopper: 'u:ann', id: 'page a', at: NOW });
  noted.length = 0;
  await Promise.all(Array.from({ length: 40 }, () => decide(factsOf({ profile: buyer }, { contacts: [{ id: pageContact('a'), at: NOW - 1000 }] }))));
  t.same(noted, [], 'shown today already');
  await Promise.all(Array.from({ length: 40 }, () => decide(undefined, { channel: 'socket' })));
  t.same(noted, [], 'who pushes notes it');
});

await t.test('a campaign decides among its own', async (t) => {
  const { decide } = decider({ offers: [anOffer('a', GOOD), anOffer('b', GOOD)] });
  const decisions = await Promise.all(Array.from({ length: 40 }, () => decide(undefined, { offerIds: new Set(['b']), campaignId: 'welcome' })));
  t.same(new Set(decisions.map(({ offer }) => offer?.id)), new Set(['b', undefined]));
});

await t.test('explain tells the chain: rules, features, scores, pacing, draw', async (t) => {
  const offers = [anOffer('a', GOOD), anOffer('b', { scenes: ['cart'], eligibility: { expression: 'orders > 2' } })];
  const { decide, fields } = decider({ offers });
  t.ok(fields().has('orders') && fields().has('consent'));
  const { explain, offer } = await decide(undefined, { explain: true });
  const [a, b] = explain!.offers;
  t.same(explain!.gates, { store_holdout: true, risk: true, consent: true, quiet_hours: true });
  t.match(a, { id: 'a', version: 1, rules: { status: true, expression: true } });
  t.match(b, { id: 'b', rules: { scene: false, expression: true } });
  t.equal(b!.weighed, undefined);
  const { weighed } = a!;
  t.equal(weighed!.features['is_offer'], 1);
  t.equal(weighed!.features['value_share'], 0.25);
  t.equal(weighed!.expectedCostMinor, 1000);
  t.match(weighed!.pacing, { spentShare: 0.5, plannedShare: 0.5, price: Math.fround(0.1) });
  t.equal(weighed!.expectedProfitMinor, Math.round((weighed!.probability - explain!.none!.probability) * 6000 - weighed!.probability * 1000));
  t.equal(weighed!.draw!.isChosen, offer !== null);
  t.ok(Math.abs(weighed!.draw!.propensity + explain!.none!.propensity - 1) < 0.01);
  t.ok(explain!.userFeatures!['orders']! > 0);
});

await t.test('the response model scores all offers in one run; when it fails the prior stands in', async (t) => {
  const model = await responseModel(t, -12);
  const { decide } = decider({ offers: [anOffer('a', GOOD), anOffer('b', GOOD)], model });
  const decision = await decide(undefined, { explain: true });
  t.equal(decision.model, 'response@1');
  t.same(decision.degraded, []);
  let time = 0;
  const slow = decider({ offers: [anOffer('a', GOOD)], model: await responseModel(t, -12, () => (time += 2000)) });
  t.match(await slow.decide(), { model: 'response@1' }, 'whoever came first has waited for it');
  t.match(await slow.decide(), { model: 'prior', degraded: ['prior_scores'] }, 'the next one does not');
});

await t.test('a logged decision comes out the same when it is made again from the archive', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.stop());
  const redis = await commandsTo(server.url);
  t.teardown(() => { redis.disconnect(); });
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  const model = await responseModel(t, -12);
  const log = new DecisionLog(redis, keys);
  const offers = Array.from({ length: 30 }, (_, i) => anOffer(`offer-${i}`, { ...GOOD, marginMinor: 4000 + 100 * i, version: 1 + i % 3 }));
  const made = new Map<string, { id: string | undefined; propensity: number }>();
  for (const holder of [model, undefined]) {
    const { decide } = decider({ offers, log, ...holder === undefined ? {} : { model: holder }, policy: { holdout: 0.3 } });
    for (let i = 0; i < 40; i++) {
      const { decisionId, offer, propensity, reason } = await decide(factsOf({ shopper: `u:${i}`, profile: { ...buyer, orders: i } }), { itemId: 'tea', campaignId: 'welcome' });
      if (reason !== 'no_offer') made.set(decisionId, { id: offer?.id, propensity });
    }
  }
  // A decision is logged behind its reply.
  await new Promise((resolve) => { setImmediate(resolve); });
  await log.flush();

  const writer = new ArchiveWriter(join(dir.path, 'archive'), 'test', Date.now);
  const consumer = new StreamConsumer({
    streams: Array.from({ length: PARTITIONS }, (_, i) => keys.decisions(i)), handler: new VectorArchiver(writer, 'decisions'), parse: parseVectors,
    redis, connect: listenTo(server.url), consumer: 'test', log: silent, gatherMs: 1,
  });
  consumer.start();
  await until(() => consumer.counts.handled > 0, 'the archive');
  const archived: ArchivedDecision[] = [];
  await until(async () => {
    archived.length = 0;
    for await (const decision of readDecisions(join(dir.path, 'archive'))) archived.push(decision);
    return archived.length === made.size;
  }, 'all of them').catch(() => { t.equal(archived.length, made.size); });
  await consumer.stop();
  await writer.close();

  const held = archived.filter(({ record }) => record.gate === 'store_holdout');
  t.ok(held.length > 5, 'who is held out is logged, too');
  for (const { record, vectors } of archived) {
    const numbers = decisionVectors(vectors);
    const { chosen, propensity } = replayDecision(record, numbers);
    t.equal(chosen, record.chosen);
    t.equal(propensity, record.propensity);
    t.same(made.get(record.decisionId), { id: record.offers[chosen]?.[0], propensity }, 'as it was answered');
    if (record.model !== 'response@1') continue;
    const slot = model.pool.acquire();
    slot.user.set(numbers.user);
    [numbers.noneRow, ...numbers.rows].forEach((row, i) => { slot.items.set(row, i * OFFER_FEATURES.length); });
    const { scores } = await model.run(slot, 1 + numbers.rows.length);
    model.pool.release(slot);
    t.same([...scores], [numbers.noneScore, ...numbers.contenders.map(({ score }) => score)], 'the model gives the same scores for what was logged');
  }
});
