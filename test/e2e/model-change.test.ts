import { join } from 'node:path';
import t from 'tap';
import { ModelRegistry } from '../../src/ranking/model-registry.js';
import { makeKeys } from '../../src/redis/keys.js';
import { ShadowStore } from '../../src/redis/shadow-store.js';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { ENGINE_FEATURES, slowModel, writeTestModel } from '../helpers/models.js';
import { commandsTo, until } from '../helpers/streams.js';
import { post, Traffic } from '../helpers/traffic.js';

const deed = { by: 'test', why: '' };

await t.test('under traffic: a model shadows, serves, and is rolled back, and no request is lost to it', async (t) => {
  const folder = t.testdir();
  const modelsDir = join(folder, 'models');
  await writeTestModel(join(folder, 'first'), { name: 'first' });
  await writeTestModel(join(folder, 'second'), { name: 'second', offset: 1 });
  await writeTestModel(join(folder, 'slow'), { name: 'slow', onnx: await slowModel(ENGINE_FEATURES, 25) });
  const engine = await startEngine({ env: { ...PATIENT, MODEL_DIR: join(folder, 'first'), MODELS_DIR: modelsDir } });
  t.teardown(() => engine.stop());
  const redis = await commandsTo(engine.redis.url);
  t.teardown(() => { redis.disconnect(); });
  await post(`${engine.url}/v1/items`, { items: Array.from({ length: 50 }, (_, i) => ({ id: `sku-${i}`, title: `Item ${i}`, category: ['a'], price: 1 + i * i })) });

  const registry = new ModelRegistry(modelsDir, join(folder, 'first'), Date.now);
  const shadows = new ShadowStore(redis, makeKeys('rivulet:'));
  const traffic = new Traffic(engine.url, { readers: 2, writers: 1, items: 50 });
  await registry.add(join(folder, 'second'), deed);
  await registry.shadow('second@1', deed);
  await until('it scores beside the other', async () => (await shadows.read('second@1')).requests >= 30, 30_000);
  const { requests, dropped, servingMs, shadowMs, correlation } = await shadows.read('second@1');
  t.equal(dropped, 0);
  t.ok(servingMs > 0 && shadowMs > 0);
  t.ok(correlation / requests > 0.95, 'a constant more is nearly the same ranking');

  const serves = async (): Promise<string> => ((await (await post(`${engine.url}/v1/recommendations`, { userId: 'ann', scene: 'home' })).json()) as { model: string }).model;
  t.equal(await serves(), 'first@1');
  await registry.promote('second@1', deed);
  await until('it serves', async () => await serves() === 'second@1', 30_000);
  await registry.rollback(deed);
  await until('the first serves again', async () => await serves() === 'first@1', 30_000);

  await registry.add(join(folder, 'slow'), deed);
  await registry.shadow('slow@1', deed);
  await until('a slow shadow is noticed', async () => { const counts = await shadows.read('slow@1'); return counts.dropped > 0 || counts.shadowMs > counts.servingMs * 2; }, 60_000);
  await traffic.stop();
  t.same(traffic.ranked.filter(({ status, degraded }) => status !== 200 || degraded.includes('fallback_scorer')), []);
  t.same(traffic.broken, []);
});
