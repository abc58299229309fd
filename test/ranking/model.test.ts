import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AppError } from '../../src/errors.js';
import { sha256 as sha256Of, type Manifest } from '../../src/ranking/manifest.js';
import { loadModel } from '../../src/ranking/model.js';
import { ENGINE_FEATURES, linearModel, nanModel, slowModel, stallingModel, writeTestModel } from '../helpers/models.js';

const { userFeatures, itemFeatures } = ENGINE_FEATURES;
const zeroUser = (): number[] => userFeatures.map(() => 0);
const item = (value: number): number[] => itemFeatures.map(() => value);

async function rejectedBecause(t: Test, folder: string, reason: RegExp): Promise<void> {
  try {
    await loadModel(folder, ENGINE_FEATURES);
    t.fail(`accepted, but should be refused: ${reason.source}`);
  } catch (error) {
    t.ok(error instanceof AppError && error.code === 'model_refused', 'refused by its code');
    t.match(error instanceof Error ? error.message : '', reason);
  }
}

async function editManifest(folder: string, edit: (manifest: Manifest) => Record<string, unknown>): Promise<void> {
  const path = join(folder, 'manifest.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as Manifest;
  await writeFile(path, JSON.stringify({ ...manifest, ...edit(manifest) }));
}

await t.test('a valid model loads and scores', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder, { name: 'tiny', version: '7', offset: 2 });
  const model = await loadModel(folder, ENGINE_FEATURES);
  t.equal(model.label, 'tiny@7');
  const user = new Float32Array(userFeatures.length).fill(1);
  const items = new Float32Array(512 * itemFeatures.length);
  items.fill(1, itemFeatures.length);
  const scores = await model.score(user, items, 3);
  t.same([...scores], [0, 1, 1].map((value) => value * itemFeatures.length + userFeatures.length + 2));
  await model.retire();
});

await t.test('a model gets the columns it names, in its order', async (t) => {
  const folder = t.testdir();
  const features = { userFeatures: [userFeatures[4]!, userFeatures[1]!], itemFeatures: [itemFeatures[3]!] };
  await writeTestModel(folder, { features });
  const model = await loadModel(folder, ENGINE_FEATURES);
  const user = Float32Array.from(userFeatures, (_, i) => 10 ** i);
  const items = Float32Array.from({ length: 2 * itemFeatures.length }, (_, i) => i);
  const scores = await model.score(user, items, 2);
  t.same([...scores], [10_010 + 3, 10_010 + 3 + itemFeatures.length]);
  await model.retire();
});

await t.test('refusals say which file, what was expected and what was found', async (t) => {
  const fresh = async (t: Test): Promise<string> => {
    const folder = t.testdir();
    await writeTestModel(folder);
    return folder;
  };

  await t.test('missing', async (t) => {
    await rejectedBecause(t, join(t.testdir(), 'nowhere'), /manifest\.json: expected a readable file, found ENOENT/);
    for (const file of ['golden.json', 'model.onnx']) {
      const folder = await fresh(t);
      await rm(join(folder, file));
      await rejectedBecause(t, folder, new RegExp(`${file}: expected a readable file, found ENOENT`));
    }
  });

  await t.test('corrupt', async (t) => {
    const folder = await fresh(t);
    await writeTestModel(folder);
    const path = join(folder, 'model.onnx');
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length / 2));
    await rejectedBecause(t, folder, /model\.onnx: expected sha256 [0-9a-f]{64} \(manifest\.json\), found [0-9a-f]{64}/);
    const sha256 = sha256Of(await readFile(path));
    await editManifest(folder, () => ({ sha256 }));
    await rejectedBecause(t, folder, /model\.onnx: expected an ONNX model onnxruntime can load, found .+/);
    await writeFile(join(folder, 'golden.json'), '{"cases": [');
    await rejectedBecause(t, folder, /golden\.json: expected JSON, found/);
  });

  await t.test('manifest against its schema', async (t) => {
    const folder = await fresh(t);
    await editManifest(folder, () => ({ contract: 2 }));
    await rejectedBecause(t, folder, /manifest\.json: expected a document of its schema, found \/contract: /);
    await editManifest(folder, () => ({ contract: 1, extra: true }));
    await rejectedBecause(t, folder, /manifest\.json: expected a document of its schema, found \/extra: /);
  });

  await t.test('another schema', async (t) => {
    const folder = await fresh(t);
    await editManifest(folder, (manifest) => ({ itemFeatures: [...manifest.itemFeatures].reverse() }));
    await rejectedBecause(t, folder, /manifest\.json: expected schemaHash of its feature names is [0-9a-f]+, found/);
    await writeTestModel(folder, { features: { userFeatures, itemFeatures: ['star_sign', ...itemFeatures.slice(1)] } });
    await rejectedBecause(t, folder, /itemFeatures to be among the engine's \d+, found unknown star_sign/);
  });

  await t.test('another graph', async (t) => {
    const folder = await fresh(t);
    const wide = { userFeatures, itemFeatures: [...itemFeatures, 'one_more'] };
    await writeTestModel(folder, { features: wide });
    const onnx = join(folder, 'model.onnx');
    await copyFile(onnx, `${onnx}.wide`);
    await writeTestModel(folder);
    await copyFile(`${onnx}.wide`, onnx);
    const sha256 = sha256Of(await readFile(onnx));
    await editManifest(folder, () => ({ sha256 }));
    await rejectedBecause(t, folder, new RegExp(`expected inputs items float32\\[N,${itemFeatures.length}\\], .+ found items float32\\[N,${itemFeatures.length + 1}\\]`));
  });

  await t.test('other golden scores', async (t) => {
    const folder = await fresh(t);
    const path = join(folder, 'golden.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace(/"scores":\[0/, '"scores":[0.001'));
    await rejectedBecause(t, folder, /golden\.json: case "zeros": expected score 0\.001 of item 0, found 0/);
    await writeFile(path, JSON.stringify({ cases: [{ name: 'short', user: zeroUser(), items: [item(0).slice(1)], scores: [0] }] }));
    await rejectedBecause(t, folder, /case "short": expected \d+ features of every item, found \d+/);
    await writeFile(path, JSON.stringify({ cases: [{ name: 'fewer', user: zeroUser(), items: [item(0), item(1)], scores: [0] }] }));
    await rejectedBecause(t, folder, /case "fewer": expected as many scores as items \(2\), found 1/);
  });

  await t.test('scores that are not finite', async (t) => {
    const folder = t.testdir();
    const golden = [{ name: 'positive', user: zeroUser(), items: [item(1)] }];
    await writeTestModel(folder, { onnx: nanModel(ENGINE_FEATURES, -0.5), golden });
    await rejectedBecause(t, folder, /expected finite scores for all-zero features, found NaN or infinity/);
    await writeFile(join(folder, 'golden.json'), JSON.stringify({ cases: [{ name: 'negative', user: zeroUser(), items: [item(-1)], scores: [0] }] }));
    await rejectedBecause(t, folder, /case "negative": expected score 0 of item 0, found NaN/);
  });

  await t.test('too slow', async (t) => {
    const folder = t.testdir();
    await writeTestModel(folder, { onnx: await slowModel(ENGINE_FEATURES, 150) });
    await rejectedBecause(t, folder, /expected a run of 200 rows within 50 ms \(median of \d\), found \d+\.\d ms/);
  });
});

await t.test('a model that stalls on demand passes its checks', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder, { onnx: await stallingModel(ENGINE_FEATURES, 800) });
  const model = await loadModel(folder, ENGINE_FEATURES);
  const user = new Float32Array(userFeatures.length);
  const items = new Float32Array(itemFeatures.length);
  const time = async (): Promise<number> => {
    const startedAt = performance.now();
    await model.score(user, items, 1);
    return performance.now() - startedAt;
  };
  t.ok(await time() < 200, 'quick at first');
  user[userFeatures.indexOf('scene_live')] = 1;
  t.ok(await time() > 400, 'then it stalls');
  await model.retire();
});

await t.test('a model that was loaded keeps its own copy of the file', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder);
  const model = await loadModel(folder, ENGINE_FEATURES);
  await writeFile(join(folder, 'model.onnx'), linearModel(ENGINE_FEATURES, 5));
  t.same([...await model.score(new Float32Array(userFeatures.length), new Float32Array(itemFeatures.length), 1)], [0]);
  await model.retire();
});
