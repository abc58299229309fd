import { join } from 'node:path';
import t from 'tap';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { archiveTask } from '../../src/learn/models/archive-task.js';
import { DEED } from '../../src/learn/ranker/lists.js';
import { archiveTraffic } from '../helpers/impressions.js';

const T0 = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

await t.test('an archive becomes a task whose questions come after all that is known', async (t) => {
  const dir = t.testdir();
  await archiveTraffic(dir, { from: T0, hours: 20, listsPerHour: 30, shoppers: 40, items: 50 });
  const writer = new ArchiveWriter(dir, 'catalog', () => T0);
  await writer.append('catalog', [
    JSON.stringify({ entry: `${T0}-0`, snapshot: { sequence: 1, items: [{ id: 'i1', title: 'One', category: ['a'], brand: 'b' }], done: false } }),
    JSON.stringify({ entry: `${T0}-0`, snapshot: { sequence: 1, items: [], done: true } }),
    JSON.stringify({ entry: `${T0 + 1}-0`, change: { sequence: 2, op: 'put', what: 'items', data: ['i1', JSON.stringify({ id: 'i1', title: 'One', category: ['c'] })] } }),
  ]);
  await writer.close();
  const until = T0 + 15 * HOUR_MS;
  const { items, interactions, fits, validation, test } = await archiveTask(dir, until);
  t.same(items[interactions.itemIds.indexOf('i1')], { id: 'i1', title: 'One', category: ['c'] }, 'as the catalog last had it');
  t.match(items[interactions.itemIds.indexOf('i2')], { category: ['all'] });
  t.equal(interactions.offsets.at(-1), interactions.item.length);
  t.ok(interactions.at.every((at) => at < until + HOUR_MS / 60));
  t.same([...test.known], [...interactions.offsets.subarray(1)].map((end, s) => end - interactions.offsets[s]!), 'what serves may know all');
  t.equal(test.questions.length, 0);
  for (const [name, { known, questions }] of Object.entries({ fit: fits[0]!, validation })) {
    t.ok(questions.length > 20, `${name}: ${questions.length} questions`);
    const latestKnown = Math.max(...Array.from(known, (count, s) => (count === 0 ? 0 : interactions.at[interactions.offsets[s]! + count - 1]!)));
    t.ok(questions.every(({ at }) => at >= latestKnown), 'nothing known is later than what is asked');
    t.ok(questions.every(({ shopper, history, wanted }) => history >= known[shopper]! && interactions.item[interactions.offsets[shopper]! + history] === wanted[0]));
  }
});

await t.test('a question says the most that was then done with what was taken', async (t) => {
  const dir = t.testdir();
  const writer = new ArchiveWriter(dir, 'events', () => T0);
  const lines: string[] = [];
  for (let shopper = 0; shopper < 30; shopper++) {
    ['view_item', 'view_item', 'view_item', 'add_to_cart', 'purchase'].forEach((type, i) => {
      const at = T0 + shopper * HOUR_MS + i * 60_000;
      // The third item is put into the cart, and by every other shopper bought.
      const itemId = i < 2 || (type === 'purchase' && shopper % 2 === 1) ? `i${i}` : 'i2';
      lines.push(JSON.stringify({ entry: `${at}-${shopper}`, event: { id: `${shopper}-${i}`, shopper: `u:${shopper}`, type, itemId, at } }));
    });
  }
  await writer.append('events', lines);
  await writer.close();
  const { fits: [fit], validation, interactions } = await archiveTask(dir, Infinity);
  const all = [...fit!.questions, ...validation.questions];
  const deedsOf = (itemId: string): number[] =>
    [...new Set(all.filter(({ wanted }) => interactions.itemIds[wanted[0]!] === itemId).map(({ deed = DEED.none }) => deed))].toSorted((a, b) => a - b);
  t.same([deedsOf('i1'), deedsOf('i2'), deedsOf('i4')], [[DEED.clicked], [DEED.carted, DEED.bought], [DEED.bought]]);
});

await t.test('an archive without anything to ask is said to be so', async (t) => {
  const dir = t.testdir();
  await t.rejects(archiveTask(join(dir, 'none'), T0), { code: 'invalid_request', message: /nothing to learn from/u });
  await archiveTraffic(dir, { from: T0, hours: 3, listsPerHour: 5, shoppers: 1, items: 1, otherEvents: 20 });
  await t.rejects(archiveTask(dir, T0 + 9 * HOUR_MS), { code: 'invalid_request', message: /nothing to learn from/u });
});
