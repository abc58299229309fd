import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { JobRegistry } from '../../src/jobs/registry.js';
import { RETRAIN, retrainJobs, shadowFault, type RetrainOptions } from '../../src/jobs/retrain.js';
import { DEED_VALUES } from '../../src/learn/ranker/lists.js';
import { ModelRegistry } from '../../src/ranking/model-registry.js';
import { makeKeys } from '../../src/redis/keys.js';
import { Lease } from '../../src/redis/lease.js';
import { ShadowStore } from '../../src/redis/shadow-store.js';
import { archiveTraffic } from '../helpers/impressions.js';
import { ENGINE_FEATURES, linearModel, writeTestModel } from '../helpers/models.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo, listenTo, silent, until } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });

const only = (name: string) => ({ userFeatures: ENGINE_FEATURES.userFeatures, itemFeatures: [name] });
const CHILD = new URL('../helpers/retrain-child.js', import.meta.url);

interface Shop {
  readonly registry: ModelRegistry;
  readonly shadows: ShadowStore;
  readonly outcomes: string[];
  readonly whys: string[];
  readonly train: () => Promise<void>;
}

/** A worker's jobs over a log in which the feature `related` tells what is wanted; the serving model does not use it. */
async function shop(t: Test, options: Partial<RetrainOptions> = {}): Promise<Shop> {
  const dir = t.testdir();
  const [archiveDir, modelsDir, modelDir] = [join(dir, 'archive'), join(dir, 'models'), join(dir, 'shipped')];
  await mkdir(archiveDir);
  await writeTestModel(modelDir, { name: 'shipped', features: only('neighbors'), onnx: linearModel(only('neighbors')) });
  await archiveTraffic(archiveDir, { from: Date.UTC(2026, 0, 1), hours: 40, listsPerHour: 20, shoppers: 100, items: 60 });
  const keys = makeKeys(`${t.name.replace(/\W/gu, '')}:`);
  const jobs = new JobRegistry({ connect: listenTo(server.url), keys, log: silent });
  t.teardown(() => jobs.stop());
  const registry = new ModelRegistry(modelsDir, modelDir, Date.now);
  const shadows = new ShadowStore(redis, keys);
  const outcomes: string[] = [];
  const whys: string[] = [];
  jobs.start(retrainJobs({
    task: { archiveDir, modelsDir, modelDir, eventsMin: 100, values: DEED_VALUES, by: 'worker', seed: 1 }, program: CHILD, models: registry, shadows, jobs,
    newLease: () => new Lease(redis, keys.lock(RETRAIN), 'w'), shadowRequests: 100, shadowMs: 60_000, clock: Date.now, judgeEveryMs: 50,
    onDone: ({ outcome, why }) => {
      outcomes.push(outcome);
      whys.push(why);
    },
    ...options,
  }));
  return { registry, shadows, outcomes, whys, train: () => jobs.add(RETRAIN, {}) };
}

await t.test('trained in a process of its own, shadowed for the stated number of requests, then promoted', async (t) => {
  const { registry, shadows, outcomes, train } = await shop(t);
  await train();
  await until('it shadows', () => outcomes.length === 1, 30_000);
  t.equal((await registry.state()).shadow?.model, 'related@1');
  shadows.add('related@1', { requests: 99, servingMs: 9, shadowMs: 9 });
  await shadows.flush();
  await new Promise((done) => { setTimeout(done, 300); });
  t.same(outcomes, ['shadowed'], 'not before its time');
  shadows.add('related@1', { requests: 1, servingMs: 0.1, shadowMs: 0.1 });
  await shadows.flush();
  await until('it serves', () => outcomes.length === 2);
  t.equal(outcomes[1], 'promoted');
  const { serving, shadow, journal } = await registry.state();
  t.same([serving, shadow], ['related@1', null]);
  t.match(journal.at(-1), { by: 'worker', action: 'promote', why: /^better: NDCG@10 .*; 100 requests shadowed$/u });
});

await t.test('without traffic the stated time decides', async (t) => {
  const { outcomes, train } = await shop(t, { shadowMs: 300 });
  await train();
  await until('it serves', () => outcomes.length === 2, 30_000);
  t.same(outcomes, ['shadowed', 'promoted']);
});

await t.test('a shadow that fails is refused, and the serving model stays', async (t) => {
  const { registry, shadows, outcomes, train } = await shop(t);
  await train();
  await until('it shadows', () => outcomes.length === 1, 30_000);
  shadows.add('related@1', { dropped: 1 });
  await shadows.flush();
  await until('it is refused', () => outcomes.length === 2);
  t.equal((await registry.state()).serving, null);
  t.match((await registry.list()).find(({ label }) => label === 'related@1'), { state: 'refused', why: /failed or was slow/u });
});

await t.test('a model that shadows by hand is left alone', async (t) => {
  const { registry, outcomes, whys, train } = await shop(t);
  await registry.shadow('shipped@1', { by: 'ann', why: '' });
  await train();
  await until('it is passed over', () => outcomes.length === 1, 30_000);
  t.match(whys[0], /by the hand of ann/u);
  t.equal((await registry.state()).shadow?.model, 'shipped@1');
});

await t.test('a training that dies is reported', async (t) => {
  const { registry, outcomes, whys, train } = await shop(t, { program: new URL('../helpers/no-such-child.js', import.meta.url) });
  await train();
  await until('it failed', () => outcomes.length === 1, 30_000);
  t.match(whys[0], /its process ended with exit code 1/u);
  t.equal((await registry.state()).serving, null);
});

await t.test('what makes a shadow unfit', (t) => {
  const good = { requests: 1000, dropped: 0, servingMs: 100, shadowMs: 120, constant: 0, correlation: 900 };
  t.equal(shadowFault(good), undefined);
  t.equal(shadowFault({ ...good, requests: 0 }), undefined);
  t.match(shadowFault({ ...good, dropped: 1 }), /failed/u);
  t.match(shadowFault({ ...good, constant: 11 }), /same score/u);
  t.match(shadowFault({ ...good, shadowMs: 500 }), /took 0\.50 ms/u);
  t.end();
});
