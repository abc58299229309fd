import { gzipSync } from 'node:zlib';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { readTask } from '../../src/learn/evaluate/datasets/read-task.js';
import { stepsOf } from '../../src/learn/split-steps.js';
import type { Split, Task } from '../../src/learn/task.js';

const DAY_S = 86_400;

/** Ids in place of indexes, so that a test can be read. */
function asked(task: Task, split: Split): unknown[] {
  const { itemIds, offsets, item } = task.interactions;
  return split.questions.map(({ shopper, history, wanted }) => [
    [...item.subarray(offsets[shopper]!, offsets[shopper]! + history)].map((one) => itemIds[one]).join(' '),
    wanted.map((one) => itemIds[one]).join(' '),
  ]);
}

const events = (rows: readonly string[]): string => ['user_id,position,item_id,unix_time', ...rows].join('\n');
const invoices = (rows: readonly string[]): string => ['InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country', ...rows].join('\n');

await t.test('sequences: leave-one-out, by position whatever the order of the lines', async (t) => {
  const folder = t.testdir({
    'events.csv': events(['a,3,w,200', 'a,0,x,100', 'b,0,x,50', 'a,1,y,100', 'a,2,z,100', 'b,1,w,60', 'c,0,z,70']),
    'item_attributes.csv': 'item_id,attribute_ids\nx,red small red\nv,blue\n',
  });
  const task = await readTask(folder);
  t.equal(task.protocol, 'leave-one-out');
  t.equal(task.excludeHistory, true);
  t.same(task.items.map(({ id }) => id).toSorted(), ['v', 'w', 'x', 'y', 'z'], 'also what nobody has met');
  t.same(task.items.find(({ id }) => id === 'x')!.tags, ['red', 'small']);
  t.same(asked(task, task.fits[0]!), [['x', 'y']]);
  t.same(asked(task, task.validation), [['x y', 'z']]);
  t.same(asked(task, task.test), [['x y z', 'w'], ['x', 'w']]);
  t.same([...task.fits[0]!.known], [1, 0, 0]);
  t.same([...task.test.known], [2, 0, 0], 'strict: the validation event is not known');
  t.same([...task.interactions.at.subarray(0, 4)], [100_000, 101_000, 102_000, 200_000], 'ties are nudged');
});

await t.test('sessions and prefixes: next click, prefixes of one session are one shopper', async (t) => {
  const sessions = Array.from({ length: 40 }, (_, i) => `s${i},a b${i % 3}`);
  const folder = t.testdir({});
  await writeFile(join(folder, 'train_sessions.csv.gz'), gzipSync(`session_id,item_ids\n${sessions.join('\n')}\n`));
  await writeFile(join(folder, 'test_prefixes.csv.gz'), gzipSync('prefix_id,item_ids,target_item_id\nt0,a b1 a,new\nt1,a b1,a\nt2,a,b1\nt3,b2,a\n'));
  const task = await readTask(folder);
  t.equal(task.protocol, 'next-click');
  t.equal(task.interactions.shoppers, 42);
  t.same(asked(task, task.test), [['a b1 a', 'new'], ['a b1', 'a'], ['a', 'b1'], ['b2', 'a']]);
  t.equal(task.test.known.reduce((sum, count) => sum + count, 0), 80, 'all training sessions, no prefix');
  t.same(asked(task, task.validation), [['a', 'b2'], ['a', 'b0']], 'of the latest sessions');
  const [fit] = task.fits;
  t.equal(fit!.questions.length, 4);
  t.ok(fit!.questions.every(({ shopper }) => fit!.known[shopper] === 0));
  t.ok(fit!.questions.every(({ at }) => at < task.test.questions[0]!.at));
});

await t.test('invoices: next basket by months, clean lines only', async (t) => {
  const line = (invoice: string, code: string, date: string, customer: string, quantity = '2', price = '1.5'): string =>
    `${invoice},${code},"BOX, ${code === 'A' ? 'RED' : 'TIN'}",${quantity},${date} 10:00:00,${price},${customer},Malta`;
  const folder = t.testdir({
    'transactions.csv': invoices([
      line('1', 'A', '2020-01-15', '7.0'), line('1', 'B', '2020-01-15', '7.0'),
      line('2', 'A', '2020-03-05', '7.0'), line('3', 'A', '2020-04-05', '8.0'),
      line('4', 'B', '2020-05-20', '7.0'), line('4', 'C', '2020-05-20', '7.0'), line('4', 'C', '2020-05-20', '7.0'), line('5', 'D', '2020-05-21', '7.0'),
      line('C6', 'A', '2020-05-22', '7.0', '-2'), line('7', 'E', '2020-05-22', ''), line('8', 'E', '2020-05-22', '7.0', '2', '0'),
      line('9', 'B', '2020-06-02', '9.0'),
    ]),
  });
  const task = await readTask(folder);
  t.equal(task.protocol, 'next-basket');
  t.same(task.items.map(({ id }) => id).toSorted(), ['A', 'B', 'C', 'D']);
  t.same(task.items.find(({ id }) => id === 'A')!.category, ['all', 'red']);
  t.same(task.fits.map((fit) => asked(task, fit)), [[['A B', 'A']]], 'March: before February there is no whole month');
  t.same(asked(task, task.validation), [['', 'A']], 'April: a new customer is asked too');
  t.same(asked(task, task.test), [['A B A', 'B C'], ['', 'B']], 'May, the last whole month, and what follows');
  t.same(task.test.questions[0]!.fresh!.map((item) => task.interactions.itemIds[item]), ['C']);
  t.same([...task.test.known], [3, 1, 0]);
  const steps = stepsOf(task, task.test);
  t.same(steps.flatMap(({ questions }) => questions), task.test.questions);
  t.same(steps.map(({ known }) => [...known]), [[3, 1, 0], [7, 1, 0]], 'statistics go on: what was bought in May is known in June');
  t.same(stepsOf({ ...task, protocol: 'leave-one-out' }, task.test), [task.test], 'but not where the protocol is strict');
});

await t.test('a short span is cut by its parts', async (t) => {
  const rows = Array.from({ length: 21 }, (_, day) => `${day},I${day % 4},X,1,2020-02-${String(day + 1).padStart(2, '0')} 08:00:00,1,${day % 2},Malta`);
  const task = await readTask(t.testdir({ 'transactions.csv': invoices(rows) }));
  t.same([...task.fits, task.validation, task.test].map(({ questions }) => questions.length), [2, 2, 2]);
});

await t.test('corrupt lines are skipped and told; a file of them is refused', async (t) => {
  const good = Array.from({ length: 40 }, (_, i) => `u${i >> 2},${i % 4},i${i % 7},${i * DAY_S}`);
  const bad = ['u1,x,i1,5', 'u1,2', 'u1,1,,5', 'u1,1,i1,NaN', '"u1,1,i1,5', '\u0000\u0001\u0002'];
  const skipped: string[] = [];
  const onSkipped = (file: string, line: number, why: string): void => { skipped.push(`${file}:${line} ${why}`); };
  const task = await readTask(t.testdir({ 'events.csv': `${events([...good.slice(0, 20), ...bad, ...good.slice(20)])}\r\n` }), { onSkipped });
  t.equal(task.interactions.item.length, 40);
  t.same(skipped, [
    'events.csv:22 position is no whole number', 'events.csv:23 not 4 fields', 'events.csv:24 item_id is empty',
    'events.csv:25 unix_time is no time', 'events.csv:26 not 4 fields', 'events.csv:27 not 4 fields',
  ]);
  const worse = t.testdir({ 'events.csv': events([...good, ...Array.from({ length: 20 }, () => 'oops')]) });
  await t.rejects(readTask(worse), { code: 'invalid_request', message: /20 of 61 lines are corrupt/u });
});

await t.test('a file that is cut short is refused', async (t) => {
  const folder = t.testdir({});
  const random = Array.from({ length: 5000 }, (_, i) => `u${i},0,i${Math.imul(i, 2654435761) >>> 0},5`);
  await writeFile(join(folder, 'events.csv.gz'), gzipSync(events(random)).subarray(0, 9000));
  await t.rejects(readTask(folder), { code: 'invalid_request', message: /events\.csv\.gz cannot be read to its end/u });
});

await t.test('nothing to learn, nothing to ask, one user, one item', async (t) => {
  await t.rejects(readTask(t.testdir({ 'events.csv': events([]) })), { code: 'invalid_request', message: /no events/u });
  await t.rejects(readTask(t.testdir({ 'events.csv': events(['a,0,x,1', 'b,0,x,1']) })), { code: 'invalid_request', message: /nothing to ask/u });
  const user = await readTask(t.testdir({ 'events.csv': events(['a,0,x,1', 'a,1,y,2', 'a,2,z,3', 'a,3,w,4']) }));
  t.equal(user.test.questions.length, 1);
  const item = await readTask(t.testdir({ 'events.csv': events(['a,0,x,1', 'a,1,x,2', 'b,0,x,1', 'b,1,x,1']) }));
  t.same([item.items.length, item.test.questions.length], [1, 2]);
});

await t.test('another folder is refused with what was expected', async (t) => {
  await t.rejects(readTask(t.testdir({ 'x.csv': 'a,b\n1,2\n' })), { code: 'invalid_request', message: /user_id,position.*Found: x\.csv \(a,b\)/u });
  await t.rejects(readTask(t.testdir({ 'train_sessions.csv': 'session_id,item_ids\ns,a b\n' })), { code: 'invalid_request', message: /prefix_id/u });
  await t.rejects(readTask(join(t.testdir({}), 'absent')), { code: 'invalid_request', message: /cannot be read as a folder/u });
});
