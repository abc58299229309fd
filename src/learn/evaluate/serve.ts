import { emptyStatisticsData, Statistics } from '../../candidates/statistics.js';
import { RERANK } from '../../ranking/rerank.js';
import { ENGINE_FEATURES } from '../../ranking/features.js';
import { ModelHolder } from '../../ranking/model-holder.js';
import { Recommender, type RankedItem } from '../../paths/recommend.js';
import { AppError } from '../../errors.js';
import { seededRandom } from '../../util/random.js';
import { excludedRows, profileAt, QUESTION_SCENE, type TaskStore } from '../store-view.js';
import type { Question } from '../task.js';
import { Calibration, type CalibrationReport } from './calibration.js';
import { UNRANKED, type Placing } from './metrics.js';
import { LIST, type Answer } from './rank-all.js';
import type { View } from './views.js';

/** As a request comes by default: length of the list, candidates ranked. */
const REQUEST = { limit: 20, candidatesMax: 200 } as const;
/** A slow machine must not change what is measured: no answer is late. */
const DEADLINE_MS = 600_000;

export interface ServeOptions {
  readonly store: TaskStore;
  /** What statistics may see when the first question is asked. */
  readonly known: Uint32Array;
  /** Model folder. */
  readonly folder: string;
  readonly seed: number;
  /** Whether now and then a place goes to a candidate drawn by lot, as in service. */
  readonly explore: boolean;
  readonly onQuestion?: () => void;
}

export interface Served {
  readonly answers: Answer[];
  readonly calibration: CalibrationReport;
  /** Of one request, profile given, ms. */
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number };
}

/** Asks the questions of the recommendation path itself: its candidates, features, ONNX session, re-ranking and exploration. */
export async function serve({ store, known, folder, seed, explore, onQuestion }: ServeOptions, { questions, excludeHistory }: View): Promise<Served> {
  const { catalog, task } = store;
  const draw = seededRandom(seed);
  let statistics = new Statistics(emptyStatisticsData(), catalog);
  let now = 0;
  const clock = (): number => now;
  const model = new ModelHolder({ features: ENGINE_FEATURES, catalog, clock });
  const recommender = new Recommender({
    catalog, statistics: () => statistics, pins: () => [], model, impressions: { add: () => { /* nobody learns from these */ } }, clock,
    // The same lots, but none that is below the share that explores.
    random: explore ? draw : () => RERANK.explore + (1 - RERANK.explore) * draw(),
    newId: () => '', candidatesMax: REQUEST.candidatesMax, deadlineMs: DEADLINE_MS,
    onFault: (error) => { throw error; },
  });
  const indexOfRow = new Map(task.items.map(({ id }, index) => [catalog.rowOf(id), index]));
  const calibration = new Calibration();
  const answers: Answer[] = [];
  const millis = new Float64Array(questions.length);
  try {
    const swapped = await model.swap(folder);
    if ('refused' in swapped) throw swapped.refused;
    for (const { view, questions: asked } of store.asked({ known, questions })) {
      ({ statistics } = view);
      for (const question of asked) {
        now = question.at;
        const profile = profileAt(view, question);
        const startedAt = performance.now();
        const list = await recommender.rank({
          shopper: undefined, isStored: false, profile, scene: QUESTION_SCENE, limit: REQUEST.limit, itemId: undefined, itemIds: undefined, filter: undefined,
          context: undefined, explain: false, shown: excludedRows({ ...view, task: { ...task, excludeHistory } }, question),
        });
        millis[answers.length] = performance.now() - startedAt;
        if (list.degraded.length > 0) throw new AppError('model_unavailable', `The model did not answer: ${list.degraded.join(', ')}.`);
        const items = list.items.map(({ row }) => indexOfRow.get(row)!);
        calibration.add(list.items.map(({ score }: RankedItem) => score), items.map((item) => question.wanted.includes(item)));
        answers.push({ placings: placings(question, items), top: items.slice(0, LIST) });
        onQuestion?.();
      }
    }
  } finally {
    await model.close();
  }
  millis.sort();
  const at = (part: number): number => millis[Math.min(millis.length - 1, Math.floor(millis.length * part))] ?? 0;
  return { answers, calibration: calibration.report(), latency: { p50Ms: at(0.5), p99Ms: at(0.99) } };
}

/** A list that was served has an order: nothing is tied. */
function placings({ wanted }: Question, items: readonly number[]): Placing[] {
  return wanted.map((item) => {
    const above = items.indexOf(item);
    return above < 0 ? UNRANKED : { above, tied: 1 };
  });
}
