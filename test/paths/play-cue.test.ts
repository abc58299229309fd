import t, { type Test } from 'tap';
import { Catalog } from '../../src/catalog/catalog.js';
import type { Cue } from '../../src/domain/cue.js';
import type { Offer } from '../../src/domain/offer.js';
import { broadcastReach } from '../../src/paths/broadcast-reach.js';
import { TOUCH, emptyProfile, type Profile } from '../../src/profile/profile.js';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import type { RedisClient } from '../../src/redis/client.js';
import { CueStore } from '../../src/redis/cue-store.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { RoomStore } from '../../src/redis/room-store.js';
import { hash32, hash48 } from '../../src/util/hash.js';
import { claimRig, type ClaimRig } from '../helpers/claims.js';
import { aLadder, Hall, RESPONSE_DIR, RESPONSE_FEATURES, Stage, writeProfile, type StageOptions } from '../helpers/cues.js';
import { OPEN_POLICY } from '../helpers/decide.js';
import { stallingModel, writeTestModel } from '../helpers/models.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { commandsTo, keys, tempDir, until } from '../helpers/streams.js';

const HOUR_MS = 3_600_000;
const ROOM = 'r1';

/** A Redis, and what a store has in it. */
interface Rig extends ClaimRig {
  readonly server: TestRedis;
  readonly redis: RedisClient;
  readonly catalog: Catalog;
  readonly offers: Offer[];
  ladder(...offers: Partial<Offer>[]): Promise<string[]>;
  stage(options?: Partial<StageOptions>): Stage;
}

let offers = 0;

async function start(t: Test): Promise<Rig> {
  const server = await startRedis();
  t.teardown(() => server.stop());
  const redis = await commandsTo(server.url);
  t.teardown(() => { redis.disconnect(); });
  const claims = claimRig(redis);
  const catalog = new Catalog();
  const known: Offer[] = [];
  return {
    ...claims, server, redis, catalog, offers: known,
    async ladder(...wanted) {
      const now = Date.now();
      return Promise.all(wanted.map(async (fields) => {
        const offer = await claims.offer(`step-${offers++}`, { window: { startsAt: now - HOUR_MS, endsAt: now + HOUR_MS }, budget: { moneyMinor: 1e9, count: 100_000 }, marginMinor: 4000, ...fields });
        known.push(offer);
        return offer.id;
      }));
    },
    stage(options = {}) {
      const stage = new Stage({ redis, catalog, live: () => known.map((offer) => ({ offer, usage: { count: 0, moneyMinor: 0 } })), ...options });
      t.teardown(() => stage.player.stop());
      return stage;
    },
  };
}

/** Somebody who buys of one category. */
function taste(category: string): Profile {
  const now = Date.now();
  return {
    ...emptyProfile(), events: 40, sessions: 6, updatedAt: now - 60_000, firstAt: now - 40 * 24 * HOUR_MS, orders: 4, spentMinor: 24_000, firstOrderAt: now - 30 * 24 * HOUR_MS, lastOrderAt: now - 48 * HOUR_MS,
    categories: { keys: [hash32(category)], short: [8], long: [30] }, touches: [{ item: hash48(`${category}-1`), mask: TOUCH.viewed | TOUCH.carted, count: 3, at: now - 60_000 }],
  };
}

const people = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `u:viewer-${from + i}`);

await t.test('two tastes get two offers, claimed for them, in inbox, log and decision log', async (t) => {
  const rig = await start(t);
  const { redis } = rig;
  const model = new ModelHolder({ features: RESPONSE_FEATURES, clock: () => performance.now(), batched: true });
  t.teardown(() => model.close());
  t.notMatch(await model.swap(RESPONSE_DIR), { refused: {} });
  const flash = (itemId: string): Partial<Offer> => ({ terms: { kind: 'flash_sale', itemId, priceMinor: 3000, stock: 10_000, costMinor: 1000 } });
  const [shoes, tea] = await rig.ladder(flash('shoes-1'), flash('tea-1'));
  // So many claims that little is left to chance.
  const { hall, counts, logged } = rig.stage({ model, live: () => rig.offers.map((offer) => ({ offer, usage: { count: 900, moneyMinor: 0 } })) });
  const viewers = people(200);
  await Promise.all(viewers.map((shopper, i) => writeProfile(redis, shopper, taste(i % 2 === 0 ? 'shoes' : 'tea'))));
  for (const shopper of viewers) hall.join(ROOM, shopper);
  const cue = aLadder(ROOM, [shoes!, tea!]);
  hall.hear(ROOM, 'cue', { cue });
  await until('all are served', () => counts.offer === viewers.length);
  t.equal(hall.heard.length, viewers.length);
  let fits = 0;
  for (const { shopper, offer } of hall.heard) fits += offer.offerId === (viewers.indexOf(shopper) % 2 === 0 ? shoes : tea) ? 1 : 0;
  t.ok(fits > viewers.length * 0.9, `${fits} of ${viewers.length} got what they like`);

  const { offer, epoch, offset } = hall.heard[0]!;
  t.match(offer, { id: `cue_${cue.id}`, kind: 'coupon', cause: 'live_cue', roomId: ROOM, cueId: cue.id, claim: { code: /^step-\d+-[a-z0-9]{25}$/u } });
  t.equal(offer.isDefault, undefined);
  const { shopper } = hall.heard[0]!;
  const [entry] = await redis.xrange(keys.log(shopper), '-', '+');
  t.equal(entry![0], `${epoch}-${offset}`);
  t.match(JSON.parse(entry![1][1]!), { type: 'offer', channel: `user:${shopper.slice(2)}`, epoch, offset, offer });
  t.same((await redis.lrange(keys.inbox(shopper), 0, -1)).map((json) => JSON.parse(json) as unknown), [offer]);
  await until('the contact is noted', async () => (await redis.zrange(keys.contacts(shopper), '0', '-1')).join() === `page ${offer.offerId}`);
  t.ok(await redis.pttl(keys.inbox(shopper)) > 0 && await redis.pttl(keys.log(shopper)) > 0, 'and nothing stays for ever');
  t.match(await rig.claims.get(offer.offerId!, offer.claim!.id.split('.')[1]!), { shopper, status: 'claimed' });
  await isExact(t, rig, viewers.length);

  t.equal(logged.length, viewers.length);
  t.match(logged.find((record) => record.decisionId === offer.decisionId), { shopper, cueId: cue.id, campaignId: 'live_cue', scene: 'live', channel: 'page', model: /^simulated-response@/u });
  await until('the log is written', async () => (await Promise.all(Array.from({ length: PARTITIONS }, (_, i) => redis.xlen(keys.decisions(i))))).some((length) => length > 0));
  const reach = await new CueStore(redis, keys, Date.now).reach(ROOM, cue.number);
  t.equal(reach.reduce((sum, piece) => sum + piece.offer, 0), viewers.length);
});

await t.test('a cue that is the same for everybody has reached who was there', async (t) => {
  const { redis } = await start(t);
  const store = new CueStore(redis, keys, Date.now);
  const faults: unknown[] = [];
  const halls = [new Hall(), new Hall()];
  for (const hall of halls) hall.watchRooms(broadcastReach({ audience: hall, keys, store, onFault: (error) => { faults.push(error); } }));
  people(5).forEach((shopper, i) => { halls[i % 2]!.join(ROOM, shopper); });
  const tell = (cue: Pick<Cue, 'kind' | 'number'>): void => { for (const hall of halls) hall.hear(ROOM, 'cue', { cue: { roomId: ROOM, at: 1000, ...cue } }); };
  tell({ kind: 'coupon_ladder', number: 1001 });
  tell({ kind: 'poll', number: 1002 });
  await until('both have counted', async () => await store.told(ROOM, 1002) === 5);
  t.equal(await store.told(ROOM, 1001), 0, 'those of a ladder are counted as they are served');
  halls[0]!.hear('elsewhere', 'cue', { cue: { roomId: 'elsewhere', at: 1000, kind: 'poll', number: 1 } });
  t.equal(await redis.exists(keys.room('elsewhere').cues), 0);
  t.same(faults, []);
});

await t.test('two processes hand out a scarce ladder at once: stock exact, everybody told, nobody twice', async (t) => {
  const rig = await start(t);
  const ladder = await rig.ladder({ budget: { moneyMinor: 1e9, count: 30 } }, { budget: { moneyMinor: 500 * 40, count: 1000 } }, { terms: { kind: 'percentage', basisPoints: 500, capMinor: 300 }, budget: { moneyMinor: 1e9, count: 100 } });
  const stages = [rig.stage(), rig.stage()];
  // Some are in both: two tabs, or a socket that its process has not noticed to be gone.
  const halves = [people(300), people(300, 250)];
  stages.forEach(({ hall }, i) => { for (const shopper of halves[i]!) hall.join(ROOM, shopper); });
  const cue = aLadder(ROOM, ladder, { defaultOfferId: ladder[2]! });
  for (const { hall } of stages) hall.hear(ROOM, 'cue', { cue });
  const total = (...what: readonly ('offer' | 'sold_out' | 'before' | 'default')[]): number => stages.reduce((sum, { counts }) => sum + what.reduce((some, one) => some + counts[one], 0), 0);
  await until('both are through', () => total('offer', 'sold_out', 'before') === 600);
  t.equal(total('before'), 50);
  t.equal(total('default'), 0);
  const given = total('offer');
  t.ok(given > 160 && given <= 170, `${given} of 170: what one of two claims for the same viewer is given back too late for another is left`);
  await until('what was claimed twice is given back', async () => (await balances(rig)).reduce((sum, { count }) => sum + count, 0) === given);
  await isExact(t, rig, given);
  const heard = stages.flatMap(({ hall }) => hall.heard);
  t.equal(heard.length, 550, 'each once: the one who was slower says nothing');
  t.equal(new Set(heard.map(({ shopper }) => shopper)).size, 550);
  const notice = heard.find(({ offer }) => offer.kind === 'notice');
  t.match(notice?.offer, { id: `cue_${cue.id}`, title: /Nothing left/u, cueId: cue.id });
  t.equal(notice?.offer.offerId, undefined);
  const claimed = heard.flatMap(({ offer: { claim } }) => (claim === undefined ? [] : [claim.id]));
  t.equal(new Set(claimed).size, given);
});

await t.test('a cue that is heard twice, or by a process that comes up, serves nobody again', async (t) => {
  const rig = await start(t);
  const rooms = new RoomStore(rig.redis, keys);
  const ladder = await rig.ladder({}, { terms: { kind: 'percentage', basisPoints: 1000, capMinor: 600 } });
  const [first, second] = [rig.stage(), rig.stage()];
  const viewers = people(40);
  for (const shopper of viewers) first.hall.join(ROOM, shopper);
  const cue = aLadder(ROOM, ladder);
  first.hall.hear(ROOM, 'cue', { cue });
  first.hall.hear(ROOM, 'cue', { cue });
  await until('the first is through', () => first.counts.offer === 40);
  // The first process is killed: its viewers come to the second one, which has not heard of the cue.
  await rig.redis.hset(keys.room(ROOM).cues, cue.number, JSON.stringify(cue));
  await rig.redis.zadd(keys.room(ROOM).open, cue.endsAt, cue.number);
  t.same(await rooms.openCues(ROOM, Date.now()), [cue]);
  for (const shopper of [...viewers, 'u:late']) second.hall.join(ROOM, shopper);
  await until('the late one is served', () => second.counts.offer === 1 && second.counts.before === 40);
  t.same(second.hall.heard.map(({ shopper }) => shopper), ['u:late']);
  await isExact(t, rig, 41);
  second.hall.leave(ROOM, 'u:late');
  second.hall.join(ROOM, 'u:late');
  await new Promise((done) => { setTimeout(done, 100); });
  t.equal(second.counts.offer + second.counts.before, 41, 'nothing is asked for those who come again');
});

await t.test('what a process had claimed when it was killed is what its viewers get', async (t) => {
  const rig = await start(t);
  const ladder = await rig.ladder({}, {}, {});
  const viewers = people(30);
  const cue = aLadder(ROOM, ladder);
  const killed = rig.stage({ store: neverDelivers(rig.redis) });
  for (const shopper of viewers) killed.hall.join(ROOM, shopper);
  killed.hall.hear(ROOM, 'cue', { cue });
  await until('all is claimed', async () => (await balances(rig)).reduce((sum, { count }) => sum + count, 0) === 30);
  // Another seed for the draws: none of them would have chosen the same.
  const other = rig.stage();
  rig.offers.reverse();
  await rig.redis.hset(keys.room(ROOM).cues, cue.number, JSON.stringify(cue));
  await rig.redis.zadd(keys.room(ROOM).open, cue.endsAt, cue.number);
  for (const shopper of viewers) other.hall.join(ROOM, shopper);
  await until('all are served', () => other.counts.offer === 30);
  await isExact(t, rig, 30);
});

await t.test('a model that stalls costs its chunk the decision, not the offer', async (t) => {
  const rig = await start(t);
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  await writeTestModel(dir.path, { features: RESPONSE_FEATURES, onnx: await stallingModel(RESPONSE_FEATURES, 100) });
  const model = new ModelHolder({ features: RESPONSE_FEATURES, clock: () => performance.now(), batched: true });
  t.teardown(() => model.close());
  t.notMatch(await model.swap(dir.path), { refused: {} });
  const ladder = await rig.ladder({}, {});
  const { hall, counts } = rig.stage({ model, deadlineMs: 60 });
  for (const shopper of people(3)) hall.join(ROOM, shopper);
  const cue = aLadder(ROOM, ladder);
  hall.hear(ROOM, 'cue', { cue });
  await until('the default is there', () => counts.default === 3);
  t.equal(counts.late, 1);
  t.same(new Set(hall.heard.map(({ offer }) => JSON.stringify([offer.isDefault, offer.offerId, offer.claim]))), new Set([JSON.stringify([true, ladder[1], undefined])]));
  // A busy machine may tell them before.
  t.same(hall.heard.flatMap(({ offset }) => offset ?? []), [1, 1, 1], 'the store answered, so it is in the log');
  await until('nothing is claimed', async () => (await balances(rig)).every(({ count }) => count === 0));
  await isExact(t, rig, 0);
});

await t.test('while Redis stands still viewers get the default at once, and it is made good afterwards', async (t) => {
  const rig = await start(t);
  const ladder = await rig.ladder({}, {});
  const viewers = people(600);
  const { hall, counts } = rig.stage({ deadlineMs: 200 });
  for (const shopper of viewers) hall.join(ROOM, shopper);
  await rig.server.kill('SIGSTOP');
  const cue = aLadder(ROOM, ladder);
  hall.hear(ROOM, 'cue', { cue });
  await until('all have heard of the default', () => hall.heard.length === 600);
  t.ok(hall.heard.every(({ offer, offset }) => offer.isDefault === true && offset === undefined), 'in a frame without a place');
  await rig.server.kill('SIGCONT');
  await until('it is in their logs', () => counts.default === 600);
  t.equal(hall.heard.length, 1200);
  const copies = hall.heard.slice(600);
  t.ok(copies.every(({ offer, offset }) => offset === 1 && offer.id === `cue_${cue.id}` && offer.isDefault === true), 'the same message, with its place');
  await until('nothing is claimed', async () => (await balances(rig)).every(({ count }) => count === 0));
  await isExact(t, rig, 0);
  t.same((await rig.redis.lrange(keys.inbox('u:viewer-7'), 0, -1)).length, 1);
});

await t.test('a claim that comes too late is given back', async (t) => {
  const rig = await start(t);
  const ladder = await rig.ladder({}, {});
  let release = (): void => { /* Set below. */ };
  const held = new Promise<void>((resolve) => { release = resolve; });
  const { claims } = rig;
  const slow = {
    claimedBy: claims.claimedBy.bind(claims), settle: claims.settle.bind(claims),
    claimMany: async (...call: Parameters<typeof claims.claimMany>) => {
      const outcomes = await claims.claimMany(...call);
      await held;
      return outcomes;
    },
  };
  const doubtful = { ...slow, claimMany: async (...call: Parameters<typeof claims.claimMany>) => (await claims.claimMany(...call)).map(() => undefined) };
  for (const [name, store] of [['late', slow], ['unknown', doubtful]] as const) {
    const { hall, counts } = rig.stage({ claims: store, deadlineMs: name === 'late' ? 100 : 5000 });
    for (const shopper of people(5)) hall.join(name, shopper);
    hall.hear(name, 'cue', { cue: aLadder(name, ladder) });
    await until('the default is there', () => counts.default === 5);
    release();
    await until('the claims are given back', async () => (await balances(rig)).every(({ count }) => count === 0));
    t.equal(hall.heard.filter(({ offer }) => offer.isDefault === true).length, 5);
    await isExact(t, rig, 0);
  }
});

await t.test('who may have what: rules, holdouts, flags, consent, merges', async (t) => {
  const rig = await start(t);
  const { redis } = rig;
  const [loyal, all] = await rig.ladder({ eligibility: { expression: 'orders > 2' } }, {});
  await writeProfile(redis, 'u:loyal', taste('shoes'));
  await writeProfile(redis, 'a:visitor', { ...emptyProfile(), movedTo: 'u:user' });
  await writeProfile(redis, 'u:user', taste('shoes'));
  await redis.set(keys.attributes('u:private'), JSON.stringify({ consent: { personalization: false } }));
  const { hall, counts } = rig.stage({ flagged: new Set(['u:abuser']), policy: { ...OPEN_POLICY, holdout: 0 } });
  for (const shopper of ['u:new', 'u:loyal', 'u:private', 'u:abuser', 'a:visitor']) hall.join(ROOM, shopper);
  hall.hear(ROOM, 'cue', { cue: aLadder(ROOM, [loyal!, all!]) });
  await until('all are through', () => counts.played === 1 && counts.offer === 3);
  t.equal(hall.of('u:new')[0]?.offer.offerId, all);
  t.match(hall.of('u:private')[0]?.offer, { isDefault: true, offerId: all });
  t.same(hall.of('u:abuser'), []);
  t.equal(counts.held, 1);
  const { offer } = hall.of('a:visitor')[0]!;
  t.match(await rig.claims.get(offer.offerId!, offer.claim!.id.split('.')[1]!), { shopper: 'u:user' }, 'the claim is the user\'s that the visitor has become');

  const none = rig.stage({ policy: { ...OPEN_POLICY, holdout: 0.5 } });
  for (const shopper of people(100)) none.hall.join('r2', shopper);
  none.hall.hear('r2', 'cue', { cue: aLadder('r2', [all!]) });
  await until('all are through', () => none.counts.played === 1 && none.counts.offer + none.counts.held === 100);
  t.ok(none.counts.held > 25 && none.counts.held < 75, `${none.counts.held} of 100 are held out`);
  t.equal(none.hall.heard.length, none.counts.offer);
});

await t.test('who signs in while a ladder stands has had theirs as the visitor they were, and the other way round', async (t) => {
  const rig = await start(t);
  const profiles = new ProfileStore(rig.redis, keys, { profileTtlS: 3600, streamEntriesMax: 1000 });
  const { hall, counts } = rig.stage();
  const cue = aLadder(ROOM, await rig.ladder({}, {}));
  for (const shopper of ['a:tourist', 'u:regular']) hall.join(ROOM, shopper);
  hall.hear(ROOM, 'cue', { cue });
  await until('both are served', () => counts.offer === 2);
  for (const [visitor, user] of [['a:tourist', 'u:settler'], ['a:phone', 'u:regular']] as const) {
    await writeProfile(rig.redis, visitor, { ...emptyProfile(), movedTo: user });
    await profiles.noteVisitor(user, visitor);
  }
  for (const shopper of ['u:settler', 'a:phone', 'u:new']) hall.join(ROOM, shopper);
  await until('the others are through', () => counts.offer === 3 && counts.before === 2);
  t.same(hall.heard.map(({ shopper }) => shopper).toSorted(), ['a:tourist', 'u:new', 'u:regular']);
  await isExact(t, rig, 3);
});

await t.test('a cue ends with its time and with its room', async (t) => {
  const rig = await start(t);
  const ladder = await rig.ladder({});
  const { hall, counts } = rig.stage();
  hall.join(ROOM, 'u:one');
  hall.hear(ROOM, 'cue', { cue: aLadder(ROOM, ladder, { endsAt: Date.now() - 1 }) });
  hall.hear(ROOM, 'cue', { cue: aLadder(ROOM, ladder) });
  await until('the open one is played', () => counts.offer === 1);
  hall.hear(ROOM, 'cue', { cue: { kind: 'end' } });
  hall.join(ROOM, 'u:two');
  await new Promise((done) => { setTimeout(done, 100); });
  t.same(hall.heard.map(({ shopper }) => shopper), ['u:one']);
});

async function balances(rig: Rig) {
  return Promise.all(rig.offers.map((offer) => rig.balance(offer)));
}

/** Counters and claims agree, and no offer is over what there was. */
async function isExact(t: Test, rig: Rig, claims: number): Promise<void> {
  const all = await balances(rig);
  t.ok(all.every(({ money, count, ofClaims }) => money === ofClaims.money && count === ofClaims.count), 'counters and claims agree');
  t.ok(all.every(({ money, count }, i) => money <= rig.offers[i]!.budget.moneyMinor && count <= rig.offers[i]!.budget.count), 'nothing over stock or budget');
  t.equal(all.reduce((sum, { count }) => sum + count, 0), claims);
}

/** A process that is killed before it delivers. */
function neverDelivers(redis: RedisClient): CueStore {
  const store = new CueStore(redis, keys, Date.now);
  store.deliver = () => new Promise(() => { /* It is gone. */ });
  return store;
}
