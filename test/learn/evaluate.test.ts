import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { skipWithoutChromium, launchChromium } from '../helpers/chromium.js';
import { evaluate } from '../../src/learn/evaluate/evaluation.js';
import { htmlReport } from '../../src/learn/evaluate/report-html.js';
import { headlines, textTable, type EvaluationReport } from '../../src/learn/evaluate/report.js';
import { seededRandom } from '../../src/util/random.js';

const DAY_S = 86_400;
const SHOPPERS = 40;
const ITEMS = 14;
const PATTERN = [0, 1, 2, 3, 4, 5];

/** Shoppers who walk round the catalog: what comes next is the next item, nearly always. */
const walk = (shopper: number): number[] => {
  const random = seededRandom(shopper + 1);
  const start = Math.floor(random() * ITEMS);
  return PATTERN.map((step) => (random() < 0.1 ? Math.floor(random() * ITEMS) : (start + step) % ITEMS));
};
const lines = (header: string, rows: readonly string[]): string => `${[header, ...rows].join('\n')}\n`;
const everyone = Array.from({ length: SHOPPERS }, (_, shopper) => shopper);

const sequences = lines('user_id,position,item_id,unix_time', everyone.flatMap((shopper) =>
  walk(shopper).map((item, place) => `u${shopper},${place},i${item},${1.5e9 + shopper * 600 + place * DAY_S}`)));
const attributes = lines('item_id,attribute_ids', Array.from({ length: ITEMS }, (_, item) => `i${item},a${item % 4} a${item % 7 + 10}`));
const sessions = lines('session_id,item_ids', Array.from({ length: 4 * SHOPPERS }, (_, session) => `s${session},${walk(session).map((item) => `i${item}`).join(' ')}`));
const prefixes = lines('prefix_id,item_ids,target_item_id', everyone.map((session) => {
  const items = walk(1000 + session).map((item) => `i${item}`);
  return `t${session},${items.slice(0, -1).join(' ')},${items.at(-1)}`;
}));
const invoices = lines('InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country', everyone.flatMap((customer) =>
  walk(customer).flatMap((item, month) => [item, (item + 1) % ITEMS].map((code) =>
    `${customer}-${month},C${code},"BOX, ${code}",2,2021-${String(month + 1).padStart(2, '0')}-${String(1 + customer % 28).padStart(2, '0')} 10:00:00,1.5,${customer},Malta`))));

const quiet = { seed: 3, refit: false, onProgress: () => { /* nobody looks */ }, onSkipped: () => { /* none */ } };

function checkReport(test: Test, report: EvaluationReport, names: readonly string[]): void {
  for (const [method, { metrics, intervals }] of Object.entries(report.methods)) {
    for (const name of names) {
      const [low, high] = intervals[name]!;
      const value = metrics[name]!;
      test.ok(value >= 0 && value <= 1 && low <= value + 1e-6 && value <= high + 1e-6, `${method}: ${name} ${low} ≤ ${value} ≤ ${high}`);
    }
  }
  test.same(report.metrics, report.methods['served']!.metrics);
  test.ok(['popularity', 'recency', 'co-occurrence', 'BPR'].every((name) => name in report.baselines));
  test.ok(report.sources['union']!['recall@500']! >= report.sources['union']!['recall@50']!);
  test.ok(report.trainSeconds > 0 && report.seconds >= report.trainSeconds && report.peakRssBytes > 2 ** 20);
  test.ok(headlines(report).length >= 2);
  test.match(textTable(report), /^method .*\nserved .*\nwithout exploration /u);
}

const brightness = (color: string): number => color.match(/[\d.]+/gu)!.slice(0, 3).reduce((sum, part) => sum + Number(part), 0);

let first: EvaluationReport | undefined;

await t.test('leave-one-out, strict and refit', async (t) => {
  const folder = t.testdir({ 'events.csv': sequences, 'item_attributes.csv': attributes });
  const report = await evaluate({ ...quiet, dataset: folder, refit: true });
  checkReport(t, report, ['HR@10', 'NDCG@10']);
  t.equal(report.protocol, 'leave-one-out');
  t.ok(report.metrics['NDCG@10']! > report.baselines['popularity']!['NDCG@10']!, 'it learnt what comes next');
  t.ok(Object.keys(report.methods).some((name) => name.startsWith('refit')));
  first = report;
});

await t.test('next click', async (t) => {
  const report = await evaluate({ ...quiet, dataset: t.testdir({ 'train_sessions.csv': sessions, 'test_prefixes.csv': prefixes }) });
  checkReport(t, report, ['P@20', 'MRR@20']);
  t.ok('personal frequency' in report.baselines);
  t.ok(report.metrics['MRR@20']! > report.baselines['popularity']!['MRR@20']!);
});

await t.test('next basket, over all and over never bought', async (t) => {
  const report = await evaluate({ ...quiet, dataset: t.testdir({ 'transactions.csv': invoices }) });
  checkReport(t, report, ['NDCG@20', 'recall@20', 'NDCG@20 never bought', 'NDCG@20 among never bought']);
  t.ok(report.metrics['NDCG@20 among never bought']! >= report.metrics['NDCG@20 never bought']!);
});

await t.test('where there is nothing to learn a message says so', async (t) => {
  const oneItem = lines('user_id,position,item_id,unix_time', everyone.flatMap((shopper) => [0, 1, 2, 3].map((place) => `u${shopper},${place},x,${1.5e9 + place}`)));
  const oneShopper = lines('user_id,position,item_id,unix_time', [0, 1, 2, 3, 4].map((place) => `u,${place},i${place},${1.5e9 + place}`));
  for (const events of [oneItem, oneShopper]) {
    await t.rejects(evaluate({ ...quiet, dataset: t.testdir({ 'events.csv': events }) }), { name: 'AppError', message: /nothing to learn/u });
  }
});

await t.test('the command writes JSON and a page, and says what is wrong', (t) => {
  const program = join(import.meta.dirname, '..', '..', 'src', 'learn', 'evaluate', 'evaluate.js');
  const run = (...args: string[]): ReturnType<typeof spawnSync> => spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  const folder = t.testdir({ data: { 'events.csv': `${sequences}u3,one,i1,5\n`, 'item_attributes.csv': attributes } });
  const json = join(folder, 'report.json');
  const html = join(folder, 'report.html');
  const good = run('--dataset', join(folder, 'data'), '--json', json, '--html', html, '--seed', '3');
  t.equal(good.status, 0, String(good.stderr));
  t.match(String(good.stderr), /events\.csv:\d+ skipped: position is no whole number/u);
  t.match(String(good.stdout), /^served +\.\d{4} ±/mu);
  const report = JSON.parse(readFileSync(json, 'utf8')) as EvaluationReport;
  t.match(report, { protocol: 'leave-one-out', data: { skippedLines: 1 }, metrics: { 'HR@10': Number, 'NDCG@10': Number }, trainSeconds: Number, peakRssBytes: Number });
  t.same([report.metrics, report.baselines, report.sources], [first!.metrics, first!.baselines, first!.sources], 'the same seed, the same figures');
  t.match(readFileSync(html, 'utf8'), /<svg/u);

  const bad: [RegExp, string[]][] = [
    [/Say which data set/u, ['--json', json]],
    [/--seed is a whole number/u, ['--dataset', folder, '--json', json, '--seed', 'x']],
    [/is not a data set that is known/u, ['--dataset', folder, '--json', json]],
    [/Unknown option/u, ['--verbose']],
  ];
  for (const [message, args] of bad) {
    const { status, stderr } = run(...args);
    t.equal(status, 1);
    t.match(String(stderr), message);
    t.notMatch(String(stderr), /^\s+at /mu, 'no stack for a wrong option');
  }
  t.end();
});

await t.test('the page shows its charts, light and dark, and asks nobody for anything', { skip: skipWithoutChromium() }, async (t) => {
  const browser = await launchChromium();
  t.teardown(() => browser.close());
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 800 } });
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.setContent(htmlReport(first!));
    t.same(requests, []);
    t.ok(await page.locator('svg').count() >= 6);
    t.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, 'nothing hangs over');
    const cut = await page.evaluate(`[...document.querySelectorAll('svg text')].filter((text) => {
      const { x, right } = text.getBoundingClientRect(); const box = text.ownerSVGElement.getBoundingClientRect();
      return x < box.x - 1 || right > box.right + 1;
    }).length`);
    t.equal(cut, 0, 'no text is cut');
    const [back, text] = await page.evaluate('[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]') as [string, string];
    t.ok(brightness(back) > brightness(text) === (colorScheme === 'light'), `${text} on ${back}`);
  }
});
