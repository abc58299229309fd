import { join } from 'node:path';
import t from 'tap';
import { DriftMonitor } from '../../src/jobs/drift.js';
import { measureDrift } from '../../src/learn/models/drift.js';
import { measureDistribution, type FeatureList } from '../../src/learn/models/measure-distribution.js';
import { binned, binOf, DRIFT_LIMITS, DriftCounter, readDistribution, stabilityIndex } from '../../src/ranking/distribution.js';
import type { Drift } from '../../src/redis/drift-store.js';
import { SHOWN_FLOATS } from '../../src/redis/impression-log.js';
import { gaussian, seededRandom } from '../../src/util/random.js';
import { archiveTraffic } from '../helpers/impressions.js';
import { ENGINE_FEATURES, writeTestModel } from '../helpers/models.js';
import { silent, until } from '../helpers/streams.js';

const { userFeatures, itemFeatures } = ENGINE_FEATURES;
const HOT = itemFeatures.indexOf('price');

/** Lists of ten with standard normal features, one of them moved. */
function lists(count: number, seed: number, shift = 0): FeatureList[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => ({
    user: Float32Array.from(userFeatures, () => gaussian(random)), count: 10,
    items: Float32Array.from({ length: 10 * itemFeatures.length }, (_, i) => gaussian(random) + (i % itemFeatures.length === HOT ? shift : 0)),
  }));
}

const scoresOf = ({ user, items }: FeatureList): Float32Array => Float32Array.from({ length: 10 }, (_, row) =>
  [...items.subarray(row * itemFeatures.length, (row + 1) * itemFeatures.length), ...user].reduce((sum, value) => sum + value, 0));

await t.test('bins are about equally full, and few where values are few', (t) => {
  const random = seededRandom(1);
  const { edges, shares } = binned(Float32Array.from({ length: 10_000 }, () => gaussian(random)));
  t.equal(edges.length, 9);
  t.ok(shares.every((share) => share > 0.08 && share < 0.12));
  t.same(binned(new Float32Array(100)), { edges: [0], shares: [1, 0] }, 'a column that never varied');
  t.equal(binOf([0, 1], 0), 0);
  t.equal(binOf([0, 1], 0.5), 1);
  t.equal(binOf([0, 1], NaN), 2, 'no number lies beyond all');
  t.end();
});

await t.test('the index is what its formula says', (t) => {
  t.equal(stabilityIndex([0.5, 0.5], [10, 10]), 0);
  t.ok(Math.abs(stabilityIndex([0.5, 0.5], [80, 20]) - (0.3 * Math.log(1.6) - 0.3 * Math.log(0.4))) < 1e-12);
  t.ok(stabilityIndex([1, 0], [50, 50]) > 1, 'values that training never saw');
  t.end();
});

await t.test('shifted input is found, in its column and in the scores; the same input is not', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder);
  await measureDistribution(folder, lists(1500, 2));
  const distribution = (await readDistribution(folder))!;
  const indexesOf = (some: readonly FeatureList[]): ReadonlyMap<string, number> => {
    const counter = new DriftCounter(distribution, ENGINE_FEATURES);
    for (const list of some) counter.add({ ...list, scores: scoresOf(list) });
    return counter.indexes();
  };
  const calm = indexesOf(lists(1500, 3));
  t.same([...calm].filter(([, index]) => index > DRIFT_LIMITS.moderate), []);
  const moved = indexesOf(lists(1500, 3, 1));
  t.same([...moved].filter(([, index]) => index > DRIFT_LIMITS.strong).map(([name]) => name), ['price']);
  t.ok(moved.get('score')! > calm.get('score')!);
});

await t.test('a worker publishes it from a sample of the stream, of the model that serves', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder, { name: 'm' });
  await measureDistribution(folder, lists(1500, 2));
  const written: Drift[] = [];
  let archived = 0;
  const monitor = new DriftMonitor({ name: 'archive', handle: async (entries) => { archived += entries.length; } }, {
    models: { servingFolder: async () => folder }, store: { write: async (drift) => { written.push(drift); } }, features: ENGINE_FEATURES, log: silent, everyMs: 20,
  });
  monitor.start();
  t.teardown(() => monitor.stop());
  await new Promise((done) => { setTimeout(done, 200); });
  for (const [n, list] of lists(1200, 4, 2).entries()) {
    const vectors = new Float32Array(userFeatures.length + 10 * SHOWN_FLOATS);
    vectors.set(list.user);
    const scores = scoresOf(list);
    for (let row = 0; row < 10; row++) {
      const from = userFeatures.length + row * SHOWN_FLOATS;
      vectors[from] = scores[row]!;
      vectors.set(list.items.subarray(row * itemFeatures.length, (row + 1) * itemFeatures.length), from + SHOWN_FLOATS - itemFeatures.length);
    }
    const impression = { json: `{"model":"${n % 4 === 0 ? 'other@1' : 'm@1'}"}`, vectors: Buffer.from(vectors.buffer) };
    await monitor.handle([{ partition: 0, id: `1-${n}`, records: [impression] }]);
  }
  t.equal(archived, 1200, 'all of it is archived');
  await until('it is published', () => written.some(({ lists: count }) => count > 500));
  const { model, indexes } = written.at(-1)!;
  t.equal(model, 'm@1');
  t.ok(indexes.get('price')! > DRIFT_LIMITS.strong);
  t.ok(indexes.get('brand_long')! < DRIFT_LIMITS.moderate);
});

await t.test('of the archive, for the command', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder, { name: 'm' });
  await t.rejects(measureDrift(folder, join(folder, 'archive')), { code: 'not_found', message: /distribution\.json/u });
  await measureDistribution(folder, lists(1500, 2));
  await t.rejects(measureDrift(folder, join(folder, 'archive')), { code: 'not_found', message: /no impressions/u });
  await archiveTraffic(join(folder, 'archive'), { from: Date.UTC(2026, 0, 1), hours: 30, listsPerHour: 20, shoppers: 20, items: 30 });
  const { model, lists: count, indexes } = await measureDrift(folder, join(folder, 'archive'));
  t.equal(model, 'm@1');
  t.ok(count > 400 && count < 520, 'of the latest day');
  t.ok(indexes.get('price')! < DRIFT_LIMITS.moderate);
});
