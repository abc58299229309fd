import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { importModel } from '../../src/learn/models/import-model.js';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import { ModelRegistry } from '../../src/ranking/model-registry.js';
import { loadModel } from '../../src/ranking/model.js';
import { ENGINE_FEATURES } from '../helpers/models.js';

/** Files that other trainers made; the scripts that made them, and the README's examples, are beside them. */
const FIXTURES = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'models');
const COLUMNS = {
  userFeatures: ['is_new', 'events', 'hours_since_event', 'orders'],
  itemFeatures: ['popularity', 'trending', 'price', 'related', 'neighbors', 'leaf_short', 'viewed'],
};
const deed = { by: 'test', why: '' };

/** A row's values where the engine has these columns. */
function spread(names: readonly string[], known: readonly string[], rows: readonly (readonly number[])[]): Float32Array {
  const out = new Float32Array(rows.length * known.length);
  rows.forEach((row, r) => names.forEach((name, i) => { out[r * known.length + known.indexOf(name)] = row[i]!; }));
  return out;
}

for (const maker of ['lightgbm', 'pytorch']) {
  await t.test(`a model made by ${maker} is taken in, loaded, served, and scores as ${maker} itself does`, async (t) => {
    const registry = new ModelRegistry(join(t.testdir(), 'models'), join(t.testdirName, 'none'), Date.now);
    const label = await importModel(registry, join(FIXTURES, `${maker}.onnx`), { name: maker, version: '1', ...COLUMNS }, deed);
    t.equal(label, `${maker}@1`);
    const expected = JSON.parse(await readFile(join(FIXTURES, `${maker}.json`), 'utf8')) as { user: number[]; items: number[][]; scores: number[] };
    const user = spread(COLUMNS.userFeatures, ENGINE_FEATURES.userFeatures, [expected.user]);
    const items = spread(COLUMNS.itemFeatures, ENGINE_FEATURES.itemFeatures, expected.items);
    const closeTo = (scores: Float32Array): boolean => scores.every((score, i) => Math.abs(score - expected.scores[i]!) < 1e-4);

    const model = await loadModel(registry.folderOf(label), ENGINE_FEATURES);
    t.ok(closeTo(await model.score(user, items, expected.items.length)));
    await model.retire();

    const holder = new ModelHolder({ features: ENGINE_FEATURES, clock: () => performance.now() });
    t.same(await holder.swap(registry.folderOf(label)), { model: label });
    const slot = holder.pool.acquire();
    slot.user.set(user);
    slot.items.set(items);
    const scored = await holder.run(slot, expected.items.length);
    t.equal(scored.model, label);
    t.ok(closeTo(scored.scores));
    holder.pool.release(slot);
    await holder.close();
  });
}

await t.test('what does not fit the contract is refused with what to do about it', async (t) => {
  const folder = t.testdir();
  const registry = new ModelRegistry(join(folder, 'models'), join(folder, 'none'), Date.now);
  const file = join(FIXTURES, 'pytorch.onnx');
  await t.rejects(importModel(registry, file, { name: 'x' }, deed), { code: 'model_refused', message: /reads 4 columns of `user` and 7 of `items`.*--user/u });
  await t.rejects(importModel(registry, file, { name: 'x', ...COLUMNS, itemFeatures: [...COLUMNS.itemFeatures.slice(1), 'moon_phase'] }, deed), { message: /unknown moon_phase/u });
  await t.rejects(importModel(registry, join(folder, 'none.onnx'), { name: 'x' }, deed), { code: 'invalid_request', message: /none\.onnx cannot be read/u });
  await writeFile(join(folder, 'no.onnx'), 'not a model');
  await t.rejects(importModel(registry, join(folder, 'no.onnx'), { name: 'x' }, deed), { message: /no ONNX model/u });
  t.same(await registry.list(), [], 'nothing is left of them');
});
