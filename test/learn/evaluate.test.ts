import t, { type Test } from 'tap';
import { evaluate } from '../../src/learn/evaluate/evaluation.js';
import { headlines, textTable, type EvaluationReport } from '../../src/learn/evaluate/report.js';
import { attributes, everyone, invoices, lines, prefixes, sequences, sessions } from '../helpers/data-sets.js';

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

await t.test('leave-one-out, strict and refit', async (t) => {
  const folder = t.testdir({ 'events.csv': sequences, 'item_attributes.csv': attributes });
  const report = await evaluate({ ...quiet, dataset: folder, refit: true });
  checkReport(t, report, ['HR@10', 'NDCG@10']);
  t.equal(report.protocol, 'leave-one-out');
  t.ok(report.metrics['NDCG@10']! > report.baselines['popularity']!['NDCG@10']!, 'it learnt what comes next');
  t.ok(Object.keys(report.methods).some((name) => name.startsWith('refit')));
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
