import { randomBytes, randomUUID } from 'node:crypto';
import t from 'tap';
import { noCounts, readArchive } from '../../src/archive/reader.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { Catalog } from '../../src/catalog/catalog.js';
import { readConfig } from '../../src/config.js';
import type { Claim } from '../../src/domain/claim.js';
import type { ShopperEvent } from '../../src/domain/event.js';
import { FlaggedFollower } from '../../src/follow/flagged-follower.js';
import { EventArchiver } from '../../src/jobs/archive.js';
import { RiskKeeper } from '../../src/jobs/risk.js';
import { parseEvent, type EventEntry } from '../../src/jobs/streams.js';
import { TrendingCounter } from '../../src/jobs/trending.js';
import { EventIngestor } from '../../src/paths/ingest-events.js';
import { RiskLedger } from '../../src/paths/risk-ledger.js';
import { ShareWatch } from '../../src/paths/share-watch.js';
import { partitionOf } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { RiskStore } from '../../src/redis/risk-store.js';
import { StandingStore } from '../../src/redis/standing-store.js';
import { TrendingStore } from '../../src/redis/trending-store.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, commandsTo, keys, silent, tempDir } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const clock = Date.now;
const limits = { profileTtlS: 86_400, streamEntriesMax: 100_000 };
const profiles = new ProfileStore(redis, keys, limits);
const store = new RiskStore(redis, keys, limits);
const ledger = new RiskLedger({ store, profiles, limits: readConfig({ REDIS_URL: server.url }).risk, clock, newId: randomUUID });
const flagged = new FlaggedFollower(store, silent);
const standings = new StandingStore(redis, keys);
const ingestor = new EventIngestor({ store: profiles, catalog: new Catalog(), clock, newToken: () => randomBytes(8), onFolded: () => { /* not counted */ } });

const SHARE = `o.${'0'.repeat(32)}`;
const aClaim = (id: string, shopper: string, rest: Partial<Claim> = {}): Claim => ({ id, offerId: 'o', shopper, code: id, status: 'held', createdAt: 0, expiresAt: 0, reservedMinor: 0, ...rest });
const shares = new ShareWatch({ store, ledger, clock, claims: { get: () => Promise.resolve(aClaim(SHARE, 'u:sue')) } });
const released: string[] = [];
const keeper = new RiskKeeper({ ledger, shares, releaseShares: (shopper) => { released.push(shopper); return Promise.resolve(); } });

/** The stream of a shopper's partition, from the start. */
async function entriesOf(shopper: string): Promise<EventEntry[]> {
  const rows = await redis.xrangeBuffer(keys.eventsOf(shopper), '-', '+');
  return rows.map(([id, fields]) => parseEvent(partitionOf(shopper), id.toString(), fields)!);
}
/** Always the whole stream: as after failures, and worse. */
async function happened(shopper: string, events: readonly Partial<ShopperEvent>[]): Promise<void> {
  await ingestor.store(shopper, events.map((event) => anEvent({ shopper, ...event })));
  await keeper.handle(await entriesOf(shopper));
}
const bot = (from: number): Partial<ShopperEvent>[] => Array.from({ length: 60 }, (_, i) => ({ itemId: 'wanted', at: from - 600_000 + i * 5000 }));

await t.test('who looks like a bot is flagged behind the stream, with reasons, and listed', async (t) => {
  await happened('u:ann', [{ itemId: 'i1' }, { itemId: 'i2' }]);
  t.match(await ledger.read('u:ann'), { state: { score: 0, isFlagged: false } });
  t.equal(await redis.exists(keys.risk('u:ann')), 0, 'nothing is kept of who gives no cause');
  await happened('u:bot', bot(clock()));
  await happened('u:bot', []);
  t.match((await ledger.read('u:bot')).state, { isFlagged: true, score: 0.9, reasons: [{ reason: 'clockwork', evidence: /pauses are of 5 s/u }] });
  t.equal((await standings.read('u:bot')).riskScore, 0.9);
  t.same((await ledger.flagged('', 10)).shoppers.map(({ shopper }) => shopper), ['u:bot']);
  t.same(released, ['u:bot'], 'held rewards are taken back when the flag comes down the stream');
  const records = (await entriesOf('u:bot')).filter(({ record }) => record.shopper === 'u:bot').map(({ record }) => record.type).filter((type) => type === 'risk' || type === 'portrait');
  t.same(records.toSorted(), ['portrait', 'risk'], 'said once');
});

await t.test('flagged shoppers are not counted, and not learnt from', async (t) => {
  await flagged.look();
  const trending = new TrendingStore(redis, keys);
  await new TrendingCounter(trending, clock, (shopper) => flagged.has(shopper)).handle(await entriesOf('u:bot'));
  t.same(await trending.top('all', clock()), []);
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  const writer = new ArchiveWriter(dir.path, 'test', clock);
  const archiver = new EventArchiver({ writer, clock, onErased: () => Promise.resolve() });
  await archiver.handle(await entriesOf('u:bot'));
  await archiver.handle(await entriesOf('u:ann'));
  await writer.close();
  const counts = noCounts();
  const learnt: string[] = [];
  for await (const { shopper } of readArchive(dir.path, counts)) learnt.push(shopper);
  t.same([learnt, counts.flagged], [['u:ann', 'u:ann'], 60]);
});

await t.test('an operator clears or sets a flag, of which there is an audit', async (t) => {
  t.match(await ledger.setFlag('u:bot', { flag: 'cleared', reason: 'our price monitor' }, 'olga'), { isFlagged: false, score: 0.9 });
  t.equal((await standings.read('u:bot')).riskScore, 0);
  await happened('u:bot', []);
  t.notOk((await ledger.read('u:bot')).state.isFlagged, 'whatever they do');
  await ledger.setFlag('u:ann', { flag: 'flagged', reason: 'chargebacks' }, 'olga');
  t.equal((await standings.read('u:ann')).riskScore, 1);
  await ledger.setFlag('u:bot', { flag: 'auto', reason: 'monitor is gone' }, 'olga');
  const { state, changes } = await ledger.read('u:bot');
  t.same([state.isFlagged, state.override], [true, undefined]);
  t.match(changes, [{ flag: 'auto', by: 'olga', wasFlagged: false, isFlagged: true }, { flag: 'cleared', reason: 'our price monitor', wasFlagged: true, isFlagged: false }]);
  const page = await ledger.flagged('', 1);
  t.equal(page.shoppers.length, 1);
  t.same([...page.shoppers, ...(await ledger.flagged(page.cursor, 5)).shoppers].map(({ shopper }) => shopper).toSorted(), ['u:ann', 'u:bot']);
});

await t.test('an operator\'s word about a visitor holds for the user they become', async (t) => {
  await ledger.setFlag('a:spy', { flag: 'cleared', reason: 'our price monitor' }, 'olga');
  await ledger.setFlag('a:thief', { flag: 'flagged', reason: 'chargebacks' }, 'olga');
  for (const [user, visitor] of [['u:monitor', 'a:spy'], ['u:thief', 'a:thief'], ['u:monitor', 'a:thief']] as const) await ledger.merge(user, visitor);
  t.match((await ledger.read('u:monitor')).state, { isFlagged: false, override: { flag: 'cleared', by: 'olga' } }, 'what was said of the user goes before');
  t.match((await ledger.read('u:thief')).state, { isFlagged: true, override: { flag: 'flagged', reason: 'chargebacks' } });
});

await t.test('friends who come by a share from the sharer\'s own device are scored, and those who turn out to be the sharer', async (t) => {
  await shares.onClaim(aClaim(SHARE, 'u:sue', { shareCode: SHARE }), { deviceId: 'phone', ip: '10.0.0.1' });
  await shares.onClaim(aClaim('o.1', 'a:real-friend', { sharedBy: SHARE }), { deviceId: 'tablet', ip: '10.0.0.2' });
  t.same((await ledger.read('u:sue')).state.invites, []);
  for (let twice = 0; twice < 2; twice++) await shares.onClaim(aClaim('o.2', 'a:second-self', { sharedBy: SHARE }), { deviceId: 'phone', ip: '10.0.0.1' });
  t.match((await ledger.read('u:sue')).state, { score: 0.7, isFlagged: false, reasons: [{ reason: 'self_invite', evidence: /1 by device, 1 by address/u }] });
  t.match((await ledger.read('a:second-self')).state, { score: 0.7 });
  await redis.xadd(keys.eventsOf('u:sue'), '*', 'e', JSON.stringify({ type: 'alias', id: 'al', shopper: 'u:sue', from: 'a:second-self', at: clock() }));
  for (let twice = 0; twice < 2; twice++) await keeper.handle(await entriesOf('u:sue'));
  t.match((await ledger.read('u:sue')).state, { isFlagged: true, reasons: [{ evidence: /1 by alias/u }] });
  t.equal(await redis.exists(keys.risk('a:second-self')), 0);
  await redis.xadd(keys.eventsOf('u:sue'), '*', 'e', JSON.stringify({ type: 'erase', id: 'er', shopper: 'u:sue', at: clock() + 1 }));
  await keeper.handle((await entriesOf('u:sue')).slice(-1));
  t.same((await redis.keys('*u:sue')).filter((key) => key.includes('risk')), []);
  t.notOk((await store.flagged()).includes('u:sue'));
});
