import t from 'tap';
import { Judge } from '../../src/learn/evaluate/judge.js';
import { baselinesFor } from '../../src/learn/evaluate/baselines/baselines.js';
import { metricNames, UNRANKED, writeValues, type Placing } from '../../src/learn/evaluate/metrics.js';
import { AllItemsRanker, type Answer } from '../../src/learn/evaluate/rank-all.js';
import { viewsOf } from '../../src/learn/evaluate/views.js';
import type { Question, Task } from '../../src/learn/task.js';

const DAY_MS = 86_400_000;

/** A task of shoppers' item lists; the last of each is asked for, all before it is known. */
function taskOf(lists: readonly (readonly number[])[], items: number, excludeHistory = false): Task {
  const offsets = Uint32Array.from({ length: lists.length + 1 }, (_, s) => lists.slice(0, s).flat().length);
  const item = Uint32Array.from(lists.flat());
  const at = Float64Array.from(item, (_, i) => i * DAY_MS);
  const catalog = Array.from({ length: items }, (_, i) => ({ id: `i${i}`, title: `i${i}`, category: ['all'] }));
  const questions = lists.map((list, shopper): Question => ({ shopper, history: list.length - 1, at: 1e9, wanted: [list.at(-1)!] }));
  const split = { known: Uint32Array.from(lists, (list) => list.length - 1), questions };
  return {
    name: 'made up', protocol: 'leave-one-out', items: catalog, excludeHistory, fits: [split], validation: split, test: split,
    interactions: { itemIds: catalog.map(({ id }) => id), shoppers: lists.length, offsets, item, at, type: new Uint8Array(item.length) },
  };
}

function valuesOf(placings: readonly Placing[]): Record<string, number> {
  const names = metricNames('next-click');
  const out = new Float32Array(names.length);
  writeValues(names, placings, out, 0);
  return Object.fromEntries(names.map((name, i) => [name, Math.round(out[i]! * 1e6) / 1e6]));
}

await t.test('one wanted item: by its rank', (t) => {
  const third = valuesOf([{ above: 2, tied: 1 }]);
  t.match(third, { 'HR@5': 1, 'P@5': 1, 'recall@20': 1, 'NDCG@10': 0.5, 'MRR@20': 0.333333 });
  const seventh = valuesOf([{ above: 6, tied: 1 }]);
  t.match(seventh, { 'HR@5': 0, 'HR@10': 1, 'NDCG@5': 0, 'NDCG@10': 0.333333, 'MRR@10': 0.142857 });
  t.ok(Object.values(valuesOf([UNRANKED])).every((value) => value === 0));
  t.end();
});

await t.test('ties: the expectation over all their orders', (t) => {
  t.match(valuesOf([{ above: 0, tied: 2 }]), { 'HR@5': 1, 'MRR@5': 0.75, 'NDCG@5': 0.815465 }, 'half of rank 1, half of rank 2');
  t.match(valuesOf([{ above: 4, tied: 4 }]), { 'HR@5': 0.25, 'HR@10': 1, 'MRR@5': 0.05 });
  t.match(valuesOf([{ above: 0, tied: 1000 }]), { 'HR@10': 0.01, 'HR@20': 0.02 }, 'who says nothing is as good as chance');
  t.end();
});

await t.test('several wanted items', (t) => {
  const found = valuesOf([{ above: 0, tied: 1 }, { above: 3, tied: 1 }, UNRANKED]);
  const ideal = 1 + 1 / Math.log2(3) + 1 / 2;
  t.match(found, { 'HR@10': 1, 'MRR@10': 1, 'recall@10': 0.666667, 'NDCG@10': Math.round((1 + 1 / Math.log2(5)) / ideal * 1e6) / 1e6 });
  const all = valuesOf(Array.from({ length: 30 }, (_, i) => ({ above: i, tied: 1 })));
  t.match(all, { 'NDCG@10': 1, 'NDCG@20': 1, 'recall@20': 0.666667 }, 'more wanted than places: the best order gives 1');
  t.end();
});

await t.test('all items are ranked, the history left out where the protocol says so', (t) => {
  const task = taskOf([[0, 1, 2]], 5);
  const ranker = new AllItemsRanker(task);
  const question = task.test.questions[0]!;
  const scorer = (_: Question, scores: Float32Array): void => { scores.set([5, 4, 3, 3, 1]); };
  t.same(ranker.answer(scorer, question, false).placings, [{ above: 2, tied: 2 }]);
  t.same(ranker.answer(scorer, question, true).placings, [{ above: 0, tied: 2 }]);
  t.same(new Set(ranker.answer(scorer, question, true).top), new Set([2, 3, 4]));
  t.same(ranker.answer(scorer, { ...question, wanted: [1] }, true).placings, [UNRANKED], 'what is left out is not found');
  t.same(ranker.answer((_, scores) => { scores.fill(NaN); }, question, false).placings, [UNRANKED]);
  t.end();
});

await t.test('a judgement: means, intervals, coverage, bias, segments', (t) => {
  const lists = Array.from({ length: 200 }, (_, s) => [...Array.from({ length: s % 7 + 1 }, (_, i) => (s + i) % 9), s % 10]);
  const task = taskOf(lists, 12);
  const judge = new Judge(task, task.test, 5);
  const answers = task.test.questions.map((_, i): Answer => ({ placings: [i % 4 === 0 ? { above: 0, tied: 1 } : UNRANKED], top: [0, 11] }));
  const judged = judge.judge(task.test.questions, answers);
  t.equal(judged.metrics['HR@10'], 0.25);
  const [low, high] = judged.intervals['HR@10']!;
  // Two standard errors: √(.25 · .75 / 200) = .031.
  t.ok(low > 0.17 && low < 0.21 && high > 0.29 && high < 0.33, `${low} … ${high}`);
  t.same(new Judge(task, task.test, 5).judge(task.test.questions, answers), judged, 'the same seed, the same figures');
  t.equal(judged['coverage@10'], 2 / 12);
  t.equal(judged.newItemShare.recommended, 0.5, 'item 11 was never met');
  t.ok(judged.newItemShare.wanted > 0.05 && judged.newItemShare.wanted < 0.15, 'item 9 was met by nobody before');
  const byLength = judged.segments['history length']!;
  t.same(Object.keys(byLength), ['1–2', '3–5', '6–10']);
  t.equal(Object.values(byLength).reduce((sum, { questions }) => sum + questions, 0), 200);
  t.end();
});

await t.test('questions of one shopper are drawn together', (t) => {
  const task = taskOf(Array.from({ length: 8 }, (_, s) => [s % 3, 1]), 4);
  const judge = new Judge(task, task.test, 1);
  const asked = (repeats: number): [Question[], Answer[]] => {
    const questions = task.test.questions.flatMap((question) => Array.from({ length: repeats }, () => question));
    return [questions, questions.map(({ shopper }) => ({ placings: [shopper % 2 === 0 ? { above: 0, tied: 1 } : UNRANKED], top: [] }))];
  };
  t.same(judge.judge(...asked(100)).intervals, judge.judge(...asked(1)).intervals, 'asking the same again makes nothing surer');
  t.end();
});

await t.test('baselines find what they are made for', (t) => {
  // A cycle: after item n comes n + 1; item 0 is by far the most popular.
  const lists = Array.from({ length: 120 }, (_, s) => [0, 1 + s % 8, 1 + (s + 1) % 8, 1 + (s + 2) % 8]);
  const task = taskOf(lists, 9);
  const ranker = new AllItemsRanker(task);
  const judge = new Judge(task, task.test, 1);
  const metrics = Object.fromEntries(Object.entries(baselinesFor(task)).map(([name, baseline]) => {
    const scorer = baseline(task, task.test, 1);
    return [name, judge.judge(task.test.questions, task.test.questions.map((question) => ranker.answer(scorer, question, false))).metrics];
  }));
  t.ok(metrics['co-occurrence']!['MRR@20']! > 0.2, 'behind the items of the history themselves');
  t.ok(metrics['co-occurrence']!['MRR@20']! > metrics['popularity']!['MRR@20']! + 0.05);
  for (const values of Object.values(metrics)) t.ok(Object.values(values).every((value) => value >= 0 && value <= 1));
  t.notOk('personal frequency' in baselinesFor(taskOf([[0, 1]], 3, true)));
  t.end();
});

await t.test('one shopper, one item, all the same: figures, no faults', (t) => {
  for (const task of [taskOf([[0, 0]], 1), taskOf([[0, 1]], 2, true), taskOf([[0, 0, 0], [0, 0, 0]], 3)]) {
    const ranker = new AllItemsRanker(task);
    const judge = new Judge(task, task.test, 1);
    for (const [name, baseline] of Object.entries(baselinesFor(task))) {
      const scorer = baseline(task, task.test, 1);
      const { metrics } = judge.judge(task.test.questions, task.test.questions.map((question) => ranker.answer(scorer, question, task.excludeHistory)));
      t.ok(Object.values(metrics).every((value) => value >= 0 && value <= 1), name);
    }
  }
  t.end();
});

await t.test('baskets are asked in three ways', (t) => {
  const task = taskOf([[0, 1, 2], [0, 0]], 3);
  t.same(viewsOf(task, task.test).map(({ label }) => label), ['']);
  const questions = task.test.questions.map((question, i) => ({ ...question, wanted: [0, 2], fresh: i === 0 ? [2] : [] }));
  const views = viewsOf(task, { ...task.test, questions });
  t.same(views.map(({ label, questions: asked, excludeHistory }) => [label, asked.length, excludeHistory]), [
    ['', 2, false], [' never bought', 1, false], [' among never bought', 1, true],
  ]);
  t.same(views[1]!.questions[0]!.wanted, [2]);
  t.end();
});
