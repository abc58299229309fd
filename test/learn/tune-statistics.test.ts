import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { DEFAULT_STATISTICS } from '../../src/candidates/statistics-settings.js';
import { EVENT_TYPES } from '../../src/domain/event.js';
import { readTask } from '../../src/learn/evaluate/datasets/read-task.js';
import { NeighborAnswers } from '../../src/learn/statistics/neighbor-answers.js';
import { countInteractions, tuneStatistics } from '../../src/learn/statistics/tune-statistics.js';
import type { Question, Task } from '../../src/learn/task.js';
import { seededRandom } from '../../src/util/random.js';

const ITEMS = 500;
const EVENTS_EACH = 12;

/** Shoppers who go round a ring of items, and come back to one of their last three as often as told. */
function ringTask(comeBack: number): Task {
  const random = seededRandom(9);
  const shoppers = 300;
  const item = new Uint32Array(shoppers * EVENTS_EACH);
  for (let shopper = 0; shopper < shoppers; shopper++) {
    let place = Math.floor(random() * ITEMS);
    for (let i = 0; i < EVENTS_EACH; i++) {
      const event = shopper * EVENTS_EACH + i;
      if (i >= 4 && random() < comeBack) item[event] = item[event - 2 - Math.floor(random() * 2)]!;
      else item[event] = place = (place + 1 + Math.floor(random() * 2)) % ITEMS;
    }
  }
  // The first half is counted, the other asked.
  const known = Uint32Array.from({ length: shoppers }, (_, shopper) => (shopper < shoppers / 2 ? EVENTS_EACH : 0));
  const questions: Question[] = Array.from({ length: shoppers / 2 }, (_, i) => {
    const shopper = shoppers / 2 + i;
    return { shopper, history: EVENTS_EACH - 1, at: 1e12, wanted: [item[(shopper + 1) * EVENTS_EACH - 1]!] };
  });
  const split = { known, questions };
  return {
    name: 'ring', protocol: 'leave-one-out', excludeHistory: false, fits: [split], validation: split, test: split,
    items: Array.from({ length: ITEMS }, (_, i) => ({ id: `i${i}`, title: `i${i}`, category: ['all'] })),
    interactions: {
      itemIds: Array.from({ length: ITEMS }, (_, i) => `i${i}`), shoppers, item,
      offsets: Uint32Array.from({ length: shoppers + 1 }, (_, shopper) => shopper * EVENTS_EACH),
      at: Float64Array.from(item, (_, event) => 1e12 + event * 60_000),
      type: new Uint8Array(item.length).fill(EVENT_TYPES.indexOf('view_item')),
    },
  };
}

await t.test('settings are found by what the data says, the same for the same seed', async (t) => {
  const loyal = ringTask(0.6);
  const steps: number[] = [];
  const settings = tuneStatistics(loyal, loyal.validation, { onProgress: (done, total) => steps.push(done / total) });
  t.equal(steps.at(-1), 1);
  t.ok(settings.again > 0, 'where shoppers come back, recent items propose themselves');
  t.same(tuneStatistics(loyal, loyal.validation), settings);
  const answers = new NeighborAnswers(loyal, loyal.test.questions);
  const quality = (by: typeof settings): number => answers.quality(countInteractions(loyal.interactions, loyal.test.known, by), by);
  t.ok(quality(settings) > quality(DEFAULT_STATISTICS));
  const restless = ringTask(0);
  t.equal(tuneStatistics(restless, restless.validation).again, 0);
});

await t.test('without questions the defaults stay', async (t) => {
  const task = ringTask(0);
  t.equal(tuneStatistics(task, { known: task.test.known, questions: [] }), DEFAULT_STATISTICS);
});

await t.test('unknown items and histories are no answers, equal scores share their rank', async (t) => {
  const task = ringTask(0);
  const nothing = countInteractions(task.interactions, new Uint32Array(300), DEFAULT_STATISTICS);
  t.equal(new NeighborAnswers(task, task.test.questions).quality(nothing, DEFAULT_STATISTICS), 0);
});

const data = resolve(import.meta.dirname, '../../..', process.env['RIVULET_DATA'] ?? '../shared/data', 'amazon-beauty');
await t.test('on amazon-beauty neighbours alone do as well as they were measured to', { skip: existsSync(data) ? false : 'the data set is not here' }, async (t) => {
  const task = await readTask(data);
  const counts = countInteractions(task.interactions, task.test.known, DEFAULT_STATISTICS);
  const quality = new NeighborAnswers(task, task.test.questions).quality(counts, DEFAULT_STATISTICS);
  t.ok(quality > 0.11, `NDCG@20 and a quarter of recall@100: ${quality.toFixed(4)}`);
});
