import { join } from 'node:path';
import t from 'tap';
import { bootstrap, compareModels, type Comparison } from '../../src/learn/models/compare.js';
import type { JudgedList } from '../../src/learn/models/judged-lists.js';
import { judgeByRule, PROMOTION_RULE } from '../../src/learn/models/rule.js';
import { gaussian, seededRandom } from '../../src/util/random.js';
import { rankCorrelation } from '../../src/util/rank-correlation.js';
import { ENGINE_FEATURES, linearModel, writeTestModel } from '../helpers/models.js';

const WIDTH = ENGINE_FEATURES.itemFeatures.length;

/** Lists of ten in which the first feature, plus noise, says what is wanted. */
function lists(count: number): JudgedList[] {
  const random = seededRandom(3);
  return Array.from({ length: count }, (_, n) => {
    const items = Float32Array.from({ length: 10 * WIDTH }, () => gaussian(random));
    const worth = new Float32Array(10);
    const utility = Array.from(worth, (_, row) => items[row * WIDTH]! + 0.5 * gaussian(random));
    worth[utility.indexOf(Math.max(...utility))] = 1;
    const deeds = Uint8Array.from(worth);
    return { key: String(n), shopper: `u:${n % 100}`, at: n, user: new Float32Array(ENGINE_FEATURES.userFeatures.length), items, count: 10, deeds, worth, propensity: new Float32Array(10).fill(1), scores: new Float32Array(10), model: 'm@1' };
  });
}

await t.test('the better model is found better, itself equal, and the worse worse', async (t) => {
  const folder = t.testdir();
  const first = { userFeatures: ENGINE_FEATURES.userFeatures, itemFeatures: ENGINE_FEATURES.itemFeatures.slice(0, 1) };
  await writeTestModel(join(folder, 'all'), { name: 'all' });
  await writeTestModel(join(folder, 'first'), { name: 'first', features: first, onnx: linearModel(first) });
  const judged = lists(400);
  const compare = (serving: string, candidate: string): Promise<Comparison> =>
    compareModels(join(folder, serving), join(folder, candidate), judged, seededRandom(1));
  const better = await compare('all', 'first');
  t.ok(better.difference['NDCG@10'].low > 0.1);
  t.ok(better.difference['NDCG@10'].low < better.difference['NDCG@10'].mean && better.difference['NDCG@10'].mean < better.difference['NDCG@10'].high);
  t.ok(better.correlation > 0 && better.correlation < 0.5);
  t.match(judgeByRule(better), { promote: true, why: /^better: NDCG@10 \+0\./u });
  t.ok(better.offPolicy!.candidate.doublyRobust.value > better.offPolicy!.serving.doublyRobust.value, 'by the reward model at least');
  t.ok(better.offPolicy!.candidate.support < 1, 'the log explored nothing');
  const same = await compare('first', 'first');
  t.same(same.difference['NDCG@10'], { mean: 0, low: 0, high: 0 });
  t.ok(Math.abs(same.correlation - 1) < 1e-9);
  t.match(judgeByRule(same), { promote: false, why: /^not better beyond doubt/u });
  t.notOk(judgeByRule(await compare('first', 'all')).promote);
});

await t.test('the rule: every guard stops a model that ranks better', (t) => {
  const figures = { label: 'm@1', 'NDCG@10': 0.5, 'HR@10': 0.9, p50Ms: 0.1, p99Ms: 0.2, notFinite: 0, constant: 0 };
  const good: Comparison = {
    lists: 1000, shoppers: 200, serving: { ...figures, 'NDCG@10': 0.4 }, candidate: figures, correlation: 0.9,
    difference: { 'NDCG@10': { mean: 0.1, low: 0.05, high: 0.15 }, 'HR@10': { mean: 0, low: 0, high: 0 } },
  };
  t.ok(judgeByRule(good).promote);
  const cases: readonly [string, Comparison, RegExp][] = [
    ['no lists', { ...good, lists: 0 }, /too few/u],
    ['few shoppers', { ...good, shoppers: PROMOTION_RULE.shoppersMin - 1 }, /too few/u],
    ['NaN scores', { ...good, candidate: { ...figures, notFinite: 0.001 } }, /no finite/u],
    ['constant scores', { ...good, candidate: { ...figures, constant: 0.02 } }, /same score/u],
    ['slow', { ...good, candidate: { ...figures, p50Ms: 0.5 } }, /median run/u],
    ['no difference', { ...good, difference: { ...good.difference, 'NDCG@10': { mean: 0, low: 0, high: 0 } } }, /not better/u],
    ['NaN difference', { ...good, difference: { ...good.difference, 'NDCG@10': { mean: NaN, low: NaN, high: NaN } } }, /not better/u],
  ];
  for (const [name, comparison, why] of cases) t.match(judgeByRule(comparison), { promote: false, why }, name);
  t.end();
});

await t.test('the bootstrap draws whole shoppers; its interval covers the truth as often as it says', (t) => {
  const random = seededRandom(5);
  let covered = 0;
  const rounds = 200;
  for (let round = 0; round < rounds; round++) {
    const shoppers: string[] = [];
    const values: number[] = [];
    for (let shopper = 0; shopper < 60; shopper++) {
      const own = gaussian(random);
      for (let i = 0; i < 5; i++) {
        shoppers.push(String(shopper));
        values.push(0.3 + own + gaussian(random));
      }
    }
    const { low, high } = bootstrap(shoppers, values, random);
    if (low <= 0.3 && 0.3 <= high) covered += 1;
  }
  t.ok(covered / rounds > 0.89 && covered / rounds < 0.99, `${covered} of ${rounds}`);
  t.same(bootstrap([], [], random), { mean: 0, low: 0, high: 0 });
  t.end();
});

await t.test('rank correlation', (t) => {
  t.ok(Math.abs(rankCorrelation(Float32Array.of(1, 2, 3), Float32Array.of(10, 20, 30)) - 1) < 1e-12);
  t.ok(Math.abs(rankCorrelation(Float32Array.of(1, 2, 3), Float32Array.of(3, 2, 1)) + 1) < 1e-12);
  t.ok(Math.abs(rankCorrelation(Float32Array.of(1, 2, 2, 3), Float32Array.of(1, 3, 2, 4)) - 4.5 / Math.sqrt(4.5 * 5)) < 1e-12, 'ties share their rank');
  t.equal(rankCorrelation(Float32Array.of(1, 1, 1), Float32Array.of(3, 2, 1)), 0);
  t.end();
});
