import { randomBytes, randomUUID } from 'node:crypto';
import t from 'tap';
import { Catalog } from '../../src/catalog/catalog.js';
import type { ShopperEvent } from '../../src/domain/event.js';
import type { SegmentChange } from '../../src/domain/segment.js';
import { SegmentFollower } from '../../src/follow/segment-follower.js';
import { BuyersPublisher, SegmentKeeper } from '../../src/jobs/segments.js';
import { EventIngestor } from '../../src/paths/ingest-events.js';
import { estimateSegment } from '../../src/paths/estimate-segment.js';
import { SegmentDesk } from '../../src/paths/segment-desk.js';
import { Shoppers } from '../../src/paths/shoppers.js';
import { AttributeStore } from '../../src/redis/attribute-store.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { Lease } from '../../src/redis/lease.js';
import { PortraitStore } from '../../src/redis/portrait-store.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { SegmentStore } from '../../src/redis/segment-store.js';
import { StandingStore } from '../../src/redis/standing-store.js';
import { seededRandom } from '../../src/util/random.js';
import { bucketOf } from '../../src/util/quantile-sketch.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, commandsTo, consume, keys, silent, until } from '../helpers/streams.js';

const DAY = 86_400_000;
const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const START = Date.UTC(2026, 0, 10, 12);
let now = START;
const clock = (): number => now;
const limits = { profileTtlS: 86_400, streamEntriesMax: 100_000 };
const catalog = new Catalog();
catalog.put({ id: 'boot', title: 'Boot', category: ['shoes', 'boots'], price: 100 });

const profiles = new ProfileStore(redis, keys, limits);
const attributes = new AttributeStore(redis, keys, limits);
const portraits = new PortraitStore(redis, keys, limits);
const store = new SegmentStore(redis, keys);
const desk = new SegmentDesk(store, clock);
const ingestor = new EventIngestor({ store: profiles, catalog, clock, newToken: () => randomBytes(8), onFolded: () => { /* not counted */ } });
const shoppers = new Shoppers({ store: profiles, attributes, clock, newToken: () => randomBytes(8), newId: randomUUID, handOver: async () => { /* left to the worker */ }, announceErased: async () => { /* one process */ } });

/** What a worker keeps, with a clock of the test's. */
function aKeeper(): { keeper: SegmentKeeper; surroundings: SegmentFollower } {
  const surroundings = new SegmentFollower({ store, log: silent });
  const keeper = new SegmentKeeper({ portraits, standings: new StandingStore(redis, keys), store, book: catalog, clock, segments: () => surroundings.segments, buyers: () => surroundings.buyers });
  return { keeper, surroundings };
}

const { keeper, surroundings } = aKeeper();
await surroundings.look();
const consumer = consume(server.url, redis, keeper);
t.teardown(() => consumer.stop());

let known = 0;
/** Ingests events of a shopper, and waits until the keeper has seen them. */
async function happened(shopper: string, ...events: Partial<ShopperEvent>[]): Promise<void> {
  await ingestor.store(shopper, events.map((event) => anEvent({ shopper, at: now, itemId: 'boot', ...event })));
  await settled(events.length);
}

async function settled(entries: number): Promise<void> {
  known += entries;
  await until('the keeper has seen all', () => consumer.counts.handled >= known);
}

const segmentsOf = async (shopper: string): Promise<string[]> => [...(await portraits.memberships(shopper)).keys()].toSorted();
const sweep = (cause: 'time' | 'definition' = 'time'): Promise<number> => keeper.sweep(cause, new AbortController().signal);

async function changes(shopper: string): Promise<string[]> {
  const found: SegmentChange[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (const [, [, json]] of await redis.xrange(keys.segmentChanges(partition), '-', '+')) found.push(JSON.parse(json!) as SegmentChange);
  }
  return found.filter((change) => change.shopper === shopper).map(({ type, segment, cause }) => `${type} ${segment} (${cause})`);
}

async function membersOf(id: string, limit: number): Promise<string[]> {
  const members: string[] = [];
  let cursor = '';
  do {
    const page = await store.members(id, cursor, limit);
    if (page.members.length > limit) throw new Error(`A page of ${page.members.length} instead of ${limit}.`);
    members.push(...page.members);
    cursor = page.cursor;
  } while (cursor !== '');
  return members;
}

await t.test('a shopper enters and leaves segments with their events, each time said once', async (t) => {
  await happened('u:ann', { type: 'view_item' });
  t.same(await segmentsOf('u:ann'), ['potential']);
  await happened('u:ann', { type: 'purchase', valueMinor: 1000 }, { type: 'share' });
  t.same(await segmentsOf('u:ann'), ['new', 'sharers']);
  await happened('u:ann', { type: 'view_item' });
  t.same(await changes('u:ann'), ['enter potential (event)', 'enter new (event)', 'enter sharers (event)', 'leave potential (event)']);
  t.equal((await store.sizes()).get('new'), 1);
  t.equal((await store.sizes()).get('potential'), undefined);
});

await t.test('a segment that is made finds its members, one that is changed or removed loses them', async (t) => {
  await desk.put('boots', { title: 'Boots', expression: 'categories["shoes/boots"] > 3.0' });
  await surroundings.look();
  await sweep('definition');
  t.same(await segmentsOf('u:ann'), ['boots', 'new', 'sharers']);
  t.ok((await changes('u:ann')).includes('enter boots (definition)'));
  await desk.put('boots', { title: 'Boots', expression: 'orders > 5' });
  t.match(await desk.get('boots'), { version: 2, size: 1 });
  await surroundings.look();
  await sweep('definition');
  t.same(await segmentsOf('u:ann'), ['new', 'sharers']);
  await desk.put('boots', { title: 'Boots', kind: 'tag', expression: 'orders > 0' });
  await surroundings.look();
  await sweep('definition');
  await desk.remove('boots');
  await surroundings.look();
  await sweep('definition');
  t.same(await segmentsOf('u:ann'), ['new', 'sharers']);
  t.equal((await store.sizes()).get('boots'), undefined);
  await t.rejects(desk.remove('boots'), { code: 'not_found' });
  await t.rejects(desk.remove('dormant'), { code: 'conflict' });
  await t.rejects(desk.put('bad', { title: 'Bad', expression: 'orders >' }), { code: 'invalid_expression', position: { line: 1, column: 9 } });
  await t.rejects(desk.put('bad', { title: 'Bad', expression: '"new" in segments' }), { code: 'invalid_expression' });
});

await t.test('time alone makes dormant and churned', async (t) => {
  await happened('u:ben', { type: 'purchase', valueMinor: 500 });
  t.same(await segmentsOf('u:ben'), ['new']);
  now += 31 * DAY;
  await sweep();
  t.same(await segmentsOf('u:ben'), ['dormant']);
  now += 60 * DAY;
  await sweep();
  await sweep();
  t.same(await segmentsOf('u:ben'), ['churned']);
  t.same((await changes('u:ben')).slice(-4), ['enter dormant (time)', 'leave new (time)', 'enter churned (time)', 'leave dormant (time)']);
  await happened('u:ben', { type: 'view_item' });
  t.same(await segmentsOf('u:ben'), ['new'], 'and an event brings them back');
});

await t.test('attributes count as soon as they are said, go to the user on a merge, and with an erasure', async (t) => {
  await desk.put('northern', { title: 'North', expression: 'attributes.region == "north" && consent["marketing"]' });
  await surroundings.look();
  const record = (shopper: string) => ({ type: 'portrait', id: randomUUID(), shopper, at: now }) as const;
  await attributes.write('a:guest', { region: 'north', consent: { marketing: true } }, record('a:guest'));
  await settled(1);
  t.same(await segmentsOf('a:guest'), ['northern', 'potential'], 'before any event');
  await happened('a:guest', { type: 'view_item' });
  await attributes.write('u:cleo', { consent: { marketing: true, sms: false } }, record('u:cleo'));
  await happened('u:cleo', { type: 'view_item' });
  await settled(1);
  t.notOk((await segmentsOf('u:cleo')).includes('northern'));
  t.equal(await shoppers.alias('u:cleo', 'a:guest'), true);
  await settled(3);
  t.same(await segmentsOf('u:cleo'), ['northern', 'potential']);
  t.same(await segmentsOf('a:guest'), [], 'the visitor is nobody any more');
  t.same(await attributes.read('u:cleo'), { region: 'north', consent: { marketing: true, sms: false } });
  t.equal(await shoppers.current('a:guest'), 'u:cleo');
  await shoppers.erase('u:cleo');
  await settled(2); // and the visitor who became her
  t.same(await segmentsOf('u:cleo'), []);
  t.equal(await attributes.read('u:cleo'), undefined);
  t.notOk((await membersOf('northern', 10)).includes('u:cleo'));
  await desk.remove('northern');
  await surroundings.look();
});

await t.test('members are listed a page at a time, each once, however many partitions they are in', async (t) => {
  const names = Array.from({ length: 150 }, (_, i) => `u:member ${i} :é`);
  await Promise.all(names.map((shopper) => ingestor.store(shopper, [anEvent({ shopper, at: now, type: 'purchase', itemId: 'boot', valueMinor: 100 })])));
  await settled(names.length);
  const listed = await membersOf('new', 7);
  t.same(listed.toSorted(), [...names, 'u:ben'].toSorted());
  t.equal((await store.sizes()).get('new'), listed.length);
  await t.rejects(store.members('new', 'not a cursor', 1000), { code: 'invalid_request', message: /^cursor /u });
});

await t.test('the size of a segment is estimated before it is saved', async (t) => {
  const estimate = (source: string, seed: number) => estimateSegment(source, { store, portraits, standings: new StandingStore(redis, keys), surroundings, book: catalog, clock, random: seededRandom(seed) });
  t.same(await estimate('orders == 1', 1), { size: 152, low: 148, high: 152, sampled: 152, shoppers: 152 }, 'of few shoppers all are looked at');
  t.match(await estimate('orders > 5', 2), { size: 0, low: 0 });
  const drawn = await store.sample(['new'], 0.25, seededRandom(3));
  t.ok(drawn.length > 15 && drawn.length < 65 && new Set(drawn).size === drawn.length, `${drawn.length} of 151`);
  await t.rejects(estimate('orders >', 1), { code: 'invalid_expression' });
});

await t.test('the sums over buyers follow every purchase and every loss, and place shoppers among them', async (t) => {
  const publisher = new BuyersPublisher({ store, lease: new Lease(redis, keys.lock('buyers'), 'test'), everyMs: 1000 });
  await publisher.publish();
  await surroundings.look();
  const { buyers } = surroundings;
  t.equal(buyers.frequency.total, 152);
  t.equal(buyers.frequency.quantile(0.5), bucketOf(1));
  await happened('u:member 0 :é', { type: 'purchase', valueMinor: 9900, at: now + 120_000 });
  await happened('u:member 1 :é', { type: 'view_item' });
  t.ok((await segmentsOf('u:member 0 :é')).includes('high_value'));
  t.ok((await segmentsOf('u:member 1 :é')).includes('mid_value'), 'who is like most is in the middle');
  await shoppers.erase('u:member 1 :é');
  await settled(1);
  await publisher.publish();
  await surroundings.look();
  t.match(surroundings.buyers, { frequency: { total: 151 }, money: { total: 151 }, recency: { total: 151 } });
  t.equal(surroundings.buyers.money.quantile(1), bucketOf(10_000));
});

await t.test('a profile that runs out takes its memberships along with the next sweep', async (t) => {
  await redis.del(keys.profile('u:ben'));
  await redis.set(keys.profile('u:dan'), 'what no version can read');
  await sweep();
  await redis.del(keys.profile('u:dan'));
  t.same(await segmentsOf('u:ben'), []);
  t.notOk((await membersOf('new', 1000)).includes('u:ben'));
});

await t.test('whoever looks at a shopper who has changed meanwhile writes nothing', async (t) => {
  const seen = await portraits.read('u:ann');
  await happened('u:ann', { type: 'view_item' });
  const change = { buckets: '', entered: ['stale'], left: [], at: now, cause: 'event' } as const;
  t.notOk(await portraits.settle('u:ann', seen, change));
  const fresh = await portraits.read('u:ann');
  await attributes.write('u:ann', { region: 'south' }, { type: 'portrait', id: randomUUID(), shopper: 'u:ann', at: now });
  await settled(1);
  t.notOk(await portraits.settle('u:ann', fresh, change), 'attributes count, too');
  t.notOk((await segmentsOf('u:ann')).includes('stale'));
});

await t.test('two workers over the same shoppers say every change once', async (t) => {
  const other = aKeeper();
  await other.surroundings.look();
  now += 200 * DAY;
  await Promise.all([sweep(), other.keeper.sweep('time', new AbortController().signal)]);
  for (const shopper of ['u:member 3 :é', 'u:member 77 :é']) {
    t.same((await changes(shopper)).filter((change) => change.startsWith('enter churned')), ['enter churned (time)'], shopper);
  }
});
