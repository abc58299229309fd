import { appendFile, cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { retrain, type RetrainReply, type Train } from '../../src/learn/models/retrain.js';
import { refitRanker } from '../../src/learn/models/train-on-archive.js';
import { DEED_VALUES } from '../../src/learn/ranker/lists.js';
import { ModelRegistry } from '../../src/ranking/model-registry.js';
import { archiveTraffic, type ArchivedTraffic } from '../helpers/impressions.js';
import { constantModel, ENGINE_FEATURES, linearModel, nanModel, slowModel, writeTestModel } from '../helpers/models.js';

const T0 = Date.UTC(2026, 0, 1);
const TRAFFIC: ArchivedTraffic = { from: T0, hours: 60, listsPerHour: 20, shoppers: 100, items: 60 };
const only = (name: string) => ({ userFeatures: ENGINE_FEATURES.userFeatures, itemFeatures: [name] });

const zeros = { name: 'zeros', user: ENGINE_FEATURES.userFeatures.map(() => 0), items: [ENGINE_FEATURES.itemFeatures.map(() => 0)] };

interface Store {
  readonly registry: ModelRegistry;
  readonly archiveDir: string;
  retrain(...trainings: readonly Train[]): Promise<RetrainReply>;
}

/** A store that serves by a feature that says nothing, and its log. */
async function store(t: Test, traffic: ArchivedTraffic | undefined): Promise<Store> {
  const dir = t.testdir();
  const [archiveDir, modelsDir, modelDir] = [join(dir, 'archive'), join(dir, 'models'), join(dir, 'shipped')];
  await mkdir(archiveDir);
  await writeTestModel(modelDir, { name: 'shipped', features: only('neighbors'), onnx: linearModel(only('neighbors')) });
  if (traffic !== undefined) await archiveTraffic(archiveDir, traffic);
  const registry = new ModelRegistry(modelsDir, modelDir, Date.now);
  const task = { archiveDir, modelsDir, modelDir, eventsMin: 100, values: DEED_VALUES, by: 'worker', seed: 1 };
  return { registry, archiveDir, retrain: (...trainings) => retrain(task, trainings, Date.now) };
}

/** A training whose result is known. */
const gives = (write: (folder: string) => Promise<void>): Train => ({ out }) => write(out);
const telling = gives((folder) => writeTestModel(folder, { name: 'new', features: only('related'), onnx: linearModel(only('related')) }));

async function staysAsItWas(t: Test, { registry }: Store): Promise<void> {
  t.equal((await registry.state()).serving, null, 'the serving model stays');
  for (const { label, state } of await registry.list()) if (state !== 'serving') t.equal(state, 'refused', `${label} is kept, and reported`);
}

await t.test('a better model passes, on a day it has not seen', async (t) => {
  const shop = await store(t, TRAFFIC);
  let trainedUntil = 0;
  const reply = await shop.retrain(async (options) => {
    trainedUntil = options.until;
    return telling(options);
  });
  t.match(reply, { model: 'new@1', verdict: { promote: true, why: /^better: NDCG@10 \+0\./u } });
  t.ok(trainedUntil > T0 + 34 * 3_600_000 && trainedUntil < T0 + 36 * 3_600_000, 'the latest day was held out');
  t.equal((await shop.registry.state()).serving, null, 'it is not promoted yet: it has to shadow first');
});

await t.test('trained for real, from the log to the verdict', async (t) => {
  const shop = await store(t, TRAFFIC);
  t.match(await shop.retrain(refitRanker), { verdict: { promote: true } });
});

await t.test('what fails in one training is told beside the verdict on another; what all miss is thrown', async (t) => {
  const fails: Train = async () => { throw new Error('no memory'); };
  const useless = gives((folder) => writeTestModel(folder, { name: 'useless', features: only('price'), onnx: linearModel(only('price')) }));
  const shop = await store(t, TRAFFIC);
  await t.rejects(shop.retrain(fails, fails), { message: 'no memory; then no memory' });
  t.same((await shop.registry.list()).map(({ state }) => state), ['serving']);
  t.match(await shop.retrain(fails, useless, fails), { model: 'useless@1', verdict: { promote: false }, faults: ['no memory', 'no memory'] });
});

await t.test('models that must never serve', async (t) => {
  const cases: readonly [string, Train, RegExp][] = [
    ['no better', gives((folder) => writeTestModel(folder, { name: 'new', features: only('trending'), onnx: linearModel(only('trending')) })), /not better/u],
    ['one score for all', gives((folder) => writeTestModel(folder, { name: 'new', onnx: constantModel(ENGINE_FEATURES) })), /same score/u],
    ['NaN on live lists', gives((folder) => writeTestModel(folder, { name: 'new', onnx: nanModel(ENGINE_FEATURES, 5), golden: [zeros] })), /no finite/u],
    ['slow', gives(async (folder) => writeTestModel(folder, { name: 'new', onnx: await slowModel(ENGINE_FEATURES, 8) })), /median run/u],
  ];
  for (const [name, train, why] of cases) {
    await t.test(name, async (t) => {
      const shop = await store(t, TRAFFIC);
      t.match(await shop.retrain(train), { verdict: { promote: false, why } });
      await staysAsItWas(t, shop);
    });
  }
  await t.test('the serving one again', async (t) => {
    const shop = await store(t, TRAFFIC);
    t.match(await shop.retrain(async ({ from, out }) => cp(from, out, { recursive: true })), { skipped: /serving model again/u });
  });
});

await t.test('logs that nothing can be learnt from: said, or refused, never served', async (t) => {
  const flat = (vectors: Float32Array): void => { vectors.fill(0.5); };
  const cases: readonly [string, ArchivedTraffic | undefined][] = [
    ['empty', undefined],
    ['one shopper', { ...TRAFFIC, shoppers: 1 }],
    ['one item', { ...TRAFFIC, items: 1, otherEvents: 20 }],
    ['nothing taken', { ...TRAFFIC, takes: 'nothing', otherEvents: 20 }],
    ['everything taken: equal labels', { ...TRAFFIC, takes: 'all' }],
    ['all features equal', { ...TRAFFIC, spoil: flat }],
    ['NaN features', { ...TRAFFIC, spoil: (vectors) => { vectors.fill(NaN); } }],
    ['some NaN features', { ...TRAFFIC, spoil: (vectors) => { for (let i = 0; i < vectors.length; i += 3) vectors[i] = NaN; } }],
    ['infinite features', { ...TRAFFIC, spoil: (vectors) => { for (let i = 0; i < vectors.length; i += 5) vectors[i] = i % 2 === 0 ? Infinity : -Infinity; } }],
  ];
  for (const [name, traffic] of cases) {
    await t.test(name, async (t) => {
      const shop = await store(t, traffic);
      const outcome = await shop.retrain(refitRanker).catch((error: unknown) => ({ failed: error instanceof Error ? error.message : String(error) }));
      const why = 'skipped' in outcome ? outcome.skipped : 'failed' in outcome ? outcome.failed : outcome.verdict.why;
      t.notOk('verdict' in outcome && outcome.verdict.promote, why);
      t.ok(why.length > 20 && !why.includes('undefined'), `a clear reason: ${why}`);
      await staysAsItWas(t, shop);
    });
  }
});

await t.test('damaged lines cost themselves and nothing else', async (t) => {
  const shop = await store(t, TRAFFIC);
  for (const kind of ['events', 'impressions']) await appendFile(join(shop.archiveDir, `${kind}-2026-01-01`, '05-test-5.0.ndjson'), '{"entry":"1-1","ev\n\u0000\n[]\n');
  t.match(await shop.retrain(telling), { verdict: { promote: true } });
});
