import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { EVENT_TYPE_INDEX } from '../../src/domain/event.js';
import type { Item } from '../../src/domain/item.js';
import { trainModel } from '../../src/learn/pipeline.js';
import type { Question, Split, Task } from '../../src/learn/task.js';
import { loadModel } from '../../src/ranking/model.js';
import { seededRandom } from '../../src/util/random.js';
import { ENGINE_FEATURES } from '../helpers/models.js';

const MINUTE_MS = 60_000;
const EVENTS = 12;
const ITEMS = 20;

/** Shoppers walk along a ring of items, now and then with a leap: what is next is known by what was last. */
function ringTask(shoppers: number): Task {
  const random = seededRandom(3);
  const item = new Uint32Array(shoppers * EVENTS);
  const at = new Float64Array(item.length);
  for (let s = 0; s < shoppers; s++) {
    let here = Math.floor(random() * ITEMS);
    for (let i = 0; i < EVENTS; i++) {
      item[s * EVENTS + i] = here;
      at[s * EVENTS + i] = Date.UTC(2026, 0, 1) + (s * EVENTS + i) * MINUTE_MS;
      here = (here + (random() < 0.8 ? 1 : 7)) % ITEMS;
    }
  }
  const items = Array.from({ length: ITEMS }, (_, i): Item => ({ id: `item-${i}`, title: `Item ${i}`, category: ['all', `part-${i % 4}`] }));
  const split = (known: number, history: number): Split => ({
    known: new Uint32Array(shoppers).fill(known),
    questions: Array.from({ length: shoppers }, (_, shopper): Question => ({
      shopper, history, at: at[shopper * EVENTS + history]!, wanted: [item[shopper * EVENTS + history]!],
    })),
  });
  return {
    name: 'ring', protocol: 'leave-one-out', items, excludeHistory: false,
    interactions: {
      itemIds: items.map(({ id }) => id), shoppers, offsets: Uint32Array.from({ length: shoppers + 1 }, (_, s) => s * EVENTS), item, at,
      type: new Uint8Array(item.length).fill(EVENT_TYPE_INDEX.get('view_item')!),
    },
    fits: [split(EVENTS - 3, EVENTS - 3)], validation: split(EVENTS - 2, EVENTS - 2), test: split(EVENTS - 2, EVENTS - 1),
  };
}

const clock = (): number => Date.UTC(2026, 1, 1);

await t.test('the same task and seed give the same model, and the engine takes it', async (t) => {
  const folder = t.testdir();
  const task = ringTask(24);
  const first = await trainModel(task, { out: join(folder, 'a'), seed: 5, clock });
  const second = await trainModel(task, { out: join(folder, 'b'), seed: 5, clock });
  for (const file of ['model.onnx', 'manifest.json', 'golden.json']) {
    t.same(await readFile(join(folder, 'a', file)), await readFile(join(folder, 'b', file)), file);
  }
  t.same(first.manifest, second.manifest);
  const { validation } = first.manifest.metrics as { validation: { ndcg10: number } };
  t.ok(validation.ndcg10 > 0.7, `validation NDCG@10 ${validation.ndcg10}`);
  const model = await loadModel(first.folder, ENGINE_FEATURES);
  await model.retire();

});

await t.test('one shopper is little to learn from, but something', async (t) => {
  const { folder } = await trainModel(ringTask(1), { out: join(t.testdir(), 'one'), seed: 5, clock });
  const model = await loadModel(folder, ENGINE_FEATURES);
  t.same(model.manifest.data['fit'], { questions: 1, lists: 1, candidateRecall: 1 });
  await model.retire();
});
