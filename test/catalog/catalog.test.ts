import t from 'tap';
import fc from 'fast-check';
import { Catalog } from '../../src/catalog/catalog.js';
import { PriceLevels } from '../../src/catalog/price-levels.js';
import type { Item } from '../../src/domain/item.js';
import { hash32, hash48 } from '../../src/util/hash.js';
import { KeyIndex } from '../../src/util/key-index.js';

const item = (id: string, over: Partial<Item> = {}): Item => ({ id, title: id, category: ['shoes', 'running'], price: 10, ...over });

await t.test('an item is put, replaced, removed and put again under the same row', async (t) => {
  const catalog = new Catalog();
  catalog.put(item('a', { brand: 'Kestrel', tags: ['red'] }));
  const row = catalog.rowOf('a');
  t.equal(catalog.size, 1);
  catalog.put(item('a', { category: ['hats'], stock: 0 }));
  t.equal(catalog.rowOf('a'), row);
  t.equal(catalog.categories.names[catalog.leafOf(row)], 'hats');
  t.equal(catalog.brandOf(row), 0, 'the brand went with the old version');
  t.ok(catalog.remove('a'));
  t.notOk(catalog.remove('a'));
  t.equal(catalog.rowOf('a'), -1);
  t.equal(catalog.rowOfKey(hash48('a')), row, 'indexes built before still know the row');
  t.notOk(catalog.isAlive(row));
  catalog.put(item('a'));
  t.equal(catalog.rowOf('a'), row);
  t.equal(catalog.size, 1);
});

await t.test('facts name the whole category path, and the price level is that of the prices there are', async (t) => {
  const catalog = new Catalog();
  for (let i = 1; i <= 100; i++) catalog.put(item(`i${i}`, { price: i }));
  t.match(catalog.facts('i1'), { categories: [hash32('shoes'), hash32('shoes/running')], priceLevel: 0, priceMinor: 100 });
  t.equal(catalog.facts('i50')?.priceLevel, 2);
  t.equal(catalog.facts('i100')?.priceLevel, 4);
  t.equal(catalog.facts('nowhere'), undefined);
});

await t.test('price levels do not depend on the order in which prices came and went', async () => {
  const price = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(fc.property(fc.array(price, { minLength: 1, maxLength: 80 }), fc.array(price, { maxLength: 40 }), (kept, gone) => {
    const plain = new PriceLevels();
    const detour = new PriceLevels();
    for (const one of kept) plain.change(one, 1);
    for (const one of [...gone, ...kept.toReversed()]) detour.change(one, 1);
    for (const one of gone) detour.change(one, -1);
    for (const one of kept) if (plain.levelOf(one) !== detour.levelOf(one)) throw new Error(`level of ${one}`);
  }));
});

await t.test('the latest published are remembered, newest first', async (t) => {
  const catalog = new Catalog();
  for (const day of [3, 1, 5, 2, 4]) catalog.put(item(`d${day}`, { publishedAt: `2026-01-0${day}` }));
  catalog.put(item('unknown'));
  t.same(catalog.freshRows.map((row) => catalog.item(row)?.id), ['d5', 'd4', 'd3', 'd2', 'd1']);
});

await t.test('the key index is a map from numbers to numbers', async () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.maxSafeNat(), fc.nat(1e6)), { maxLength: 3000 }), (entries) => {
    const index = new KeyIndex();
    const map = new Map(entries);
    for (const [key, value] of entries) index.set(key, value);
    for (const [key, value] of map) if (index.get(key) !== value) throw new Error(`key ${key}`);
    if (index.get(2 ** 53 - 2) !== (map.get(2 ** 53 - 2) ?? -1)) throw new Error('absent key');
  }), { numRuns: 50 });
});

await t.test('hashes of a hundred thousand ids do not collide in 48 bits, and spread over the low ones', async (t) => {
  const hashes = Array.from({ length: 100_000 }, (_, i) => hash48(`item-${i}`));
  t.equal(new Set(hashes).size, hashes.length);
  const buckets = new Uint32Array(64);
  for (const hash of hashes) buckets[hash % 64]! += 1;
  t.ok(Math.max(...buckets) < 1.15 * (hashes.length / 64));
});
