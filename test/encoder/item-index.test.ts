import t from 'tap';
import { NO_CLUSTER, assignClusters, type VectorSource } from '../../src/encoder/clusters.js';
import { INDEX_LIMITS, ItemIndex } from '../../src/encoder/item-index.js';
import { VectorMemory } from '../../src/encoder/vector-memory.js';
import { gaussian, seededRandom } from '../../src/util/random.js';
import { TopK } from '../../src/util/top-k.js';

/** Vectors around common directions, of different lengths, as training makes them; every hundredth row has none. */
function store(rows: number, width: number): VectorSource & { readonly vectors: Float32Array } {
  const random = seededRandom(rows);
  const themes = Float32Array.from({ length: 300 * width }, () => gaussian(random));
  const vectors = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const theme = Math.floor(random() ** 2 * 300) * width;
    const length = 0.5 + random();
    for (let i = 0; i < width; i++) vectors[row * width + i] = length * (themes[theme + i]! + gaussian(random));
  }
  const read = (row: number, out: Float32Array): boolean => {
    if (row % 100 === 99) return false;
    for (let i = 0; i < width; i++) out[i] = vectors[row * width + i]!;
    return true;
  };
  return { rows, width, read, vectors };
}

function exact({ rows, width, vectors }: ReturnType<typeof store>, query: Float32Array, wanted: number): { row: number; score: number }[] {
  const scored = [];
  for (let row = 0; row < rows; row++) {
    let score = 0;
    for (let i = 0; i < width; i++) score += vectors[row * width + i]! * query[i]!;
    if (row % 100 !== 99) scored.push({ row, score });
  }
  return scored.sort((a, b) => b.score - a.score).slice(0, wanted);
}

/** A shopper between two items. */
function queryOf({ rows, width, vectors }: ReturnType<typeof store>, seed: number): Float32Array {
  const random = seededRandom(seed);
  const [a, b] = [Math.floor(random() * rows) * width, Math.floor(random() * rows) * width];
  return Float32Array.from({ length: width }, (_, i) => vectors[a + i]! + 0.5 * vectors[b + i]!);
}

await t.test('the kernel gives the dot products, at any width, in a row and strewn', async (t) => {
  for (const width of [1, 16, 20, 64, 65]) {
    const random = seededRandom(width);
    const memory = new VectorMemory(50, width, 60);
    for (let place = 0; place < 50; place++) memory.vector(place).set(Float32Array.from({ length: width }, () => gaussian(random)));
    memory.query.set(Float32Array.from({ length: width }, () => gaussian(random)));
    const expected = Array.from({ length: 50 }, (_, place) => memory.vector(place).reduce((sum, value, i) => sum + value * memory.query[i]!, 0));
    const isNear = (place: number, at: number): boolean => Math.abs(memory.scores[at]! - expected[place]!) < 1e-4;
    memory.dotRange(7, 30, 5);
    t.ok(Array.from({ length: 30 }, (_, i) => i).every((i) => isNear(7 + i, 5 + i)), `${width} in a row`);
    const strewn = [49, 0, 3, 3, 17];
    memory.dotAt(strewn, 5);
    t.ok(strewn.every(isNear), `${width} strewn`);
    memory.scores[0] = 42;
    memory.dotAt([], 0);
    t.equal(memory.scores[0], 42, 'none of none');
    t.throws(() => memory.dotRange(0, 40, 30), /70 scores, where there is room for 60/);
  }
});

await t.test('the best are picked in order, offered at once or piecemeal', async (t) => {
  const random = seededRandom(5);
  const scores = Float32Array.from({ length: 400 }, () => Math.floor(random() * 100));
  const top = new TopK(64);
  for (const wanted of [0, 1, 7, 64]) {
    const expected = Array.from(scores).sort((a, b) => b - a).slice(0, wanted);
    for (const piece of [400, 33, 5]) {
      top.begin(wanted);
      for (let from = 0; from < 400; from += piece) top.offer(scores.subarray(from), Math.min(piece, 400 - from), from);
      t.equal(top.sort(), wanted);
      t.same([...top.scores.subarray(0, wanted)], expected);
      t.ok(Array.from(top.candidates.subarray(0, wanted)).every((candidate, i) => scores[candidate] === expected[i]));
    }
  }
  top.begin(1000);
  top.offer(scores, 10, 0);
  t.equal(top.sort(), 10, 'no more than there are');
});

await t.test('a small catalog is searched exactly', async (t) => {
  const source = store(3000, 24);
  const index = await ItemIndex.build(source, seededRandom(1));
  for (let seed = 0; seed < 20; seed++) {
    const query = queryOf(source, seed);
    const { rows, scores, count } = index.search(query, 50);
    const expected = exact(source, query, 50);
    t.equal(count, 50);
    t.ok(expected.every(({ row, score }, i) => rows[i] === row && Math.abs(scores[i]! - score) < 1e-3));
  }
  const query = queryOf(source, 1);
  const asked = [99, 0, 2999, 5, 12_345];
  const scores = Array.from(index.scores(query, asked, asked.length).subarray(0, asked.length));
  t.ok(Math.abs(scores[1]! - exact(source, query, 3000).find(({ row }) => row === 0)!.score) < 1e-3);
  t.same([scores[0], scores[2], scores[4]], [0, 0, 0], 'rows without a vector, and rows that came later, score 0');
  t.equal(index.has(99), false);
  t.equal(index.has(12_345), false);
  t.same(Array.from(index.vector(98).subarray(0, 24)), Array.from(source.vectors.subarray(98 * 24, 99 * 24)));
});

await t.test('of a large catalog nearly all of the best are found, scoring a part of it', async (t) => {
  const source = store(INDEX_LIMITS.scoredMax * 9, 32);
  const index = await ItemIndex.build(source, seededRandom(1));
  let found = 0;
  for (let seed = 0; seed < 30; seed++) {
    const query = queryOf(source, seed);
    const { rows, count } = index.search(query, 100);
    const got = new Set(rows.subarray(0, count));
    for (const { row } of exact(source, query, 100)) if (got.has(row)) found += 1;
  }
  t.ok(found / 3000 >= 0.8, `recall ${found / 3000}`);
});

await t.test('new rows join the clusters there are, until they are too many', async (t) => {
  const small = store(2000, 16);
  const large = { ...store(2600, 16), vectors: small.vectors };
  const before = await assignClusters(small, 500, seededRandom(1), undefined);
  const after = await assignClusters(large, 500, seededRandom(1), before);
  t.equal(after.clusters, before.clusters);
  t.same(after.clusterOfRow.subarray(0, 2000), before.clusterOfRow);
  t.ok(after.clusterOfRow.subarray(2000).some((cluster) => cluster > 0));
  t.equal(after.clusterOfRow[2099], NO_CLUSTER);
  t.not((await assignClusters(store(4000, 16), 500, seededRandom(1), before)).clusters, before.clusters);
  t.equal((await assignClusters(small, 5000, seededRandom(1), undefined)).clusters, undefined);
});

await t.test('an empty catalog has nothing to find', async (t) => {
  const index = await ItemIndex.build({ rows: 0, width: 8, read: () => false }, seededRandom(1));
  t.equal(index.search(new Float32Array(8), 10).count, 0);
});
