import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { loadModel } from '../../src/ranking/model.js';
import { sequences } from '../helpers/data-sets.js';
import { ENGINE_FEATURES, linearModel, writeTestModel } from '../helpers/models.js';

const program = fileURLToPath(new URL('../../src/learn/train.js', import.meta.url));
const SHIPPED = fileURLToPath(new URL('../../../models/default', import.meta.url));
const run = (...args: readonly string[]): Promise<{ stdout: string; stderr: string }> => promisify(execFile)(process.execPath, [program, ...args]);
const train = (out: string): Promise<unknown> => run('--out', out, '--shoppers', '50', '--days', '12', '--seed', '5');

await t.test('a training run leaves a model that the engine takes, the same each time', async (t) => {
  const folder = t.testdir();
  await Promise.all([train(join(folder, 'a')), train(join(folder, 'b'))]);
  const model = await loadModel(join(folder, 'a'), ENGINE_FEATURES);
  await model.retire();
  for (const file of ['model.onnx', 'golden.json']) {
    t.same(await readFile(join(folder, 'a', file)), await readFile(join(folder, 'b', file)), file);
  }
  t.match(await readFile(join(folder, 'a', 'README.md'), 'utf8'), /npm run train -- --seed 5 --shoppers 50 --days 12/);
});

await t.test('tables give a model, damaged lines are told, and what cannot be done is said in a line', async (t) => {
  const folder = t.testdir({ data: { 'events.csv': `${sequences}u3,one,i1,5\n` }, nothing: {} });
  const [data, out, foreign] = [join(folder, 'data'), join(folder, 'model'), join(folder, 'foreign')];
  const { stdout, stderr } = await run('--data', data, '--out', out, '--from', SHIPPED);
  t.match(stderr, /events\.csv:\d+ skipped: position is no whole number/u);
  t.match(stdout, /"candidateRecall"/u);
  await (await loadModel(out, ENGINE_FEATURES)).retire();
  await writeTestModel(foreign, { name: 'foreign', onnx: linearModel(ENGINE_FEATURES) });
  const wrong: [RegExp, string[]][] = [
    [/is another tool's model/u, ['--data', data, '--from', foreign]],
    [/Model refused: .*manifest\.json: expected a readable file/u, ['--data', data, '--from', join(folder, 'nothing')]],
    [/is not a data set that is known/u, ['--data', join(folder, 'nothing')]],
    [/--seed is a whole number/u, ['--seed', 'x']],
  ];
  for (const [message, args] of wrong) {
    const error: unknown = await run('--out', join(folder, 'none'), ...args).then(() => undefined, (reason: unknown) => reason);
    t.match(error, { code: 1, stderr: message });
    t.notMatch(error, { stderr: /^\s+at /mu }, 'no stack');
  }
});

await t.test('the model that ships is taken by this engine', async (t) => {
  const model = await loadModel(SHIPPED, ENGINE_FEATURES);
  t.same([...model.manifest.userFeatures], [...ENGINE_FEATURES.userFeatures]);
  t.same([...model.manifest.itemFeatures], [...ENGINE_FEATURES.itemFeatures]);
  const { test } = model.manifest.metrics as { test: Record<string, Record<string, { ndcg10: number }>> };
  const order = ['model', 'fallback', 'popularity', 'random'].map((name) => test['candidates']![name]!.ndcg10);
  t.same(order, order.toSorted((a, b) => b - a), 'it ranked the days held out better than what it replaces');
  await model.retire();
});
