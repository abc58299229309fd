import t from 'tap';
import { StatisticsBuilder } from '../../src/candidates/build-statistics.js';
import { compileFilter } from '../../src/candidates/filter.js';
import { generateCandidates, type CandidateRequest, type Encoded } from '../../src/candidates/generate.js';
import { CandidatePool, RowMarks, SOURCES, SOURCE_INDEX } from '../../src/candidates/pool.js';
import { ROW_SCORE, Statistics, emptyStatisticsData } from '../../src/candidates/statistics.js';
import { hiddenRows } from '../../src/candidates/visible.js';
import { BETWEEN, Catalog } from '../../src/catalog/catalog.js';
import type { EventType, ShopperEvent } from '../../src/domain/event.js';
import type { Item } from '../../src/domain/item.js';
import { roomItem, type Room } from '../../src/domain/room.js';
import { fold } from '../../src/profile/fold.js';
import { emptyProfile } from '../../src/profile/profile.js';
import { FeatureWriter, ITEM_FEATURES } from '../../src/ranking/features.js';
import { hash48 } from '../../src/util/hash.js';
import { seededRandom } from '../../src/util/random.js';
import { aRoom } from '../helpers/rooms.js';

const NOW = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;

function store(): Catalog {
  const catalog = new Catalog();
  for (let i = 0; i < 400; i++) {
    catalog.put({
      id: `item-${i}`, title: `Item ${i}`, category: [`root-${i % 4}`, `leaf-${i % 20}`], brand: `brand-${i % 10}`, price: 5 + (i % 50),
      stock: i % 40 === 7 ? 0 : 5, tags: [`tag-${i % 3}`], attributes: { color: i % 2 === 0 ? 'red' : 'blue' },
      ...(i < 20 ? { publishedAt: new Date(NOW - i * 3_600_000).toISOString() } : {}),
    });
  }
  return catalog;
}

const event = (shopper: string, type: EventType, item: number, at: number): ShopperEvent =>
  ({ id: `${shopper}-${type}-${item}-${at}`, type, shopper, itemId: `item-${item}`, at });

function request(catalog: Catalog, over: Partial<CandidateRequest> = {}): CandidateRequest {
  return {
    catalog, statistics: new Statistics(emptyStatisticsData(), catalog), profile: emptyProfile(), scene: 'home', region: undefined,
    contextRows: [], pinnedRows: [], now: NOW, random: seededRandom(1), ...over,
  };
}

function generate(asked: CandidateRequest, accept = compileFilter(asked.catalog, undefined, new Set()), limit = 200): CandidatePool {
  const pool = new CandidatePool(new RowMarks());
  pool.begin(asked.catalog, limit, accept);
  generateCandidates(pool, asked);
  return pool;
}

const sourceOf = (pool: CandidatePool, slot: number): string => SOURCES[pool.first[slot]!]!;
const slotsBy = (pool: CandidatePool, source: string): number[] =>
  Array.from({ length: pool.count }, (_, slot) => slot).filter((slot) => sourceOf(pool, slot) === source);

await t.test('a shopper never seen, in a store without statistics, gets a full list without repeats or sold-out items', async (t) => {
  const catalog = store();
  const pool = generate(request(catalog));
  const rows = [...pool.rows.subarray(0, pool.count)];
  t.equal(pool.count, 200);
  t.equal(new Set(rows).size, 200);
  t.notOk(rows.some((row) => catalog.item(row)?.stock === 0));
  t.equal(slotsBy(pool, 'new').length, 12, 'with new items to explore');
});

await t.test('statistics name the change they were bound at, unless the catalog changed meanwhile', async (t) => {
  const catalog = store();
  catalog.sequence = 3;
  t.equal((await Statistics.build(emptyStatisticsData(), catalog)).boundAt, 3);
  const building = Statistics.build(emptyStatisticsData(), catalog);
  catalog.sequence = 4;
  t.equal((await building).boundAt, BETWEEN);
});

await t.test('neighbours come from what shoppers met close in time, strongest first', async (t) => {
  const builder = new StatisticsBuilder();
  for (let u = 0; u < 30; u++) {
    builder.add(event(`u:${u}`, 'view_item', 1, NOW - DAY_MS));
    builder.add(event(`u:${u}`, 'view_item', 2, NOW - DAY_MS + 1000));
    builder.add(event(`u:${u}`, 'view_item', u % 3 === 0 ? 3 : 50 + u, NOW - DAY_MS + 2000));
  }
  const catalog = store();
  const statistics = new Statistics(builder.build(), catalog);
  const row = catalog.rowOf('item-1');
  const found: string[] = [];
  for (let at = statistics.neighborsFrom(row); at < statistics.neighborsTo(row, 5); at++) found.push(catalog.item(statistics.neighborRow(at))!.id);
  t.same(found.slice(0, 2), ['item-2', 'item-3']);
  const profile = emptyProfile();
  fold(profile, event('u:me', 'view_item', 1, NOW), catalog.facts('item-1'));
  const pool = generate(request(catalog, { statistics, profile }));
  const slot = Array.from(pool.rows).indexOf(catalog.rowOf('item-2'));
  t.equal(sourceOf(pool, slot), 'neighbors');
  t.ok(pool.neighbors[slot]! > 0);
});

await t.test('each source proposes what it should', async (t) => {
  const catalog = store();
  const profile = emptyProfile();
  for (let i = 0; i < 3; i++) fold(profile, event('u:me', 'view_item', 5 + 20 * i, NOW - 1000 + i), catalog.facts(`item-${5 + 20 * i}`));
  fold(profile, event('u:me', 'purchase', 9, NOW - 10 * DAY_MS), catalog.facts('item-9'));
  const statistics = new Statistics(emptyStatisticsData(), catalog);
  statistics.setTrending({ all: [[hash48('item-33'), 4], [hash48('item-34'), 2]], 'region:EU': [[hash48('item-35'), 3]] });
  const pool = generate(request(catalog, { statistics, profile, region: 'EU', pinnedRows: [catalog.rowOf('item-77')] }));
  t.equal(sourceOf(pool, 0), 'pinned');
  t.ok(slotsBy(pool, 'category').filter((slot) => catalog.item(pool.rows[slot]!)!.category[1] === 'leaf-5').length >= 10, 'the category just looked at');
  t.ok(slotsBy(pool, 'brand').length > 0);
  const has = (id: string, source: keyof typeof SOURCE_INDEX): boolean => {
    const slot = Array.from(pool.rows.subarray(0, pool.count)).indexOf(catalog.rowOf(id));
    return slot >= 0 && (pool.sources[slot]! & (1 << SOURCE_INDEX[source])) !== 0;
  };
  t.ok(has('item-9', 'buy_again'));
  t.ok(has('item-33', 'trending') && has('item-35', 'trending'));
  t.equal(statistics.scores[catalog.rowOf('item-34') * ROW_SCORE.width + ROW_SCORE.trending], 0.5);
});

await t.test('a filter is kept by every source, and the catalog is searched when the sources know too little', async (t) => {
  const catalog = store();
  const filter = { category: ['root-1/leaf-13'], attributes: { color: 'blue' }, priceMin: 10, priceMax: 50, inStock: true };
  const pool = generate(request(catalog), compileFilter(catalog, filter, new Set()));
  const expected = [...catalog.allRows()].filter((row) => {
    const item = catalog.item(row)!;
    return item.category[1] === 'leaf-13' && item.attributes?.['color'] === 'blue' && item.price! >= 10 && item.price! <= 50 && item.stock !== 0;
  });
  t.ok(expected.length > 5);
  t.same(new Set(pool.rows.subarray(0, pool.count)), new Set(expected));
  t.equal(generate(request(catalog), compileFilter(catalog, { brand: ['nobody'] }, new Set())).count, 0);
});

await t.test('a closed pool takes no new rows but hears the sources on its own', async (t) => {
  const catalog = store();
  const pool = new CandidatePool(new RowMarks());
  pool.begin(catalog, 3, () => true);
  for (const id of ['item-1', 'item-2', 'item-3']) pool.add(catalog.rowOf(id), SOURCE_INDEX.requested);
  pool.close();
  generateCandidates(pool, request(catalog));
  t.equal(pool.count, 3);
  t.same([...pool.rows.subarray(0, 3)].map((row) => catalog.item(row)!.id), ['item-1', 'item-2', 'item-3']);
  t.ok((pool.sources[0]! & (1 << SOURCE_INDEX.new)) !== 0, 'item-1 is among the new');
});

await t.test('a model that reads them gets what the encoder finds and what is alike, and the places in these lists', async (t) => {
  const catalog = store();
  const builder = new StatisticsBuilder();
  for (let u = 0; u < 9; u++) for (const [i, item] of [5, 6, 200 + u].entries()) builder.add(event(`u:${u}`, 'view_item', item, NOW - DAY_MS + i * 1000));
  const profile = emptyProfile();
  fold(profile, event('u:me', 'view_item', 5, NOW - 1000), catalog.facts('item-5'));
  const fits = Float32Array.from({ length: catalog.rows }, (_, row) => row / 100);
  const encoded: Encoded = {
    query: new Float32Array(1),
    index: {
      search: (_, wanted) => ({ rows: Int32Array.from({ length: wanted }, (_, i) => catalog.rows - 1 - i), count: wanted }),
      scores: (_, rows, count) => Float32Array.from({ length: count }, (_, i) => fits[rows[i]!]!),
    },
  };
  const reads = new Set<string>(ITEM_FEATURES);
  const asked = request(catalog, { statistics: new Statistics(builder.build(), catalog), profile, encoded, reads });
  const pool = generate(asked);
  const features = new Float32Array(pool.count * ITEM_FEATURES.length);
  new FeatureWriter().write(features, pool, asked);
  const featureOf = (id: string, name: (typeof ITEM_FEATURES)[number]): number => {
    const slot = Array.from(pool.rows.subarray(0, pool.count)).indexOf(catalog.rowOf(id));
    return features[slot * ITEM_FEATURES.length + ITEM_FEATURES.indexOf(name)]!;
  };
  t.ok(slotsBy(pool, 'encoder').length >= 60, 'many by the encoder');
  t.ok(slotsBy(pool, 'similar').length > 5, 'some alike');
  t.ok(slotsBy(pool, 'similar').every((slot) => pool.similar[slot]! > 0));
  t.equal(featureOf('item-6', 'neighbors_rank'), 1, 'the first of the neighbours');
  t.ok(featureOf('item-6', 'last_neighbor') > 0);
  t.equal(featureOf('item-399', 'encoder_rank'), 1, 'the first by the encoder');
  t.ok(Math.abs(featureOf('item-398', 'encoder_rank') - 1 / Math.log2(3)) < 1e-6);
  t.ok(Math.abs(featureOf('item-398', 'encoder') - 3.98) < 1e-5);
  t.ok(Math.abs(featureOf('item-6', 'encoder') - 0.06) < 1e-6, 'and how well fits what others proposed');
  t.equal(featureOf('item-6', 'encoder_rank'), 0, 'far down the list');

  const plain = generate(request(catalog, { statistics: new Statistics(builder.build(), catalog), profile }));
  t.equal(slotsBy(plain, 'encoder').length + slotsBy(plain, 'similar').length, 0, 'others do not pay for it');
});

await t.test('a feed has who is live now, liked hosts first; without rooms it is what it was', async (t) => {
  const catalog = store();
  const asFeed = (): CandidateRequest => request(catalog, { scene: 'feed' });
  const before = generate(asFeed());
  const room = (i: number, fields: Partial<Room> = {}): Item =>
    roomItem({ ...aRoom(`r${i}`), host: { id: `h${i}`, name: `Host ${i}` }, category: [`root-${i % 4}`, `show-${i}`], ...fields });
  for (let i = 0; i < 60; i++) catalog.put(room(i, i % 2 === 0 ? {} : { status: 'scheduled' }));
  const shown = (asked: CandidateRequest): (string | undefined)[] => {
    const pool = generate(asked);
    return slotsBy(pool, 'live_rooms').map((slot) => catalog.item(pool.rows[slot]!)?.id);
  };
  t.same(shown(asFeed()), Array.from({ length: 24 }, (_, i) => `room:r${58 - 2 * i}`), 'those announced last, on air');
  const profile = emptyProfile();
  for (const [n, id] of ['room:r2', 'room:r4'].entries()) fold(profile, { id: `j${n}`, type: 'join_live', shopper: 'u:me', itemId: id, at: NOW - 10 + n }, catalog.facts(id));
  t.same(shown({ ...asFeed(), profile }).slice(0, 3), ['room:r4', 'room:r2', 'room:r58'], 'hosts that were watched, then their categories');
  t.same(profile.touches, [], 'watching a room is no touch of an item');
  t.same(shown(request(catalog)), [], 'nowhere but in a feed');
  t.ok(hiddenRows(catalog, emptyProfile(), 'home', []).has(catalog.rowOf('room:r2')));
  t.notOk(hiddenRows(catalog, emptyProfile(), 'feed', []).has(catalog.rowOf('room:r2')));
  for (let i = 0; i < 60; i++) catalog.remove(`room:r${i}`);
  const after = generate(asFeed());
  t.same([...after.rows.subarray(0, after.count)], [...before.rows.subarray(0, before.count)]);
  t.same([...after.sources.subarray(0, after.count)], [...before.sources.subarray(0, before.count)]);
});

await t.test('a larger pool holds more of each list', async (t) => {
  const catalog = store();
  const profile = emptyProfile();
  fold(profile, event('u:me', 'view_item', 5, NOW - 1000), catalog.facts('item-5'));
  const asked = request(catalog, { profile, reads: new Set(['similar']) });
  const accept = compileFilter(catalog, undefined, new Set());
  t.ok(slotsBy(generate(asked, accept, 400), 'similar').length > 1.5 * slotsBy(generate(asked, accept, 200), 'similar').length);
});
