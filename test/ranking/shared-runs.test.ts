import { join } from 'node:path';
import t from 'tap';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import { seededRandom } from '../../src/util/random.js';
import { ENGINE_FEATURES, stallingModel, writeTestModel } from '../helpers/models.js';

const SHIPPED = join(import.meta.dirname, '..', '..', '..', 'models', 'default');
const LIVE = ENGINE_FEATURES.userFeatures.indexOf('scene_live');

/** Scores of shoppers with any features and so many candidates, asked for in one turn. */
async function scoresOf(holder: ModelHolder, counts: readonly number[]): Promise<number[][]> {
  const random = seededRandom(3);
  return Promise.all(counts.map(async (count) => {
    const slot = holder.pool.acquire();
    for (let i = 0; i < slot.user.length; i++) slot.user[i] = random();
    for (let i = 0; i < count * holder.pool.itemWidth; i++) slot.items[i] = random();
    try {
      return [...(await holder.run(slot, count)).scores];
    } finally {
      holder.pool.release(slot);
    }
  }));
}

await t.test('scores of a shared run are those of runs by themselves, to the last bit', async (t) => {
  const [alone, shared] = [false, true].map((batched) => new ModelHolder({ features: ENGINE_FEATURES, batched, clock: () => performance.now() }));
  t.teardown(() => Promise.all([alone!.close(), shared!.close()]));
  for (const holder of [alone!, shared!]) await holder.swap(SHIPPED);
  const counts = Array.from({ length: 30 }, (_, i) => [200, 200, 7, 1][i % 4]!);
  // Runs are shared from the second turn on, when it is known how long one takes.
  await scoresOf(shared!, [200]);
  t.same(await scoresOf(shared!, counts), await scoresOf(alone!, counts));
  t.equal(shared!.pool.used, 0, 'every buffer came back');
});

await t.test('nobody who has asked is left behind by a swap or the end', async (t) => {
  const folder = t.testdir({ a: {}, b: {} });
  for (const [name, offset] of [['a', 1], ['b', 2]] as const) await writeTestModel(join(folder, name), { name, offset });
  const holder = new ModelHolder({ features: ENGINE_FEATURES, batched: true, clock: () => performance.now() });
  await holder.swap(join(folder, 'a'));
  await scoresOf(holder, [3]);
  const swapped = holder.swap(join(folder, 'b'));
  let short = 0;
  while (holder.current?.name === 'a') for (const scores of await scoresOf(holder, [3, 3, 3])) if (scores.length !== 3) short += 1;
  t.equal(short, 0);
  await swapped;
  const last = scoresOf(holder, [2, 2]);
  await holder.close();
  t.equal((await last).length, 2);
});

await t.test('a model that takes long is asked by one after another, so that a stall is paid once', async (t) => {
  const folder = t.testdir();
  await writeTestModel(folder, { onnx: await stallingModel(ENGINE_FEATURES, 300) });
  let time = 0;
  const holder = new ModelHolder({
    // By this clock any run takes 10 ms, a run that stalls no longer than another.
    features: ENGINE_FEATURES, batched: true, clock: () => (time += 10), circuit: { slowMs: 100, slowRuns: 3, stallMs: 5, coolDownMs: 1000, probeMs: 5000 },
  });
  t.teardown(() => holder.close());
  await holder.swap(folder);
  const codes = await Promise.all(Array.from({ length: 5 }, async () => {
    const slot = holder.pool.acquire();
    slot.user.fill(0);
    slot.user[LIVE] = 1;
    slot.items.fill(0);
    try {
      await holder.run(slot, 2);
      return 'scored';
    } catch {
      return 'called off';
    } finally {
      holder.pool.release(slot);
    }
  }));
  t.same(codes, ['scored', 'called off', 'called off', 'called off', 'called off']);
});
