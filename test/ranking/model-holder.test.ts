import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { AppError } from '../../src/errors.js';
import { Circuit } from '../../src/ranking/circuit.js';
import { ModelHolder, type ModelEvent } from '../../src/ranking/model-holder.js';
import type { Scored } from '../../src/ranking/serving-model.js';
import { ModelWatcher } from '../../src/ranking/model-watcher.js';
import type { ScoreSlot } from '../../src/ranking/score-pool.js';
import { ENGINE_FEATURES, nanModel, stallingModel, writeTestModel } from '../helpers/models.js';

const { userFeatures, itemFeatures } = ENGINE_FEATURES;
const LIVE = userFeatures.indexOf('scene_live');

/** A slot with zero features, in the scene `live` when `live`. */
function emptySlot(holder: ModelHolder, live = false): ScoreSlot {
  const slot = holder.pool.acquire();
  slot.user.fill(0);
  slot.items.fill(0);
  if (live) slot.user[LIVE] = 1;
  return slot;
}

async function scoreOnce(holder: ModelHolder, live = false): Promise<Scored> {
  const slot = emptySlot(holder, live);
  try {
    return await holder.run(slot, 2);
  } finally {
    holder.pool.release(slot);
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'ok';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

await t.test('without a model nothing is scored, and the holder says so', async (t) => {
  const holder = new ModelHolder({ features: ENGINE_FEATURES, clock: Date.now });
  t.notOk(holder.available);
  t.equal(await codeOf(scoreOnce(holder)), 'model_unavailable');
  t.equal(holder.pool.used, 0);
});

await t.test('a swap under concurrent scoring drops nothing; a refused one changes nothing', async (t) => {
  const folder = t.testdir({ a: {}, b: {}, bad: {} });
  await writeTestModel(join(folder, 'a'), { name: 'a', offset: 1 });
  await writeTestModel(join(folder, 'b'), { name: 'b', offset: 2 });
  const events: ModelEvent[] = [];
  const holder = new ModelHolder({ features: ENGINE_FEATURES, clock: Date.now, onEvent: (event) => events.push(event) });
  t.same(await holder.swap(join(folder, 'a')), { model: 'a@1' });

  const load = { on: true };
  const counts = new Map<string, number>();
  const client = async (): Promise<void> => {
    while (load.on) {
      const { scores, model } = await scoreOnce(holder);
      if (scores[0] !== (model === 'a@1' ? 1 : 2)) throw new Error(`${model} gave ${scores[0]}`);
      counts.set(model, (counts.get(model) ?? 0) + 1);
    }
  };
  const clients = Promise.all(Array.from({ length: 20 }, client));
  for (let round = 0; round < 2; round++) {
    t.same(await holder.swap(join(folder, 'b')), { model: 'b@1' });
    t.match(await holder.swap(join(folder, 'bad')), { refused: { code: 'model_refused' } });
    t.equal(holder.current?.label, 'b@1', 'the old one stays');
    t.match(holder.status.refused, /manifest\.json/);
    t.same(await holder.swap(join(folder, 'a')), { model: 'a@1' });
  }
  load.on = false;
  await clients;
  t.ok(counts.get('a@1')! > 0 && counts.get('b@1')! > 0, `scored by both: ${JSON.stringify([...counts])}`);
  t.equal(holder.pool.used, 0, 'every buffer came back');
  t.equal(events.filter((event) => event.kind === 'swapped').length, 5);
  t.equal(events.filter((event) => event.kind === 'refused').length, 2);
  await holder.close();
});

await t.test('the pool is bounded, and a buffer in use by a run is not handed out', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder);
  const holder = new ModelHolder({ features: ENGINE_FEATURES, clock: Date.now, slotsMax: 2 });
  await holder.swap(folder);
  const first = emptySlot(holder);
  const second = emptySlot(holder);
  t.throws(() => holder.pool.acquire(), { code: 'overloaded' });
  first.items.fill(1, 0, itemFeatures.length);
  const run = holder.run(first, 1);
  holder.pool.release(first);
  holder.pool.release(first);
  t.throws(() => holder.pool.acquire(), { code: 'overloaded' }, 'its run has not ended');
  t.same([...(await run).scores], [itemFeatures.length]);
  await new Promise(setImmediate);
  t.equal(holder.pool.acquire(), first);
  holder.pool.release(first);
  holder.pool.release(second);
  t.equal(holder.pool.used, 0);
  await holder.close();
});

await t.test('a stall opens the circuit: those behind it fall back at once, and it closes when the fault is over', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder, { onnx: await stallingModel(ENGINE_FEATURES, 800) });
  const events: string[] = [];
  const holder = new ModelHolder({
    features: ENGINE_FEATURES, clock: Date.now, onEvent: (event) => events.push(event.kind),
    circuit: { slowMs: 100, slowRuns: 3, stallMs: 300, coolDownMs: 200, probeMs: 5000 },
  });
  await holder.swap(folder);
  const codes = await Promise.all([codeOf(scoreOnce(holder, true)), ...Array.from({ length: 10 }, () => codeOf(scoreOnce(holder, true)))]);
  t.same(codes, ['ok', ...Array.from({ length: 10 }, () => 'model_unavailable')], 'one stall was paid, not eleven');
  t.notOk(holder.available);
  t.equal(holder.pool.used, 0);

  // While the fault lasts, trials do not hold up this process.
  while (!holder.available) await new Promise((resolve) => { setTimeout(resolve, 10); });
  t.equal(await codeOf(scoreOnce(holder, true)), 'model_unavailable', 'the one that is tried falls back as well');
  t.equal(holder.status.circuit, 'probing');
  let longestPause = 0;
  for (let last = Date.now(); holder.status.circuit === 'probing'; last = Date.now()) {
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    longestPause = Math.max(longestPause, Date.now() - last);
  }
  t.equal(holder.status.circuit, 'open', 'still stalling');
  t.ok(longestPause < 600, `the event loop went on: longest pause ${longestPause} ms`);

  while ((holder.status.circuit as string) !== 'closed') {
    await codeOf(scoreOnce(holder));
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  t.same([...(await scoreOnce(holder)).scores], [0, 0]);
  t.same(events, ['swapped', 'circuit_opened', 'circuit_opened', 'circuit_closed']);
  await holder.close();
});

await t.test('a run that fails or is not finite opens the circuit; another model closes it', async (t) => {
  const folder = t.testdir({ nan: {}, good: {} });
  const golden = [{ name: 'zeros', user: userFeatures.map(() => 0), items: [itemFeatures.map(() => 0)] }];
  await writeTestModel(join(folder, 'nan'), { onnx: nanModel(ENGINE_FEATURES, 0.5), golden });
  await writeTestModel(join(folder, 'good'), { name: 'good' });
  const holder = new ModelHolder({ features: ENGINE_FEATURES, clock: Date.now });
  await holder.swap(join(folder, 'nan'));
  const slot = emptySlot(holder);
  slot.items.fill(-1);
  t.equal(await codeOf(holder.run(slot, 1)), 'model_unavailable');
  holder.pool.release(slot);
  t.notOk(holder.available);
  t.equal(await codeOf(scoreOnce(holder)), 'model_unavailable');
  t.same(await holder.swap(join(folder, 'good')), { model: 'good@1' });
  t.equal((await scoreOnce(holder)).model, 'good@1');
  await holder.close();
});

await t.test('a shadow scores beside the live model and is dropped when it fails', async (t) => {
  const folder = t.testdir({ live: {}, shadow: {}, nan: {} });
  await writeTestModel(join(folder, 'live'), { name: 'live', offset: 1 });
  await writeTestModel(join(folder, 'shadow'), { name: 'shadow', offset: 2 });
  const golden = [{ name: 'zeros', user: userFeatures.map(() => 0), items: [itemFeatures.map(() => 0)] }];
  await writeTestModel(join(folder, 'nan'), { onnx: nanModel(ENGINE_FEATURES, 0.5), golden });
  const pairs: [number | undefined, number | undefined][] = [];
  const holder = new ModelHolder({
    features: ENGINE_FEATURES, clock: Date.now, onShadow: (live, shadow) => pairs.push([live.scores[0], shadow.scores[0]]),
  });
  await holder.swap(join(folder, 'live'));
  t.same(await holder.shadow(join(folder, 'shadow')), { model: 'shadow@1' });
  t.equal((await scoreOnce(holder)).model, 'live@1');
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  t.same(pairs, [[1, 2]]);

  await holder.shadow(join(folder, 'nan'));
  const slot = emptySlot(holder);
  slot.items.fill(-1);
  t.equal((await holder.run(slot, 1)).model, 'live@1');
  holder.pool.release(slot);
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  t.equal(holder.status.shadow, undefined);
  t.equal(await codeOf(scoreOnce(holder)), 'ok');
  await holder.close();
});

await t.test('a folder is watched: what is put there goes into service, what is broken does not', async (t) => {
  const folder = t.testdir();
  const events: ModelEvent[] = [];
  const holder = new ModelHolder({ features: ENGINE_FEATURES, clock: Date.now, onEvent: (event) => events.push(event) });
  const watcher = new ModelWatcher(holder, { servingFolder: async () => folder, shadowFolder: async () => undefined }, 50);
  t.match(await watcher.start(), { refused: { code: 'model_refused' } }, 'nothing there yet');
  const until = async (done: () => boolean): Promise<void> => {
    for (const giveUpAt = Date.now() + 20_000; !done();) {
      if (Date.now() > giveUpAt) throw new Error('waited too long');
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  };
  await writeTestModel(folder, { name: 'first' });
  await until(() => holder.current?.label === 'first@1');
  await writeTestModel(folder, { name: 'second' });
  await until(() => holder.current?.label === 'second@1');
  await truncate(join(folder, 'model.onnx'), 100);
  await until(() => events.at(-1)?.kind === 'refused');
  t.equal((await scoreOnce(holder)).model, 'second@1', 'goes on with the model it has');
  await writeTestModel(folder, { name: 'third' });
  await until(() => holder.current?.label === 'third@1');
  t.equal(holder.status.refused, undefined);
  await watcher.stop();
  await holder.close();
});

await t.test('the circuit', async (t) => {
  let now = 1000;
  const circuit = new Circuit(() => now, { slowMs: 100, slowRuns: 3, stallMs: 500, coolDownMs: 2000, probeMs: 1000 });
  const run = (elapsedMs: number): void => {
    t.ok(circuit.admit());
    circuit.succeeded(elapsedMs);
  };
  for (const elapsed of [120, 120, 90, 120, 120]) run(elapsed);
  t.equal(circuit.state, 'closed', 'slow runs count only in a row');
  run(120);
  t.equal(circuit.state, 'open');
  now += 1999;
  t.notOk(circuit.admit());
  now += 1;
  t.ok(circuit.admit(), 'one trial');
  t.notOk(circuit.admit(), 'and no more');
  circuit.succeeded(101);
  t.equal(circuit.state, 'open', 'a slow trial is not good enough');
  now += 2000;
  t.ok(circuit.admit());
  circuit.succeeded(100);
  t.equal(circuit.state, 'closed');
  run(501);
  t.equal(circuit.state, 'open', 'a stall opens it at once');
});
