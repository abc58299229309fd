import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { loadModel } from '../../src/ranking/model.js';
import { ENGINE_FEATURES } from '../helpers/models.js';

const program = fileURLToPath(new URL('../../src/learn/train.js', import.meta.url));
const train = (out: string): Promise<unknown> =>
  promisify(execFile)(process.execPath, [program, '--out', out, '--shoppers', '100', '--days', '12', '--seed', '5']);

await t.test('a training run leaves a model that the engine takes, the same each time', async (t) => {
  const folder = t.testdir();
  await train(join(folder, 'a'));
  await train(join(folder, 'b'));
  const model = await loadModel(join(folder, 'a'), ENGINE_FEATURES);
  await model.retire();
  for (const file of ['model.onnx', 'golden.json']) {
    t.same(await readFile(join(folder, 'a', file)), await readFile(join(folder, 'b', file)), file);
  }
  t.match(await readFile(join(folder, 'a', 'README.md'), 'utf8'), /npm run train -- --seed 5 --shoppers 100 --days 12/);
});

await t.test('the model that ships is taken by this engine', async (t) => {
  const folder = fileURLToPath(new URL('../../../models/default', import.meta.url));
  const model = await loadModel(folder, ENGINE_FEATURES);
  t.same([...model.manifest.userFeatures], [...ENGINE_FEATURES.userFeatures]);
  t.same([...model.manifest.itemFeatures], [...ENGINE_FEATURES.itemFeatures]);
  const { test } = model.manifest.metrics as { test: Record<string, Record<string, { ndcg10: number }>> };
  const order = ['model', 'fallback', 'popularity', 'random'].map((name) => test['candidates']![name]!.ndcg10);
  t.same(order, order.toSorted((a, b) => b - a), 'it ranked the days held out better than what it replaces');
  await model.retire();
});
