import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { launchChromium, skipWithoutChromium } from '../helpers/chromium.js';
import { attributes, sequences } from '../helpers/data-sets.js';
import { evaluate } from '../../src/learn/evaluate/evaluation.js';
import { htmlReport } from '../../src/learn/evaluate/report-html.js';
import type { EvaluationReport } from '../../src/learn/evaluate/report.js';

const brightness = (color: string): number => color.match(/[\d.]+/gu)!.slice(0, 3).reduce((sum, part) => sum + Number(part), 0);

let first: EvaluationReport | undefined;

await t.test('the command writes JSON and a page, and says what is wrong', async (t) => {
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
  const again = await evaluate({
    dataset: join(folder, 'data'), seed: 3, refit: false, onProgress: () => { /* nobody looks */ }, onSkipped: () => { /* one */ },
  });
  t.same([report.metrics, report.baselines, report.sources], [again.metrics, again.baselines, again.sources], 'the same seed, the same figures');
  first = again;
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
