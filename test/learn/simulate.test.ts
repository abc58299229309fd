import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { compare, MODEL } from '../../src/learn/simulate/compare.js';
import { estimate, quantile95 } from '../../src/learn/simulate/intervals.js';
import { liftOf, logitOfNone } from '../../src/learn/simulate/law.js';
import { MARGIN_MINOR } from '../../src/learn/simulate/offers.js';
import { playHistory, playWindow } from '../../src/learn/simulate/play.js';
import { everybody, nobody, oracle, RULES } from '../../src/learn/simulate/policies.js';
import { simulationHtml, simulationTable } from '../../src/learn/simulate/report.js';
import { makeSimulatedStore } from '../../src/learn/simulate/store.js';

const standing = { cartLines: 0, daysSinceOrder: Infinity, orderMinor: 6000 };

await t.test('Student\'s quantiles are those of the tables', async (t) => {
  for (const [degrees, value] of [[1, 12.706], [2, 4.303], [3, 3.182], [5, 2.571], [9, 2.262], [30, 2.042]] as const) {
    t.ok(Math.abs(quantile95(degrees) - value) < 0.005 * value, `${degrees}: ${quantile95(degrees)}`);
  }
  t.same(estimate([1, 1, 1]), { mean: 1, low: 1, high: 1 });
  t.equal(estimate([1]).high, Infinity);
});

await t.test('one store: the law, and what policies make of it', async (t) => {
  const store = makeSimulatedStore({ seed: 5, shoppers: 160, days: 10, claimsPerVisit: 0.02 });
  const { law, offers } = store;
  const [first] = offers;
  const disposition = (sensitivity: number): (typeof law.dispositions)[number] => ({ base: -2, sensitivity, orderMinor: 6000 });

  await t.test('some are persuaded and some put off, and a threshold that is far away moves nobody', async (t) => {
    t.ok(liftOf(law, disposition(0.8), first!, 1, standing, false) > 0);
    t.ok(liftOf(law, disposition(-0.5), first!, 1, standing, false) < 0, 'sleeping dogs');
    t.equal(liftOf(law, disposition(0), first!, 1, standing, false), 0, 'all the same to them');
    t.ok(liftOf(law, disposition(0.8), first!, 1, { ...standing, orderMinor: 500 }, false) < 0.3 * liftOf(law, disposition(0.8), first!, 1, standing, false));
    t.ok(logitOfNone(disposition(0), { ...standing, cartLines: 2 }) > logitOfNone(disposition(0), standing));
    const signs = new Set(law.dispositions.map(({ sensitivity }) => Math.sign(sensitivity)));
    t.ok(signs.has(1) && signs.has(-1), 'there are both');
  });

  const history = playHistory(store);
  const none = await playWindow(store, history, nobody);
  await t.test('the same store and policy give the same outcome; nobody costs nothing', async (t) => {
    t.same(await playWindow(store, playHistory(makeSimulatedStore({ seed: 5, shoppers: 160, days: 10, claimsPerVisit: 0.02 })), nobody), none);
    t.match(none, { shown: 0, claims: 0, spentMinor: 0, profitMinor: none.conversions * MARGIN_MINOR });
    t.ok(none.visits > 50 && none.conversions > 5 && none.days.length === 10);
  });

  await t.test('no policy spends above a budget, and profit is margins less what was spent', async (t) => {
    for (const policy of [everybody, ...RULES, oracle]) {
      const outcome = await playWindow(store, history, policy);
      t.equal(outcome.profitMinor, outcome.conversions * MARGIN_MINOR - outcome.spentMinor, policy.name);
      t.ok(Object.values(outcome.offers).every(({ spentShare }) => spentShare <= 1));
      if (policy !== oracle) continue;
      t.ok(outcome.claims > 0);
      t.ok(outcome.profitMinor > none.profitMinor, 'who knows the law earns by offers');
    }
  });
});

await t.test('the comparison has every policy, is repeatable, and can be looked at', async (t) => {
  const options = { seed: 1, stores: 2, shoppers: 60, days: 6, modelFolder: 'models/response', onProgress: () => { /* nobody looks */ } };
  const report = await compare(options);
  t.match(Object.keys(report.policies), ['none', 'all', /^rule/u, /^rule/u, /^rule/u, /^rule/u, 'prior', 'model', 'oracle', 'model, learning on', 'learning from nothing']);
  t.equal(report.policies['oracle']!.profitShare.mean, 1);
  t.equal(report.policies['none']!.gainMinor.mean, 0);
  t.equal(report.policies[MODEL]!.spentByDay.length, 6);
  t.match(report.bars, { profitShare: { value: Number, holds: Boolean }, budget: { endsWithin: Boolean, neverAbove: true, everyDayWithin: Boolean } });
  t.match(simulationTable(report), /^model +[\d,]+ ±/mu);
  const html = simulationHtml(report);
  t.equal(html.match(/<svg/gu)?.length, 5);
  t.notMatch(html, /NaN|undefined|https?:/u);

  const folder = t.testdir();
  const program = join(import.meta.dirname, '..', '..', 'src', 'learn', 'simulate', 'simulate.js');
  const json = join(folder, 'report.json');
  const run = (...args: string[]): ReturnType<typeof spawnSync> => spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  const good = run('--stores', '2', '--shoppers', '60', '--days', '6', '--json', json, '--html', join(folder, 'report.html'));
  t.equal(good.status, 0, String(good.stderr));
  t.match(String(good.stdout), /model's profit ≥ 90 %/u);
  const { seconds: _one, ...written } = JSON.parse(readFileSync(json, 'utf8')) as typeof report;
  const { seconds: _other, ...made } = JSON.parse(JSON.stringify(report)) as typeof report;
  t.same(written, made, 'the same options, the same figures');
  const bad = run('--stores', '1');
  t.equal(bad.status, 1);
  t.match(String(bad.stderr), /--stores is a whole number from 2, not 1/u);
});
