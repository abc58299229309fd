import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { EventInput } from '../../src/domain/event.js';
import { openLog, type Log } from '../../src/replay/log.js';

const TABLE = `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
100001,X1,PAPER LANTERN,4,2011-03-01 09:30:00,2.15,77.0,Norway
100001,X2," TIN BOX, ROUND ",1,2011-03-01 09:30:00,0.35,77.0,Norway
100002,X1,PAPER LANTERN,10,2011-03-01 10:00:00,1.95,,Norway
100003,X3,check,-5,2011-03-01 10:01:00,0.0,,Norway
100004,X3,GIFT BAG,3,2011-03-01 10:02:00,0.0,78.0,Norway
C100005,X1,PAPER LANTERN,-2,2011-03-02 11:00:00,2.15,77.0,Norway
C100006,X2,"TIN BOX, ROUND",-2,2011-03-02 11:00:00,0.35,,Norway
100007,X1,PAPER LANTERN BLUE,1,2011-03-03 12:00:00,2.5,79.0,Malta
`;

const EVENTS: EventInput[] = [
  { id: '100001-1', type: 'purchase', userId: '77', itemId: 'X1', timestamp: '2011-03-01T09:30:00Z', value: 8.6, currency: 'GBP', quantity: 4, context: { region: 'Norway' } },
  { id: '100001-2', type: 'purchase', userId: '77', itemId: 'X2', timestamp: '2011-03-01T09:30:00Z', value: 0.35, currency: 'GBP', quantity: 1, context: { region: 'Norway' } },
  { id: 'C100005-6', type: 'refund', userId: '77', itemId: 'X1', timestamp: '2011-03-02T11:00:00Z', value: 4.3, currency: 'GBP', quantity: 2, context: { region: 'Norway' } },
  { id: '100007-8', type: 'purchase', userId: '79', itemId: 'X1', timestamp: '2011-03-03T12:00:00Z', value: 2.5, currency: 'GBP', quantity: 1, context: { region: 'Malta' } },
];

async function eventsOf(log: Log): Promise<{ events: EventInput[]; bytes: number; skipped: number[] }> {
  const events: EventInput[] = [];
  const skipped: number[] = [];
  let bytes = 0;
  for await (const event of log.events({ onBytes: (count) => { bytes += count; }, onSkipped: (line) => skipped.push(line) })) events.push(event);
  return { events, bytes, skipped };
}

await t.test('online-retail: sales and cancellations of known customers', async (t) => {
  for (const [name, content] of [['transactions.csv', TABLE], ['transactions.csv.gz', gzipSync(TABLE)]] as const) {
    const folder = t.testdir({});
    await writeFile(join(folder, name), content);
    const log = await openLog(folder);
    t.same(await log.items(), [
      { id: 'X1', title: 'PAPER LANTERN BLUE', category: ['gifts', 'blue'], price: 2.5, currency: 'GBP', kind: 'product' },
      { id: 'X2', title: 'TIN BOX, ROUND', category: ['gifts', 'round'], price: 0.35, currency: 'GBP', kind: 'product' },
    ], 'with title and price of their last sale');
    const { events, bytes } = await eventsOf(log);
    t.same(events, EVENTS);
    t.equal(bytes, log.bytes, 'progress ends at the whole');
  }
});

await t.test('another table is refused by its header', async (t) => {
  const folder = t.testdir({ 'x.csv': 'a,b\n1,2\n' });
  const log = await openLog(join(folder, 'x.csv'));
  await t.rejects(log.items(), { code: 'invalid_request', message: /no column InvoiceNo/u });
});

await t.test('NDJSON: one event a line, plain or zipped, files of a folder in order', async (t) => {
  const line = (id: string): string => `{"id":"${id}","type":"view_item","userId":"ü"}`;
  const folder = t.testdir({});
  await writeFile(join(folder, 'b.ndjson'), line('3'));
  await writeFile(join(folder, 'a.jsonl.gz'), gzipSync(`${line('1')}\r\n\nno event\n[1]\n${line('2')}\n`));
  const log = await openLog(folder);
  const { events, bytes, skipped } = await eventsOf(log);
  t.same(events.map(({ id, userId }) => [id, userId]), [['1', 'ü'], ['2', 'ü'], ['3', 'ü']]);
  t.same(skipped, [3, 4]);
  t.equal(bytes, log.bytes);
  t.same(await log.items(), []);
});

await t.test('a line without end does not fill the memory', async (t) => {
  const folder = t.testdir({});
  await writeFile(join(folder, 'a.ndjson'), `${'x'.repeat(5_000_000)}\n{"id":"1","type":"search","userId":"u"}\n`);
  const { events, skipped } = await eventsOf(await openLog(join(folder, 'a.ndjson')));
  t.equal(events.length, 1);
  t.same(skipped, [1]);
});

await t.test('what is no log is refused with what was expected', async (t) => {
  const folder = t.testdir({ 'notes.txt': 'x' });
  await t.rejects(openLog(folder), { code: 'invalid_request', message: /\.ndjson/u });
  await t.rejects(openLog(join(folder, 'absent.csv')), { code: 'invalid_request', message: /cannot be read/u });
});
