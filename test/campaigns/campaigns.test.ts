import { randomBytes, randomUUID } from 'node:crypto';
import t from 'tap';
import { InstantCampaigns } from '../../src/campaigns/instant.js';
import { CampaignSet } from '../../src/campaigns/campaign-set.js';
import type { Campaign, CampaignInput } from '../../src/domain/campaign.js';
import type { OfferMessage } from '../../src/domain/offer-message.js';
import type { PortraitRecord } from '../../src/domain/record.js';
import { Shoppers } from '../../src/paths/shoppers.js';
import { startCampaignWorker } from '../helpers/campaigns.js';
import { LiveClient } from '../helpers/live-client.js';
import { ITEMS, KEYS, startLive } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const say = (title: string, afterS = 0, more: object = {}): CampaignInput['steps'][number] => ({ afterS, message: { title }, ...more });
const today = new Date().toISOString().slice(5, 10);
const CAMPAIGNS: Readonly<Record<string, CampaignInput>> = {
  course: { title: 'Three words', trigger: { on: 'event', types: ['share'] }, steps: [say('one'), say('two', 0.2), say('three', 0.2)] },
  later: { title: 'Much later', trigger: { on: 'event', types: ['search'] }, goal: ['review'], steps: [say('now'), say('in a day', 86_400)] },
  held: { title: 'For few', trigger: { on: 'event', types: ['like'] }, steps: [say('never', 0, { holdout: 0.9 }), say('always')] },
  newcomer: { title: 'For newcomers', trigger: { on: 'first_seen' }, audience: 'orders == 0', steps: [say('welcome')] },
  entered: { title: 'For segments', trigger: { on: 'segment', segments: ['dormant'] }, cooldownS: 3600, steps: [say('back?')] },
  level: { title: 'For levels', trigger: { on: 'level_up' }, steps: [say('level {level}')] },
  born: { title: 'For birthdays', trigger: { on: 'birthday', hour: 0 }, steps: [say('happy birthday')] },
  instant: { title: 'At once', trigger: { on: 'event', types: ['follow'] }, cooldownS: 3600, steps: [say('thanks')] },
  unoffered: { title: 'With an offer that is not there', trigger: { on: 'event', types: ['comment'] }, steps: [say('claim {offer}', 0, { offer: { id: 'nowhere' } })] },
};

const redis = await startRedis();
const worker = await startCampaignWorker(redis.url, { campaigns: CAMPAIGNS });
const campaigns = Object.entries(CAMPAIGNS).map(([id, input]): Campaign => ({ ...input, id, status: 'active', isBuiltIn: false }));
const faults: unknown[] = [];
const instant = new InstantCampaigns({
  campaigns: { set: new CampaignSet(campaigns.filter(({ id }) => id === 'instant')) }, runner: worker.runner, clock: Date.now, onFault: (error) => { faults.push(error); },
});
let isInstant = false;
const server = await startLive(redis.url, { items: ITEMS, afterStored: (stored) => { if (isInstant) instant.afterStored(stored); } });
await worker.catalog.putItems(ITEMS);
t.teardown(async () => {
  await worker.stop();
  await server.close();
  await redis.stop();
});

async function act(userId: string, ...types: readonly string[]): Promise<void> {
  const report = await server.ingestor.ingest(types.map((type) => ({ id: randomUUID(), userId, type })));
  if (report.rejected.length > 0) throw new Error(JSON.stringify(report.rejected));
}
/** All but the welcome that everybody gets. */
const titlesOf = async (userId: string): Promise<string[]> =>
  (await server.offers.inbox(`u:${userId}`, Date.now())).map(({ title }) => title).filter((title) => title !== 'welcome');
const outcomesOf = (userId: string, campaign: string): string[] =>
  worker.outcomes.filter(({ enrolment }) => enrolment.shopper === `u:${userId}` && enrolment.campaign === campaign).map(({ outcome }) => outcome);
/** Does the step after the first without waiting for its time. */
async function nextStep(userId: string, campaign: string): Promise<void> {
  await until(() => outcomesOf(userId, campaign).length === 1, 'the first step to end');
  const { enrolment } = worker.outcomes.find((one) => one.enrolment.shopper === `u:${userId}` && one.enrolment.campaign === campaign)!;
  await worker.processors['campaign-step']!({ ...enrolment, step: 1 }, new AbortController().signal, false);
}
const record = (more: Partial<PortraitRecord> & { shopper: string }): string => JSON.stringify({ type: 'portrait', id: randomUUID(), at: Date.now(), ...more });

await t.test('steps follow one another; the goal ends them', async (t) => {
  await act('whole', 'share');
  await act('done', 'search');
  await until(async () => (await titlesOf('done')).length === 1, 'the first step');
  await act('done', 'review');
  await until(async () => await worker.redis.zscore(KEYS.happenings('u:done'), 'review') !== null, 'the goal to be noted');
  await nextStep('done', 'later');
  t.same(outcomesOf('done', 'later'), ['sent', 'goal_met']);
  await until(async () => (await titlesOf('whole')).length === 3, 'all steps');
  t.same(await titlesOf('whole'), ['one', 'two', 'three']);
});

await t.test('who is held out of a step gets the next', async (t) => {
  const users = Array.from({ length: 12 }, (_, i) => `held${i}`);
  for (const user of users) await act(user, 'like');
  await until(async () => (await Promise.all(users.map(titlesOf))).every((titles) => titles.includes('always')), 'the second step');
  const held = users.filter((user) => outcomesOf(user, 'held').includes('held_out'));
  t.ok(held.length >= 6, `${held.length} of 12 held out`);
  for (const user of held) t.same(await titlesOf(user), ['always']);
});

await t.test('a newcomer is welcomed once', async (t) => {
  await act('new', 'view_item');
  await act('new', 'view_item', 'view_item_list');
  await until(() => outcomesOf('new', 'newcomer').length > 0, 'the welcome');
  await act('new', 'view_item');
  await act('afterwards', 'view_item');
  await until(() => outcomesOf('afterwards', 'newcomer').length > 0, 'somebody else\'s');
  t.same(outcomesOf('new', 'newcomer'), ['sent']);
  t.same((await server.offers.inbox('u:new', Date.now())).map(({ title, kind, cause }) => [title, kind, cause]), [['welcome', 'notice', 'newcomer']]);
});

await t.test('who was welcomed as a visitor is not welcomed as a user', async (t) => {
  const shoppers = new Shoppers({ store: server.store, attributes: worker.attributes, clock: Date.now, newToken: () => randomBytes(8), newId: randomUUID, handOver: async () => { /* left to the worker */ }, announceErased: async () => { /* one process */ } });
  await server.ingestor.ingest([{ id: randomUUID(), anonymousId: 'guest', type: 'view_item' }]);
  await until(() => worker.outcomes.some(({ enrolment }) => enrolment.shopper === 'a:guest'), 'the welcome');
  t.equal(await shoppers.alias('u:named', 'a:guest'), true);
  await until(async () => (await server.offers.inbox('u:named', Date.now())).length === 1, 'the inbox to move');
  await act('named', 'view_item');
  await act('bystander', 'view_item');
  await until(() => outcomesOf('bystander', 'newcomer').length > 0, 'somebody else\'s');
  t.same(outcomesOf('named', 'newcomer'), []);
});

await t.test('who never did anything as a visitor is welcomed as a user, and has what was sent to the visitor', async (t) => {
  const shoppers = new Shoppers({ store: server.store, attributes: worker.attributes, clock: Date.now, newToken: () => randomBytes(8), newId: randomUUID, handOver: async () => { /* left to the worker */ }, announceErased: async () => { /* one process */ } });
  const message: OfferMessage = { id: 'm', kind: 'notice', cause: 'test', title: 'to the visitor', createdAt: new Date().toISOString(), expiresAt: new Date(Date.now() + 60_000).toISOString() };
  await server.offers.send('a:silent', message);
  t.equal(await shoppers.alias('u:late', 'a:silent'), true);
  await until(async () => (await titlesOf('late')).length === 1, 'the inbox to move');
  await act('late', 'view_item');
  await until(() => outcomesOf('late', 'newcomer').length > 0, 'the welcome');
});

await t.test('entering a segment starts; a change of the segment itself does not', async (t) => {
  await act('asleep', 'view_item');
  await act('untouched', 'view_item');
  const enter = (shopper: string, cause: string): Promise<unknown> =>
    worker.redis.xadd(KEYS.segmentChanges(3), '*', 'c', JSON.stringify({ type: 'enter', segment: 'dormant', shopper, at: Date.now(), cause }));
  await enter('u:untouched', 'definition');
  await enter('u:asleep', 'time');
  await enter('u:nobody', 'time');
  await until(async () => (await titlesOf('asleep')).length === 1, 'the message');
  await enter('u:asleep', 'event');
  await until(() => outcomesOf('asleep', 'entered').length === 2 && outcomesOf('nobody', 'entered').length === 1, 'the second time');
  t.same(outcomesOf('asleep', 'entered'), ['sent', 'cooldown']);
  t.same(outcomesOf('nobody', 'entered'), ['gone']);
  t.same(await titlesOf('untouched'), []);
});

await t.test('levels and birthdays', async (t) => {
  await act('grown', 'view_item');
  await worker.redis.xadd(KEYS.eventsOf('u:grown'), '*', 'e', record({ shopper: 'u:grown', levelUp: 3 }));
  await until(async () => (await titlesOf('grown')).length === 1, 'the level');
  t.same(await titlesOf('grown'), ['level 3']);
  for (const [user, birthday] of [['born', today], ['other', today === '06-15' ? '06-16' : '06-15']] as const) {
    await act(user, 'view_item');
    await worker.attributes.write(`u:${user}`, { birthday }, JSON.parse(record({ shopper: `u:${user}` })) as PortraitRecord);
  }
  await until(async () => await worker.redis.zscore(KEYS.birthdaysOf('u:other'), 'u:other') !== null && await worker.redis.zscore(KEYS.birthdaysOf('u:born'), 'u:born') !== null, 'the index');
  for (const _time of [1, 2]) await worker.processors['campaign-calendar']!({}, new AbortController().signal, false);
  await until(async () => (await titlesOf('born')).length === 1, 'the birthday');
  t.same([await titlesOf('born'), await titlesOf('other')], [['happy birthday'], []]);
});

await t.test('nothing is pushed to who refused it; an offer that is not there is not named', async (t) => {
  await act('private', 'view_item');
  await worker.attributes.write('u:private', { consent: { marketing: false } }, JSON.parse(record({ shopper: 'u:private' })) as PortraitRecord);
  await act('private', 'share', 'comment');
  await until(() => outcomesOf('private', 'course').length > 0 && outcomesOf('private', 'unoffered').length > 0, 'the steps');
  t.same([outcomesOf('private', 'course'), outcomesOf('private', 'unoffered')], [['no_consent'], ['no_offer']]);
});

await t.test('the process that gets the event and the worker send once between them', async (t) => {
  isInstant = true;
  const clients = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
    const client = await LiveClient.open(server.url, { userId: `fast${i}` });
    await client.listen();
    return client;
  }));
  await Promise.all(clients.map((client) => client.ask({ type: 'events', events: [{ id: randomUUID(), type: 'follow' }] })));
  await until(() => clients.every((_, i) => outcomesOf(`fast${i}`, 'instant').length === 1), 'the worker');
  t.same(clients.flatMap((_, i) => outcomesOf(`fast${i}`, 'instant')).filter((outcome) => outcome !== 'sent_before' && outcome !== 'sent'), []);
  for (const client of clients) t.same((await client.during(20, 'offer')).map(({ offer }) => offer?.title).filter((title) => title !== 'welcome'), ['thanks']);
  t.same(faults, []);
  isInstant = false;
});

await t.test('a paused campaign sends nothing, not even what was under way', async (t) => {
  await act('paused', 'search');
  await until(async () => (await titlesOf('paused')).length === 1, 'the first step');
  await worker.campaigns.put({ ...CAMPAIGNS['later']!, id: 'later', status: 'paused' });
  await worker.look();
  await nextStep('paused', 'later');
  t.same(outcomesOf('paused', 'later'), ['sent', 'off']);
  t.same(await titlesOf('paused'), ['now']);
});

await t.test('quiet hours put a message off, and it comes afterwards', async (t) => {
  await worker.stop();
  const now = new Date();
  const quiet = { from: now.getUTCHours(), until: (now.getUTCHours() + 1) % 24, timezone: 'UTC' };
  const night = await startCampaignWorker(redis.url, { config: { quietHours: quiet } });
  t.teardown(() => night.stop());
  await act('sleeper', 'follow');
  await until(() => night.outcomes.some(({ enrolment, outcome }) => enrolment.shopper === 'u:sleeper' && enrolment.campaign === 'instant' && outcome === 'quiet'), 'the step');
  t.same(await titlesOf('sleeper'), []);
  const delayed = await night.redis.zcard(`${KEYS.queues}:jobs:delayed`);
  t.ok(delayed >= 1, `${delayed} jobs wait`);
});

await t.test('an inbox is read, marked and dismissed', async (t) => {
  const [first] = await server.offers.inbox('u:whole', Date.now());
  t.same(await server.offers.mark('u:whole', [first!.id], 'read'), [first!.id]);
  t.match((await server.offers.inbox('u:whole', Date.now())).find(({ id }) => id === first!.id), { isRead: true });
  t.same(await server.offers.mark('u:whole', [first!.id], 'dismissed'), [first!.id]);
  t.same(await server.offers.mark('u:whole', [first!.id], 'read'), [first!.id]);
  t.notOk((await server.offers.inbox('u:whole', Date.now())).some(({ id }) => id === first!.id), 'gone for good');
  t.same(await server.offers.mark('u:whole', ['unheard of'], 'read'), []);
});

t.same(server.faults, []);
