import { sampleQuestions } from '../sample-questions.js';
import type { Split, Task } from '../task.js';
import { stepsOf } from '../split-steps.js';
import { baselinesFor } from './baselines/baselines.js';
import { bpr } from './baselines/bpr.js';
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
    // Factors take too long to fit every week.
    const fitted = baseline === bpr ? bpr(task, split, seed) : undefined;
    const judgements = views.map(({ questions: all, excludeHistory }) => {
      const questions = sampleQuestions(all, questionsMax, seed);
      return judge.judge(questions, stepsOf(task, { known: split.known, questions }).flatMap((step) => {
        const scorer = fitted ?? baseline(task, step, seed);
        return step.questions.map((question) => ranker.answer(scorer, question, excludeHistory));
      }));
    });
    yield { name, seconds: (performance.now() - startedAt) / 1000, judgements };
  }
}
