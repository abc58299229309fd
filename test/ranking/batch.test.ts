import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { GraphBuilder } from '../../src/learn/onnx.js';
import { OFFER_FEATURES } from '../../src/offers/decide/offer-features.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { redeclared, scanned } from '../../src/ranking/batch-graph.js';
import { BatchScorer } from '../../src/ranking/batch-scorer.js';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import { Session } from '../../src/ranking/session.js';
import { loadModel, type FeatureNames, type Model } from '../../src/ranking/model.js';
import { seededRandom } from '../../src/util/random.js';
import { ENGINE_FEATURES, linearModel, stallingModel, writeTestModel } from '../helpers/models.js';
import { tempDir } from '../helpers/streams.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const RESPONSE: FeatureNames = { userFeatures: USER_FEATURES, itemFeatures: OFFER_FEATURES };

/** Scores of a batch beside those of runs by themselves. */
async function bothWays(model: Model, { userFeatures, itemFeatures }: FeatureNames, { count, rows }: { count: number; rows: number }) {
  const random = seededRandom(5);
  const users = Float32Array.from({ length: count * userFeatures.length }, () => 3 * random());
  const items = Float32Array.from({ length: count * rows * itemFeatures.length }, () => 3 * random());
  const together = await model.scoreBatch(users, items, { count, rows });
  const alone = new Float32Array(count * rows);
  for (let i = 0; i < count; i++) alone.set(await model.score(users.subarray(i * userFeatures.length), items.subarray(i * rows * itemFeatures.length), rows), i * rows);
  return { together, alone };
}

async function isTheSame(t: Test, model: Model, features: FeatureNames): Promise<void> {
  for (const shape of [{ count: 1, rows: 1 }, { count: 7, rows: 3 }, { count: 64, rows: 9 }]) {
    const { together, alone } = await bothWays(model, features, shape);
    t.equal(together.length, shape.count * shape.rows);
    t.ok(together.every((score, i) => Math.abs(score - alone[i]!) <= 1e-4 * Math.max(1, Math.abs(alone[i]!))), `${shape.count} × ${shape.rows}`);
  }
  await model.retire();
}

await t.test('the shipped models score many users in one run as they do one by one', async (t) => {
  await isTheSame(t, await loadModel(join(ROOT, 'models', 'response'), RESPONSE, { batched: true }), RESPONSE);
  await isTheSame(t, await loadModel(join(ROOT, 'models', 'default'), ENGINE_FEATURES, { batched: true }), ENGINE_FEATURES);
});

await t.test('so does any other: of few columns, with a branch, or summing over all it is given', async (t) => {
  const few: FeatureNames = { userFeatures: [USER_FEATURES[4]!, USER_FEATURES[1]!], itemFeatures: [OFFER_FEATURES[3]!] };
  await isTheSame(t, await loadModel(await written(t, linearModel(few), few), RESPONSE, { batched: true }), RESPONSE);
  await isTheSame(t, await loadModel(await written(t, await stallingModel(RESPONSE, 1)), RESPONSE, { batched: true }), RESPONSE);
});

await t.test('without a batched graph users are scored one by one', async (t) => {
  await isTheSame(t, await loadModel(await written(t, linearModel(RESPONSE)), RESPONSE), RESPONSE);
});

await t.test('a graph that mixes users up is not taken for one that does not', async (t) => {
  const onnx = linearModel(RESPONSE);
  const known = await loadModel(await written(t, onnx), RESPONSE, { batched: true });
  const { together, alone } = await bothWays(known, RESPONSE, { count: 3, rows: 2 });
  t.same([...together], [...alone], 'its ReduceSum goes over all users of a batch, so it is scanned');
  t.ok(redeclared(onnx).onnx.length < scanned(onnx).onnx.length);
  await known.retire();

  const files = { onnx: unbatched(RESPONSE).model(), manifest: known.manifest, golden: { cases: [{ name: 'zeros', user: zeros(USER_FEATURES), items: [zeros(OFFER_FEATURES)], scores: [0] }] } };
  const session = await Session.open('unbatched', files.onnx);
  t.equal(await BatchScorer.open('unbatched', session, files), undefined, 'neither way: it is scored user by user');
  await session.retire();
});

await t.test('a batch is held to the circuit like any run', async (t) => {
  let time = 0;
  const holder = new ModelHolder({ features: RESPONSE, batched: true, clock: () => (time += 2000) });
  t.teardown(() => holder.close());
  const batch = { users: new Float32Array(2 * USER_FEATURES.length), items: new Float32Array(6 * OFFER_FEATURES.length), count: 2, rows: 3 };
  await t.rejects(holder.runBatch(batch), { code: 'model_unavailable' });
  await holder.swap(await written(t, linearModel(RESPONSE)));
  t.match(await holder.runBatch(batch), { scores: { length: 6 }, model: 'test@1' }, 'whoever came first has waited for it');
  await t.rejects(holder.runBatch(batch), { code: 'model_unavailable' });
});

await t.test('models of other trainers have a batch, too', async (t) => {
  // Both read 4 columns of the user and 7 of each item.
  const features: FeatureNames = { userFeatures: USER_FEATURES.slice(0, 4), itemFeatures: OFFER_FEATURES.slice(0, 7) };
  for (const maker of ['lightgbm', 'pytorch']) {
    const onnx = await readFile(join(ROOT, 'test', 'fixtures', 'models', `${maker}.onnx`));
    await isTheSame(t, await loadModel(await written(t, onnx, features), RESPONSE, { batched: true }), RESPONSE);
  }
});

async function written(t: Test, onnx: Uint8Array, features = RESPONSE): Promise<string> {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  await writeTestModel(dir.path, { features, onnx });
  return dir.path;
}

/** As the linear model, but with a name in it that a `Scan` needs. */
function unbatched({ userFeatures, itemFeatures }: FeatureNames): GraphBuilder {
  const graph = new GraphBuilder('test');
  graph.input('user', [1, userFeatures.length]);
  graph.input('items', ['N', itemFeatures.length]);
  graph.output('score', ['N']);
  const sum = graph.op('ReduceSum', ['items', graph.integers('columns', [-1])], { keepdims: 0 });
  graph.op('Add', [sum, graph.op('ReduceSum', ['user'], { keepdims: 0 }, 'batch_user')], {}, 'score');
  return graph;
}

function zeros(names: readonly string[]): number[] {
  return names.map(() => 0);
}
