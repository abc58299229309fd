import { randomUUID } from 'node:crypto';
import t from 'tap';
import type { StreamRecord } from '../../src/domain/record.js';
import { DEFAULT_GROWTH_RULES } from '../../src/domain/growth.js';
import { GrowthRulesFollower } from '../../src/follow/growth-rules-follower.js';
import { GrowthKeeper } from '../../src/jobs/growth.js';
import type { EventEntry } from '../../src/jobs/streams.js';
import { GrowthDesk } from '../../src/paths/growth-desk.js';
import { GrowthLedger } from '../../src/paths/growth-ledger.js';
import { Catalog } from '../../src/catalog/catalog.js';
import { PortraitView } from '../../src/profile/portrait.js';
import { emptyProfile } from '../../src/profile/profile.js';
import { NO_BUYERS } from '../../src/profile/buyers.js';
import { AttributeStore } from '../../src/redis/attribute-store.js';
import { GrowthStore } from '../../src/redis/growth-store.js';
import { StandingStore } from '../../src/redis/standing-store.js';
import { seededRandom, shuffle } from '../../src/util/random.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, commandsTo, keys, silent } from '../helpers/streams.js';

const DAY = 86_400_000;
const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const limits = { profileTtlS: 86_400 };
let now = Date.UTC(2026, 0, 15, 12);
const store = new GrowthStore(redis, keys, limits);
const attributes = new AttributeStore(redis, keys, limits);
const follower = new GrowthRulesFollower(store, silent);
const ledger = new GrowthLedger({
  store, attributes, rules: () => follower.current, timezone: 'UTC', clock: () => now, newId: randomUUID,
  document: (_, growth) => Promise.resolve(new PortraitView({
    profile: emptyProfile(), attributes: undefined, growth, riskScore: undefined, segments: [], book: new Catalog(), buyers: NO_BUYERS, now,
  })),
});
const keeper = new GrowthKeeper(ledger);
const desk = new GrowthDesk(ledger, store);
const standings = new StandingStore(redis, keys);

let entry = 0;
const entryOf = (record: StreamRecord): EventEntry => ({ partition: 0, id: `${entry++}-0`, record, json: JSON.stringify(record) });
const handle = (...records: readonly StreamRecord[]): Promise<void> => keeper.handle(records.map(entryOf));
const pointsOf = async (shopper: string): Promise<unknown> => (await desk.describe(shopper, '', 50))['points'];

await t.test('events earn points, level and badges, seen in the portrait\'s inputs and told to who follows', async (t) => {
  const purchase = anEvent({ type: 'purchase', shopper: 'u:ann', itemId: 'i1', valueMinor: 9900, at: now });
  await handle(purchase, anEvent({ type: 'review', shopper: 'u:ann', at: now }), purchase);
  await handle(purchase);
  t.match(await desk.describe('u:ann', '', 50), {
    points: 5 + 99 + 20, level: { number: 1, title: 'Bronze', nextAt: 500 }, badges: [{ id: 'first-purchase' }], streak: { days: 1, checkedInToday: true, lastDay: '2026-01-15' },
    tasks: [{ id: 'week-of-visits', done: 1, isDone: false }, { id: 'three-orders', done: 1 }],
  });
  t.same(await standings.read('u:ann'), { growth: { points: 124, level: 1, badges: ['first-purchase'] }, riskScore: undefined });
  const told = (await redis.xrange(keys.eventsOf('u:ann'), '-', '+')).map(([, fields]) => JSON.parse(fields[1]!) as Record<string, unknown>);
  t.match(told, [{ type: 'portrait', shopper: 'u:ann', levelUp: 1, id: 'level 1 u:ann' }]);
  await handle(anEvent({ type: 'refund', shopper: 'u:ann', itemId: 'i1', valueMinor: 9900, at: now }));
  t.match(await desk.describe('u:ann', '', 50), { points: 25, level: { number: 0 }, badges: [], ledger: [{ by: 'rule:purchase', on: 'refund', points: -99, balance: 25 }] });
});

await t.test('the ledger is read page by page and sums up to the balance', async (t) => {
  const entries: { points: number }[] = [];
  for (let cursor = ''; ;) {
    const page = await desk.describe('u:ann', cursor, 2);
    entries.push(...page['ledger'] as { points: number }[]);
    if (page['cursor'] === undefined) break;
    cursor = page['cursor'] as string;
  }
  t.equal(entries.length, 4);
  t.equal(entries.reduce((sum, { points }) => sum + points, 0), 25);
});

await t.test('any order, repetition and company of events and refunds comes to the same', async (t) => {
  const random = seededRandom(7);
  for (let round = 0; round < 6; round++) {
    const types = ['purchase', 'refund', 'like', 'review'] as const;
    const history = Array.from({ length: 25 }, () => ({
      type: types[Math.floor(random() * types.length)]!, itemId: `i${Math.floor(random() * 3)}`, valueMinor: Math.floor(random() * 9000), at: now - Math.floor(random() * 9 * DAY),
    }));
    const balances: unknown[] = [];
    for (const name of ['one', 'two', 'three']) {
      const shopper = `u:${round}-${name}`;
      const events = history.map((event, i) => anEvent({ ...event, id: `${round}-${i}`, shopper }));
      shuffle(events, random);
      // Batches that overlap, several at once: as after failures, and with two workers.
      const batches: Promise<void>[] = [];
      for (let from = 0; from < events.length; from += 5) batches.push(handle(...events.slice(Math.max(0, from - 3), from + 5)));
      await Promise.all(batches);
      await handle(...events);
      const { points, badges, level } = (await standings.read(shopper)).growth!;
      t.ok(points >= 0);
      balances.push([points, badges.toSorted(), level]);
    }
    t.same(balances[1], balances[0]);
    t.same(balances[2], balances[0]);
  }
});

await t.test('a check-in counts once a day, of the shopper\'s calendar', async (t) => {
  t.equal(await ledger.checkIn('u:cem'), true);
  t.equal(await ledger.checkIn('u:cem'), false);
  await handle(anEvent({ shopper: 'u:cem', at: now }));
  t.equal(await pointsOf('u:cem'), 5);
  await attributes.write('u:cem', { timezone: 'Pacific/Kiritimati' }, { type: 'portrait', id: 'p', shopper: 'u:cem', at: now });
  t.equal(await ledger.checkIn('u:cem'), true, 'where it is tomorrow already');
  t.match(await desk.describe('u:cem', '', 50), { points: 10, streak: { days: 2 } });
});

await t.test('a visitor\'s growth goes to the user once, and what comes late with it; an erasure leaves nothing', async (t) => {
  const review = anEvent({ type: 'review', shopper: 'a:x', at: now });
  await handle(review, anEvent({ type: 'like', shopper: 'u:dan', at: now }));
  const alias = { type: 'alias', id: 'al', shopper: 'u:dan', from: 'a:x', at: now } as const;
  await handle(alias);
  await handle(alias);
  await handle(review);
  t.equal(await pointsOf('u:dan'), 5 + 20 + 1, 'one visit, one review, however often they are told');
  await handle(anEvent({ type: 'share', shopper: 'a:x', at: now }));
  t.equal(await pointsOf('u:dan'), 31);
  t.equal(await pointsOf('a:x'), 31, 'who was the visitor is the user');
  await handle({ type: 'erase', id: 'er', shopper: 'u:dan', at: now - 1 });
  t.equal(await pointsOf('u:dan'), 31, 'an erasure of before is not of now');
  await handle({ type: 'erase', id: 'er', shopper: 'u:dan', at: now + 1 });
  t.equal(await pointsOf('u:dan'), 0);
  await handle(anEvent({ type: 'like', shopper: 'u:dan', at: now }), { type: 'erase', id: 'er2', shopper: 'u:dan', at: now + 1 });
  now += 5000;
  await handle(anEvent({ type: 'like', shopper: 'u:dan', at: now - 4000 }));
  await handle({ type: 'erase', id: 'er3', shopper: 'u:dan', at: now - 2000 });
  t.equal(await pointsOf('u:dan'), 0, 'however late both were looked at');
  t.same((await redis.keys('*u:dan')).filter((key) => key.includes('growth')), []);
});

await t.test('rules are checked, counted and followed; a badge may be an expression over the portrait', async (t) => {
  t.match(await desk.rules(), { version: 0, rules: DEFAULT_GROWTH_RULES });
  await t.rejects(desk.putRules({ ...DEFAULT_GROWTH_RULES, badges: [{ id: 'x', title: 'x', expression: 'points >' }] }), { code: 'invalid_expression' });
  t.match(await desk.putRules({ ...DEFAULT_GROWTH_RULES, badges: [{ id: 'ten', title: 'Ten', expression: 'points >= 10 && level == 0' }] }), { version: 1 });
  await follower.look();
  now += DAY;
  await handle(anEvent({ type: 'share', shopper: 'u:eva', at: now }));
  t.same((await standings.read('u:eva')).growth?.badges, ['ten']);
});

await t.test('who is flagged earns nothing', async (t) => {
  await redis.hset(keys.standing('u:fay'), 'flagged', '1');
  await handle(anEvent({ type: 'review', shopper: 'u:fay', at: now }));
  t.match(await desk.describe('u:fay', '', 50), { points: 0, suspended: /risk/u });
  await t.rejects(ledger.checkIn('u:fay'), { code: 'not_eligible' });
});
