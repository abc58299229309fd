import { sampleQuestions } from '../sample-questions.js';
import type { Split, Task } from '../task.js';
import { baselinesFor } from './baselines/baselines.js';
import type { Judge, Judgement } from './judge.js';
import { AllItemsRanker } from './rank-all.js';
import type { View } from './views.js';

/** Items scored per baseline and view: about a minute. Beyond it, fewer questions are asked, drawn by lot. */
const SCORES_MAX = 4e9;

export interface JudgedMethod {
  readonly name: string;
  /** Building and answering, s. */
  readonly seconds: number;
  /** One per view. */
  readonly judgements: readonly Judgement[];
}

interface JudgeBaselinesOptions {
  readonly task: Task;
  readonly split: Split;
  readonly views: readonly View[];
  readonly judge: Judge;
  readonly seed: number;
}

/** Builds the baselines one after another and judges each over all items. */
export function* judgeBaselines({ task, split, views, judge, seed }: JudgeBaselinesOptions): Generator<JudgedMethod, void, undefined> {
  const ranker = new AllItemsRanker(task);
  const questionsMax = Math.ceil(SCORES_MAX / task.items.length);
  for (const [name, baseline] of Object.entries(baselinesFor(task))) {
    const startedAt = performance.now();
    const scorer = baseline(task, split, seed);
    const judgements = views.map((view) => {
      const questions = sampleQuestions(view.questions, questionsMax, seed);
      return judge.judge(questions, questions.map((question) => ranker.answer(scorer, question, view.excludeHistory)));
    });
    yield { name, seconds: (performance.now() - startedAt) / 1000, judgements };
  }
}
