import t from 'tap';
import { BETWEEN, Catalog } from '../../src/catalog/catalog.js';
import type { Item } from '../../src/domain/item.js';
import { CatalogFollower } from '../../src/follow/catalog-follower.js';
import { CatalogStore } from '../../src/redis/catalog-store.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo, keys, longestTurn, silent, until } from '../helpers/streams.js';

const server = await startRedis({ appendOnly: true, appendFsync: 'always' });
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const store = new CatalogStore(redis, keys);
t.beforeEach(async () => { await redis.flushall(); });

/** As the store writes them. */
const ITEMS_PER_CHANGE = 100;

const item = (id: string, fields: Partial<Item> = {}): Item => ({ id, title: id, category: ['shoes', 'running'], price: 10, ...fields });

function follow(catalog = new Catalog()): { follower: CatalogFollower; catalog: Catalog } {
  const follower = new CatalogFollower({ url: server.url, keys, store, catalog, log: silent });
  t.teardown(() => follower.stop());
  return { follower, catalog };
}

await t.test('all items and pins are there when it is ready; changes follow, on every instance', async (t) => {
  await store.putItems(Array.from({ length: 1234 }, (_, i) => item(`i${i}`)));
  await store.setPins('home', ['i3', 'i1']);
  const [one, two] = [follow(), follow()];
  await Promise.all([one.follower.ready, two.follower.ready]);
  t.equal(one.catalog.size, 1234);
  t.same(one.follower.pins('home'), ['i3', 'i1']);
  t.same(one.follower.pins('cart'), []);
  await store.putItems([item('i5', { price: 5, stock: 0 }), item('new')]);
  await store.deleteItem('i6');
  await store.setPins('home', []);
  await store.setPins('cart', ['new']);
  for (const { catalog, follower } of [one, two]) {
    await until('the changes are there', () => catalog.rowOf('new') >= 0 && catalog.rowOf('i6') < 0 && follower.pins('cart').length === 1);
    t.equal(catalog.item(catalog.rowOf('i5'))?.stock, 0);
    t.same(follower.pins('home'), []);
    t.equal(follower.loads, 1);
  }
});

await t.test('an empty store is ready too, and fills', async (t) => {
  const { follower, catalog } = follow();
  await follower.ready;
  t.equal(catalog.size, 0);
  const sizes = { between: new Set<number>(), settled: new Set<number>() };
  const watching = setInterval(() => { sizes[catalog.sequence === BETWEEN ? 'between' : 'settled'].add(catalog.size); }, 0);
  await store.putItems(Array.from({ length: 3000 }, (_, i) => item(`i${i}`)));
  await until('all came', () => catalog.size === 3000);
  clearInterval(watching);
  t.ok(sizes.between.size > 0, 'others run while a change is taken in, and can tell');
  t.same([...sizes.settled].filter((size) => size % ITEMS_PER_CHANGE !== 0), [], 'half of a change is not taken for the whole');
  t.equal(follower.loads, 1, 'by changes, not by loading');
});

await t.test('changes that were trimmed away unseen are noticed, and everything is loaded again', async (t) => {
  const { follower, catalog } = follow();
  await follower.ready;
  await store.putItems([item('a'), item('b')]);
  await until('both came', () => catalog.size === 2);
  // A change nobody sees: its entry is removed before the next one is.
  await redis.multi().hdel(keys.items, 'a').hset(keys.items, 'c', JSON.stringify(item('c'))).incr(keys.catalogSequence).exec();
  await store.putItems([item('d')]);
  await until('all is loaded again', () => catalog.rowOf('c') >= 0 && catalog.rowOf('d') >= 0);
  t.equal(catalog.rowOf('a'), -1);
  t.equal(follower.loads, 2);
});

await t.test('Redis restarts: nothing is removed meanwhile, and changes go on being followed', async (t) => {
  await store.putItems([item('a')]);
  const { follower, catalog } = follow();
  await follower.ready;
  await server.kill('SIGKILL');
  await new Promise((done) => { setTimeout(done, 500); });
  t.ok(catalog.rowOf('a') >= 0);
  await server.restart();
  await until('Redis is back', () => redis.status === 'ready');
  await store.putItems([item('b')]);
  await until('the change is there', () => catalog.rowOf('b') >= 0);
  t.equal(follower.loads, 1);
});

await t.test('an emptied and refilled Redis is loaded anew, also when it is silent', async (t) => {
  await store.putItems([item('a'), item('b')]);
  const { follower, catalog } = follow();
  await follower.ready;
  await redis.flushall();
  await store.putItems([item('b')]);
  await until('only what is there is there', () => catalog.rowOf('a') < 0 && catalog.rowOf('b') >= 0, 12_000);
  await redis.flushall();
  await until('nothing is there', () => catalog.size === 0, 12_000);
  t.ok(follower.loads >= 2);
});

await t.test('an item whose hash is taken is left out and the others come', async (t) => {
  const catalog = new Catalog();
  const put = catalog.put.bind(catalog);
  catalog.put = (one) => {
    if (one.id === 'bad') throw new Error('collision');
    put(one);
  };
  const { follower } = follow(catalog);
  await follower.ready;
  await store.putItems([item('a'), item('bad'), item('c')]);
  await until('the others came', () => catalog.size === 2);
  t.equal(catalog.rowOf('bad'), -1);
});

await t.test('a big load lets others have their turn', async (t) => {
  await store.putItems(Array.from({ length: 20_000 }, (_, i) => item(`i${i}`)));
  const turns = longestTurn();
  const { follower, catalog } = follow();
  await follower.ready;
  const { ms, share } = turns.end();
  t.equal(catalog.size, 20_000);
  t.ok(share < 0.3, `longest turn ${ms.toFixed(1)} ms, ${share.toFixed(2)} of the work`);
});
