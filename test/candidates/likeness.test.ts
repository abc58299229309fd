import t from 'tap';
import { Likeness, LIKENESS_LIMITS } from '../../src/candidates/likeness.js';
import { Catalog } from '../../src/catalog/catalog.js';
import type { Item } from '../../src/domain/item.js';

const NOBODY = new Int32Array(0);

function catalogOf(items: readonly Partial<Item>[]): Catalog {
  const catalog = new Catalog();
  items.forEach((item, i) => { catalog.put({ id: `item-${i}`, title: 'An item', category: ['all'], ...item }); });
  return catalog;
}

/** The plain formula: cosine between idf-weighted attribute sets. */
function cosine(items: readonly Partial<Item>[], a: number, b: number): number {
  const setOf = ({ category = ['all'], brand, tags = [] }: Partial<Item>): Set<string> =>
    new Set([`c:${category[0]}`, `c:${category.join('/')}`, ...brand === undefined ? [] : [`b:${brand}`], ...tags.map((tag) => `t:${tag}`)]);
  const sets = items.map(setOf);
  const idf = (name: string): number => Math.log(items.length / sets.filter((set) => set.has(name)).length);
  const length = (set: Set<string>): number => Math.hypot(...Array.from(set, idf));
  let dot = 0;
  for (const name of sets[a]!) if (sets[b]!.has(name)) dot += idf(name) ** 2;
  return dot / (length(sets[a]!) * length(sets[b]!));
}

const SHOP: Partial<Item>[] = [
  { category: ['skin', 'creams'], brand: 'one', tags: ['dry', 'night'] },
  { category: ['skin', 'creams'], brand: 'one', tags: ['dry'] },
  { category: ['skin', 'serums'], brand: 'two', tags: ['night'] },
  { category: ['hair'], brand: 'two', tags: ['dry'] },
  { category: ['hair'], brand: 'three' },
  { category: ['skin', 'creams'], brand: 'three', tags: ['oily'] },
];

await t.test('items are as alike as the cosine of their weighted attributes', async (t) => {
  const catalog = catalogOf(SHOP);
  const likeness = Likeness.make(catalog, NOBODY);
  likeness.ask([0]);
  for (let row = 0; row < SHOP.length; row++) {
    t.ok(Math.abs(likeness.of(row) - cosine(SHOP, 0, row)) < 1e-5, `row ${row}: ${likeness.of(row)}`);
  }
  likeness.ask([0, 4]);
  t.ok(Math.abs(likeness.of(3) - (cosine(SHOP, 0, 3) + 2 ** -0.9 * cosine(SHOP, 4, 3))) < 1e-5, 'the latest counts most');
  const { rows, count } = likeness.best(10);
  const expected = SHOP.map((_, row) => row).filter((row) => likeness.of(row) > 0).sort((a, b) => likeness.of(b) - likeness.of(a));
  t.same(rows.slice(0, count), expected);
  likeness.ask([]);
  t.equal(likeness.of(0), 0, 'nothing is left of what was asked before');
  t.equal(likeness.best(10).count, 0);
});

await t.test('of an attribute that many share, the popular items are looked at, and only so many', async (t) => {
  const items = Array.from({ length: LIKENESS_LIMITS.perAttribute * 3 }, (_, i): Partial<Item> => ({ category: [i % 2 === 0 ? 'even' : 'odd', `leaf-${i % 7}`] }));
  const catalog = catalogOf(items);
  const popular = Int32Array.of(600, 14, 28);
  const likeness = Likeness.make(catalog, popular);
  likeness.ask([0]);
  const { rows } = likeness.best(LIKENESS_LIMITS.looked);
  t.ok(rows.length <= 2 * LIKENESS_LIMITS.perAttribute);
  t.same(rows.slice(0, 2).toSorted((a, b) => a - b), [14, 28], 'the same leaf, and popular');
  const sliced = await Likeness.build(catalog, popular);
  sliced.ask([0]);
  t.same(sliced.best(50), likeness.best(50), 'the same when built in slices');
});

await t.test('items and names that came later are not alike to anything yet', async (t) => {
  const catalog = catalogOf(SHOP);
  const likeness = Likeness.make(catalog, NOBODY);
  catalog.put({ id: 'later', title: 'Later', category: ['skin', 'creams'], brand: 'one' });
  catalog.put({ ...catalog.item(1)!, tags: ['dry', 'brand-new'] });
  likeness.ask([catalog.rowOf('later')]);
  t.equal(likeness.best(5).count, 0);
  likeness.ask([0]);
  t.equal(likeness.of(catalog.rowOf('later')), 0);
  t.ok(likeness.of(1) > 0, 'the new name of an old item is passed over');
});
