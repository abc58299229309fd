import t from 'tap';
import { CandidatePool, RowMarks, SOURCE_INDEX } from '../../src/candidates/pool.js';
import { Catalog } from '../../src/catalog/catalog.js';
import { RERANK, diversify, explore, placeRooms, roomsIn } from '../../src/ranking/rerank.js';
import { seededRandom } from '../../src/util/random.js';

function pooled(leaves: readonly string[], pinned: readonly number[] = []): { catalog: Catalog; pool: CandidatePool } {
  const catalog = new Catalog();
  leaves.forEach((leaf, i) => { catalog.put({ id: `i${i}`, title: 'x', category: ['root', leaf] }); });
  const pool = new CandidatePool(new RowMarks());
  pool.begin(catalog, leaves.length, () => true);
  for (const row of pinned) pool.add(row, SOURCE_INDEX.pinned);
  leaves.forEach((_, row) => { pool.add(row, SOURCE_INDEX.popular); });
  return { catalog, pool };
}

await t.test('a run of one category is broken up when the scores are near, not when they are far apart', async (t) => {
  const { catalog, pool } = pooled(['c', 'a', 'a', 'a', 'a', 'b', 'b']);
  // The cost is in units of the scores' deviation, which the leader makes large beside the others' distances.
  const near = diversify(catalog, pool, Float32Array.from([3, 1.05, 1.04, 1.03, 1.02, 1.01, 1]), 4).map((entry) => entry.slot);
  t.same(near, [0, 1, 5, 2]);
  const far = diversify(catalog, pool, Float32Array.from([9, 8, 7, 6, -9, -9, -9]), 4).map((entry) => entry.slot);
  t.same(far, [0, 1, 2, 3]);
});

await t.test('pinned items stay on top, in the order of their pins', async (t) => {
  const { catalog, pool } = pooled(['a', 'b', 'c', 'd', 'e'], [3, 1]);
  const list = diversify(catalog, pool, Float32Array.from([0, -9, 5, 4, 3]), 3);
  t.same(list.map((entry) => pool.rows[entry.slot]), [3, 1, 0], 'whatever their scores, and the best of the others follows');
});

await t.test('live rooms have places of their own, the best by the model first, below what is pinned', async (t) => {
  const { catalog, pool } = pooled(Array.from({ length: 16 }, () => 'a'), [3]);
  for (const i of [2, 9, 12]) catalog.put({ id: `i${i}`, title: 'x', category: ['root', 'a'], kind: 'room' });
  const ofWorth = (worth: (slot: number) => number): Float32Array => Float32Array.from({ length: pool.count }, (_, slot) => worth(slot));
  const ranked = (scores: Float32Array, limit: number): number[] => {
    const rooms = roomsIn(catalog, pool, scores);
    const list = diversify(catalog, pool, scores, Math.min(limit + rooms.length, pool.count));
    return placeRooms(catalog, pool, { rooms, list, limit }).map(({ slot }) => pool.rows[slot]!);
  };
  const scores = ofWorth((slot) => -slot);
  const best = diversify(catalog, pool, scores, 9).map(({ slot }) => pool.rows[slot]!);
  t.same(best, [3, 0, 1, 2, 4, 5, 6, 7, 8], 'by their scores alone');
  t.same(ranked(scores, 9), [3, 2, 0, 1, 4, 5, 9, 6, 7]);
  t.same(ranked(ofWorth((slot) => (catalog.roomRows.has(pool.rows[slot]!) ? 100 : 0) - slot), 5), [3, 2, 0, 1, 4], 'and no others, whatever the model thinks of rooms');
  t.same(ranked(scores, 16).toSorted((a, b) => a - b), Array.from({ length: 16 }, (_, i) => i), 'where there is nothing else they fill the list');
  for (const i of [2, 9, 12]) catalog.put({ id: `i${i}`, title: 'x', category: ['root', 'a'] });
  t.same(ranked(scores, 9), best, 'where there is none nothing changes');
});

await t.test('exploration takes one place of the lower half in its share of lists, with the propensity it really has', async (t) => {
  const random = seededRandom(7);
  const rounds = 20_000;
  const counts = new Map<string, number>();
  const told = new Map<string, number>();
  for (let i = 0; i < rounds; i++) {
    const list = Array.from({ length: 6 }, (_, slot) => ({ slot, propensity: 1 }));
    explore(list, { count: 10, random, rooms: [], isPinned: () => false });
    if (new Set(list.map((entry) => entry.slot)).size !== 6) throw new Error('a repeat');
    list.forEach(({ slot, propensity }, place) => {
      counts.set(`${slot}@${place}`, (counts.get(`${slot}@${place}`) ?? 0) + 1);
      told.set(`${slot}@${place}`, propensity);
    });
  }
  t.equal(told.get('0@0'), 1);
  for (const [key, propensity] of told) {
    const share = counts.get(key)! / rounds;
    const error = 5 * Math.sqrt((propensity * (1 - propensity)) / rounds) + 1e-9;
    t.ok(Math.abs(share - propensity) <= error, `${key}: shown ${share}, told ${propensity}`);
  }
  t.equal(told.size, 6 + 3 * 4, 'all four others turn up at the three lower places');
  t.ok(RERANK.explore > 0);
});

await t.test('exploration takes no place from what is pinned or a live room, and gives rooms none', (t) => {
  const rooms = [4, 8].map((slot) => ({ slot, propensity: 1 }));
  const random = seededRandom(8);
  const seen = Array.from({ length: 6 }, () => new Set<number>());
  const propensities = new Set<number>();
  for (let i = 0; i < 2000; i++) {
    const list = Array.from({ length: 6 }, (_, slot) => ({ slot, propensity: 1 }));
    explore(list, { count: 10, random, rooms, isPinned: () => false });
    list.forEach(({ slot }, place) => seen[place]!.add(slot));
    propensities.add(list[4]!.propensity);
  }
  t.same([...propensities], [1]);
  t.same(seen.map(({ size }) => size), [1, 1, 1, 4, 1, 4]);
  t.notOk(seen.some((slots) => slots.has(8)));
  const full = Array.from({ length: 6 }, (_, slot) => ({ slot, propensity: 1 }));
  explore(full, { count: 10, random: () => 0, rooms: [], isPinned: () => true });
  t.same(full.map(({ slot }) => slot), [0, 1, 2, 3, 4, 5], 'a list of nothing else stays as it is');
  t.end();
});
