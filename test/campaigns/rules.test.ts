import { createHmac } from 'node:crypto';
import t from 'tap';
import { builtInCampaigns } from '../../src/campaigns/built-in.js';
import { birthdaysOn, isDayOf, storeTime } from '../../src/campaigns/calendar.js';
import { CampaignSet } from '../../src/campaigns/campaign-set.js';
import { dueAt, enrolmentOf, isStepHeldOut, isTooLate } from '../../src/campaigns/enrolment.js';
import { mergeCampaigns } from '../../src/campaigns/merge-campaigns.js';
import { messageOf } from '../../src/campaigns/words.js';
import { CampaignInputSchema, type Campaign, type CampaignInput } from '../../src/domain/campaign.js';
import { checkUrl, isAllowedAddress } from '../../src/webhooks/address.js';
import { secretOf, signatureHeaders } from '../../src/webhooks/sign.js';
import { compileExpression } from '../../src/segments/expression.js';
import { makeChecker } from '../../src/util/schema-fault.js';

const BUILT_IN = builtInCampaigns({ cartAbandonedAfterMs: 1_800_000, offerCooldownMs: 86_400_000 });
const campaignOf = (input: Partial<CampaignInput>, id = 'c'): Campaign =>
  ({ id, status: 'active', isBuiltIn: false, title: 'A campaign', trigger: { on: 'event', types: ['purchase'] }, steps: [{ afterS: 60, message: { title: 'Hello' } }], ...input });

await t.test('what comes with the engine is what an operator could state', async (t) => {
  const checker = makeChecker(CampaignInputSchema, 'campaign');
  for (const { id, status: _status, isBuiltIn: _isBuiltIn, ...input } of BUILT_IN) {
    t.ok(checker.check(input), `${id}: ${checker.check(input) ? '' : checker.fault(input)}`);
    if (input.audience !== undefined) compileExpression(input.audience);
  }
  t.same(BUILT_IN.filter(({ status }) => status === 'active').map(({ id }) => id), ['cart_abandoned', 'checkout_abandoned', 'price_drop', 'back_in_stock']);
});

await t.test('operators pause, activate and replace what comes with the engine', async (t) => {
  const own = { ...campaignOf({ title: 'Mine' }, 'welcome'), status: 'active' as const };
  const merged = new Map(mergeCampaigns(BUILT_IN, [{ id: 'price_drop', status: 'paused' }, own, { id: 'unheard_of', status: 'active' }]).map((one) => [one.id, one]));
  t.match(merged.get('price_drop'), { status: 'paused', isBuiltIn: true });
  t.match(merged.get('welcome'), { title: 'Mine', status: 'active', isBuiltIn: false });
  t.equal(merged.has('unheard_of'), false);
});

await t.test('a set knows what an event starts, and what is to be noted', async (t) => {
  const instant = campaignOf({ steps: [{ afterS: 0, message: { title: 'x' } }] }, 'instant');
  const first = campaignOf({ trigger: { on: 'first_seen' }, steps: [{ afterS: 0, message: { title: 'x' } }] }, 'first');
  const set = new CampaignSet([...BUILT_IN, instant, first, { ...campaignOf({ goal: ['share'] }, 'paused'), status: 'paused' }]);
  t.same(set.onEvent('purchase').map(({ id }) => id), ['instant']);
  t.same(set.instantOn('purchase', false).map(({ id }) => id), ['instant']);
  t.same(set.instantOn('view_item', true).map(({ id }) => id), ['first']);
  t.equal(set.hasInstant, true);
  t.equal(new CampaignSet(BUILT_IN).hasInstant, false);
  t.same([...set.noted].toSorted(), ['add_to_cart', 'begin_checkout', 'purchase', 'remove_from_cart']);
  const segments = new CampaignSet([campaignOf({ trigger: { on: 'segment', segments: ['dormant'] } }, 'in'), campaignOf({ trigger: { on: 'segment', segments: ['dormant'], change: 'leave' } }, 'out')]);
  t.same([segments.onSegment('dormant', 'enter'), segments.onSegment('dormant', 'leave'), segments.onSegment('churned', 'enter')].map((all) => all.map(({ id }) => id)), [['in'], ['out'], []]);
});

await t.test('steps are due one after another; a stretch of changes shares a job', async (t) => {
  const course = campaignOf({ steps: [{ afterS: 60, message: { title: 'a' } }, { afterS: 30, message: { title: 'b' } }] });
  const event = { id: 'e1', type: 'purchase', shopper: 'u:a', itemId: 'i', at: 1_000_000 } as const;
  const enrolment = enrolmentOf(course, event);
  t.same(enrolment, { campaign: 'c', shopper: 'u:a', trigger: 'event e1', at: 1_000_000, step: 0, itemId: 'i' });
  t.same([dueAt(course, enrolment), dueAt(course, { ...enrolment, step: 1 })], [1_060_000, 1_090_000]);
  t.same([isTooLate(course, enrolment, 1_060_000 + 3_600_000), isTooLate(course, enrolment, 1_060_001 + 3_600_000)], [false, true]);
  const cart = campaignOf({ trigger: { on: 'event', types: ['add_to_cart'], restart: true } });
  const at = (ms: number) => enrolmentOf(cart, { ...event, type: 'add_to_cart', at: ms });
  t.same(at(600_000), { campaign: 'c', shopper: 'u:a', trigger: 'stretch 100', at: 605_999, step: 0, itemId: 'i' });
  t.equal(at(605_999).trigger, 'stretch 100');
  t.equal(at(606_000).trigger, 'stretch 101');
});

await t.test('a holdout is a stated share, the same for ever, and another at each step', async (t) => {
  const campaign = campaignOf({ steps: [0, 1].map(() => ({ afterS: 0, holdout: 0.3, message: { title: 'x' } })) });
  const shoppers = Array.from({ length: 4000 }, (_, i) => `u:${i}`);
  const held = (step: number): string[] => shoppers.filter((shopper) => isStepHeldOut(campaign, { step, shopper }));
  t.ok(Math.abs(held(0).length / 4000 - 0.3) < 0.03, `${held(0).length} of 4000`);
  t.same(held(0), held(0));
  const first = new Set(held(0));
  const both = held(1).filter((shopper) => first.has(shopper)).length;
  t.ok(Math.abs(both / 4000 - 0.09) < 0.02, `${both} at both`);
});

await t.test('words name what is known, and do without the rest', async (t) => {
  const enrolment = { campaign: 'c', shopper: 'u:a', trigger: 'event 1', at: 0, step: 0 };
  const step = { afterS: 0, message: { title: '{item} at {now}', plainTitle: 'Something for you', percentOff: 10, validS: 60 } };
  const plain = messageOf(enrolment, step, {}, 0)!;
  t.match(plain, { title: 'Something for you', kind: 'coupon', cause: 'c', discount: { type: 'percent', value: 10 }, expiresAt: '1970-01-01T00:01:00.000Z' });
  t.match(messageOf(enrolment, step, { item: { id: 'i', title: 'A cup', currency: 'EUR' }, price: { wasMinor: 200, nowMinor: 150 } }, 0),
    { id: plain.id, title: 'A cup at €1.50', kind: 'price_drop', itemId: 'i', discount: { type: 'amount', value: 0.5 }, price: { was: 2, now: 1.5 }, currency: 'EUR' });
  t.match(messageOf(enrolment, { afterS: 0, message: { title: 'Get {offer}', validS: 60 } }, { offer: { id: 'o', title: '5 off', endsAt: 30_000, decisionId: 'd' } }, 0),
    { title: 'Get 5 off', kind: 'coupon', offerId: 'o', decisionId: 'd', expiresAt: '1970-01-01T00:00:30.000Z' }, 'no longer than the offer');
  t.equal(messageOf(enrolment, { afterS: 0, message: { title: '{level}' } }, {}, 0), undefined);
  t.not(messageOf({ ...enrolment, step: 1 }, step, {}, 0)!.id, plain.id);
  t.equal(messageOf(enrolment, { afterS: 0, message: { title: 'A notice' } }, {}, 0)!.kind, 'notice');
});

await t.test('days go by the clock of the store', async (t) => {
  t.same(storeTime(Date.parse('2026-03-01T23:30:00Z'), 'Asia/Shanghai'), { day: '2026-03-02', hour: 7 });
  t.same([birthdaysOn('2026-03-01'), birthdaysOn('2028-03-01'), birthdaysOn('2028-02-29')], [['03-01', '02-29'], ['03-01'], ['02-29']]);
  const dates = campaignOf({ trigger: { on: 'date', segments: ['active'], dates: ['11-11', '2026-02-17'], hour: 10 } });
  const isDay = (day: string, hour: number): boolean => isDayOf(dates, { day, hour });
  t.same([isDay('2027-11-11', 10), isDay('2027-11-11', 9), isDay('2026-02-17', 23), isDay('2027-02-17', 23)], [true, false, true, false]);
  t.equal(isDayOf(campaignOf({ trigger: { on: 'birthday' } }), { day: '2026-01-01', hour: 9 }), true);
});

await t.test('webhooks go to the public internet only', async (t) => {
  const refused = [
    '127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '192.0.2.1', '198.18.0.1', '240.0.0.1',
    '::', '::1', 'fe80::1', 'fc00::1', 'ff02::1', '::ffff:10.0.0.1', '::ffff:127.0.0.1', '64:ff9b::a00:1', '2002:a00:1::', '2001:db8::1', '2001::1', 'nonsense',
  ];
  t.same(refused.filter((address) => isAllowedAddress(address, false)), []);
  for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8']) t.equal(isAllowedAddress(address, false), true, address);
  t.equal(isAllowedAddress('127.0.0.1', true), true);
  t.equal(isAllowedAddress('10.0.0.1', true), false);
  for (const url of ['http://example.com/', 'ftp://example.com/', 'nonsense', 'https://u:p@example.com/', 'https://127.0.0.1/', 'https://0x7f.1/', 'https://2130706433/', 'https://[::1]/', 'https://[::ffff:a00:1]/', 'https://localhost/', 'https://a.localhost./']) {
    t.throws(() => checkUrl(url, false), { code: 'invalid_request' }, url);
  }
  t.equal(checkUrl('https://example.com/x', false).hostname, 'example.com');
  t.equal(checkUrl('http://localhost:1/', true).port, '1');
});

await t.test('signatures are those of Standard Webhooks', async (t) => {
  const secret = secretOf(Buffer.from('0123456789abcdef0123456789abcdef'));
  const headers = signatureHeaders({ id: 'm1', timestampS: 1_700_000_000, body: '{"a":1}' }, secret);
  const expected = createHmac('sha256', '0123456789abcdef0123456789abcdef').update('m1.1700000000.{"a":1}').digest('base64');
  t.same(headers, { 'webhook-id': 'm1', 'webhook-timestamp': '1700000000', 'webhook-signature': `v1,${expected}` });
  // The example of the specification's reference libraries.
  t.equal(signatureHeaders({ id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampS: 1_614_265_330, body: '{"test": 2432232314}' }, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});
