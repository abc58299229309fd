import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startEngine } from '../helpers/engine.js';
import { stallingModel, writeTestModel } from '../helpers/models.js';
import { Traffic, post, putItems } from '../helpers/traffic.js';

/** The model missing, corrupt, of another schema, or stalled: rankings go on, say so, and come back. */

const root = await mkdtemp(join(tmpdir(), 'rivulet-model-'));
t.teardown(() => rm(root, { recursive: true, force: true }));
const good = join(root, 'good');
await writeTestModel(good, { name: 'good' });

const broken: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  missing: () => Promise.resolve(),
  corrupt: async (folder) => {
    await cp(good, folder, { recursive: true });
    await writeFile(join(folder, 'model.onnx'), 'this is not a model');
  },
  'of another schema': (folder) => writeTestModel(folder, { features: { userFeatures: ['shoe_size'], itemFeatures: ['colour'] } }),
};

/** Nearly every list by the model: a deadline may pass now and then on a busy machine, and is labelled as well. */
const isFull = (ranked: readonly { degraded: readonly string[] }[]): boolean =>
  ranked.length > 10 && ranked.filter((one) => one.degraded.includes('fallback_scorer')).length <= ranked.length * 0.05;

for (const [name, make] of Object.entries(broken)) {
  await t.test(`a model that is ${name}: the fallback scorer, labelled, until a good one comes`, { timeout: 60_000 }, async (t) => {
    const folder = join(root, `is ${name}`);
    await make(folder);
    const engine = await startEngine({ role: 'api', env: { MODEL_DIR: folder, LOG_LEVEL: 'error' } });
    t.teardown(() => engine.stop());
    await putItems(engine.url, 40);
    const traffic = new Traffic(engine.url, { readers: 3, writers: 1, items: 40 });
    await pause(1000);
    t.ok(traffic.ranked.length > 20 && traffic.ranked.every((one) => one.degraded.includes('fallback_scorer')), 'every list says so');
    t.match(engine.output(), /model refused/u, 'and the log says why');
    await cp(good, folder, { recursive: true });
    const mendedAt = Date.now();
    await pause(8000);
    await traffic.stop();
    t.same(traffic.ranked.filter((one) => one.status !== 200 || one.count === 0), []);
    t.same(traffic.broken, []);
    const after = traffic.ranked.filter((one) => one.at > mendedAt + 5000);
    t.ok(isFull(after), 'full service within five seconds');
  });
}

await t.test('a good model replaced by a broken one stays in service', { timeout: 60_000 }, async (t) => {
  const folder = join(root, 'replaced');
  await cp(good, folder, { recursive: true });
  const engine = await startEngine({ role: 'api', env: { MODEL_DIR: folder, LOG_LEVEL: 'error' } });
  t.teardown(() => engine.stop());
  await putItems(engine.url, 40);
  const traffic = new Traffic(engine.url, { readers: 3, writers: 0, items: 40 });
  await writeFile(join(folder, 'model.onnx'), 'torn');
  await pause(2500);
  await writeTestModel(folder, { name: 'better', offset: 3 });
  const until = Date.now() + 10_000;
  let model = '';
  while (!model.startsWith('better') && Date.now() < until) {
    model = (await (await post(`${engine.url}/v1/recommendations`, { scene: 'home' })).json() as { model: string }).model;
    await pause(50);
  }
  await traffic.stop();
  t.match(model, /^better@/u, 'the next good one is taken');
  t.same(traffic.ranked.filter((one) => one.status !== 200 || one.degraded.includes('fallback_scorer')), [], 'and no request noticed anything');
});

await t.test('a model that stalls for five seconds', { timeout: 90_000 }, async (t) => {
  const folder = join(root, 'stalls');
  await writeTestModel(folder, { name: 'stalls', onnx: await stallingModel() });
  const engine = await startEngine({ role: 'api', env: { MODEL_DIR: folder, LOG_LEVEL: 'error' } });
  t.teardown(() => engine.stop());
  await putItems(engine.url, 40);
  const traffic = new Traffic(engine.url, { readers: 3, writers: 1, items: 40 });
  await pause(1000);
  const brokeAt = Date.now();
  const stalled = await post(`${engine.url}/v1/recommendations`, { userId: 'w0', scene: 'live' });
  t.equal(stalled.status, 200, 'even the list that stalled is answered');
  t.ok(Date.now() - brokeAt > 2500, `it stalled for ${Date.now() - brokeAt} ms`);
  t.match(await stalled.json(), { model: 'stalls@1' }, 'by the model, late');
  const mendedAt = Date.now();
  await pause(6500);
  await traffic.stop();
  t.same(traffic.ranked.filter((one) => one.status !== 200 || one.count === 0), []);
  t.same(traffic.broken, []);
  t.ok(traffic.ranked.some((one) => one.at >= brokeAt && one.degraded.includes('fallback_scorer')), 'meanwhile the fallback scorer stands in');
  const after = traffic.ranked.filter((one) => one.at > mendedAt + 5000);
  t.ok(isFull(after), 'full service within five seconds');
});
