import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startEngine, type Engine } from '../helpers/engine.js';
import { stallingModel, writeTestModel } from '../helpers/models.js';
import { until } from '../helpers/streams.js';
import { Traffic, post, putItems, type Ranked } from '../helpers/traffic.js';

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

const isFull = (one: Ranked): boolean => !one.degraded.includes('fallback_scorer');
/** Lists in a row that make a service full. */
const ROW = 50;
/** A ranking may take its time where the machine is busy: only the model is to be at fault. */
const SETTINGS = { LOG_LEVEL: 'error', RECOMMEND_DEADLINE_MS: '5000' };

async function start(t: Test, folder: string, settings: Readonly<Record<string, string>> = SETTINGS): Promise<Engine> {
  const engine = await startEngine({ role: 'api', env: { MODEL_DIR: folder, ...settings } });
  t.teardown(() => engine.stop());
  await putItems(engine.url, 40);
  return engine;
}

// How long the stall takes is found by trying, with nothing beside it.
const stalling = await stallingModel();

// Each has an engine of its own, and all mostly wait.
t.jobs = Object.keys(broken).length + 1;
const tests = Object.entries(broken).map(([name, make]) => t.test(`a model that is ${name}: the fallback scorer, labelled, until a good one comes`, { timeout: 150_000 }, async (t) => {
  const folder = join(root, `is ${name}`);
  await make(folder);
  const engine = await start(t, folder);
  const traffic = new Traffic(engine.url, { readers: 3, writers: 1, items: 40 });
  await traffic.untilRow(ROW, (one) => !isFull(one));
  t.ok(traffic.ranked.every((one) => one.degraded.includes('fallback_scorer')), 'every list says so');
  await until('the log says why', () => /model refused/u.test(engine.output()));
  await cp(good, folder, { recursive: true });
  const mendedAt = Date.now();
  const fullAt = await traffic.untilRow(ROW, isFull);
  await traffic.stop();
  t.pass(`full service after ${fullAt - mendedAt} ms`);
  t.same(traffic.ranked.filter((one) => one.status !== 200 || one.count === 0), []);
  t.same(traffic.broken, []);
}));

tests.push(t.test('a good model replaced by a broken one stays in service', { timeout: 150_000 }, async (t) => {
  const folder = join(root, 'replaced');
  await cp(good, folder, { recursive: true });
  const engine = await start(t, folder);
  const traffic = new Traffic(engine.url, { readers: 3, writers: 0, items: 40 });
  await writeFile(join(folder, 'model.onnx'), 'torn');
  await until('the broken one is refused', () => /model refused/u.test(engine.output()));
  await writeTestModel(folder, { name: 'better', offset: 3 });
  const served = async (): Promise<string> => (await (await post(`${engine.url}/v1/recommendations`, { scene: 'home' })).json() as { model: string }).model;
  await until('the next good one is taken', async () => (await served()).startsWith('better@'));
  await traffic.stop();
  t.ok(traffic.ranked.length > 20);
  t.same(traffic.ranked.filter((one) => one.status !== 200 || !isFull(one)), [], 'no request noticed anything');
}));
await Promise.all(tests);

await t.test('a model that stalls for five seconds', { timeout: 150_000 }, async (t) => {
  const folder = join(root, 'stalls');
  await writeTestModel(folder, { name: 'stalls', onnx: stalling });
  const engine = await start(t, folder, { LOG_LEVEL: 'error' });
  const traffic = new Traffic(engine.url, { readers: 3, writers: 1, items: 40 });
  await traffic.untilRow(ROW, isFull);
  const brokeAt = Date.now();
  const stalled = await post(`${engine.url}/v1/recommendations`, { userId: 'w0', scene: 'live' });
  t.equal(stalled.status, 200, 'even the list that stalled is answered');
  t.ok(Date.now() - brokeAt > 2500, `it stalled for ${Date.now() - brokeAt} ms`);
  t.match(await stalled.json(), { model: 'stalls@1' }, 'by the model, late');
  const mendedAt = Date.now();
  await until('meanwhile the fallback scorer stands in', () => traffic.ranked.some((one) => one.at >= brokeAt && !isFull(one)));
  const fullAt = await traffic.untilRow(ROW, isFull);
  await traffic.stop();
  t.pass(`full service after ${fullAt - mendedAt} ms`);
  t.same(traffic.ranked.filter((one) => one.status !== 200 || one.count === 0), []);
  t.same(traffic.broken, []);
});
