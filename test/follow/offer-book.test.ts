import t from 'tap';
import { OfferBook } from '../../src/follow/offer-book.js';
import { claimRig, NOW } from '../helpers/claims.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo, keys, silent, until } from '../helpers/streams.js';

const server = await startRedis({ appendOnly: true, appendFsync: 'always' });
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const { book: store, offer, claim } = claimRig(redis);
const entry = { at: NOW, by: 'test', action: 'change', version: 2, changes: {} } as const;

function follow(everyMs?: number): OfferBook {
  const book = new OfferBook({ url: server.url, keys, store, log: silent, ...(everyMs === undefined ? {} : { everyMs }) });
  t.teardown(() => book.stop());
  return book;
}

await t.test('a notice brings a change at once, a look brings it without one; usage follows', async (t) => {
  const one = await offer('one');
  // The first looks so seldom that only a notice can have told it.
  const [told, looking] = [follow(60_000), follow(50)];
  await Promise.all([told.ready, looking.ready]);
  for (const book of [told, looking]) t.same(book.live(NOW), [{ offer: one, usage: { count: 0, moneyMinor: 0, redeemed: 0, spentMinor: 0 } }]);
  await store.write({ ...one, title: 'Changed', version: 2 }, entry);
  for (const book of [told, looking]) await until('the change', () => book.get('one')?.title === 'Changed');
  await claim(one, 'u:ann');
  await until('the usage', () => looking.live(NOW)[0]?.usage.count === 1);
  t.same(looking.live(NOW)[0]?.usage, { count: 1, moneyMinor: 500, redeemed: 0, spentMinor: 0 });
});

await t.test('live is what is active with its window open; archived offers are gone', async (t) => {
  await redis.flushall();
  const late = await offer('late', { window: { startsAt: NOW + 10, endsAt: NOW + 20 } });
  await offer('draft', { status: 'draft' });
  const book = follow(50);
  await book.ready;
  t.same([NOW + 9, NOW + 10, NOW + 19, NOW + 20].map((at) => book.live(at).length), [0, 1, 1, 0]);
  t.equal(book.live(NOW + 10), book.live(NOW + 19), 'the same list while nothing opens or closes');
  t.equal(book.get('draft')?.status, 'draft');
  await store.write({ ...late, status: 'archived', version: 2 }, entry);
  await until('it is gone', () => book.get('late') === undefined);
  t.same(book.live(NOW + 10), []);
});

await t.test('while Redis is away the book stays, and follows again after', async (t) => {
  await redis.flushall();
  const one = await offer('one');
  const book = follow(50);
  await book.ready;
  await server.kill('SIGKILL');
  await new Promise((done) => { setTimeout(done, 300); });
  t.equal(book.live(NOW).length, 1);
  await server.restart();
  await until('Redis is back', () => redis.status === 'ready');
  await store.write({ ...one, title: 'Changed', version: 2 }, entry);
  await until('the change', () => book.get('one')?.title === 'Changed');
});
