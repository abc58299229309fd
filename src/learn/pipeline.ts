import { USER_FEATURES } from '../profile/vector.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { Clock } from '../util/clock.js';
import { seededRandom, shuffle } from '../util/random.js';
import { makeModel, type MadeModel, type OnProgress } from './make-model.js';
import { QuestionLister, type QuestionCounts } from './question-lists.js';
import { LIST_LIMITS, ListStore } from './ranker/lists.js';
import { Retriever, viewStore, type StoreView } from './store-view.js';
import { tuneStatistics } from './statistics/tune-statistics.js';
import type { Question, Split, Task } from './task.js';

export const TRAINING_LIMITS = {
  /** Candidates of a list: what the engine ranks by default. */
  candidatesMax: 200,
  /** Questions that the ranker learns from, and that decide when it has learnt enough; a sample when there are more. */
  questions: 60_000,
  validationQuestions: 6000,
} as const;

export interface TrainModelOptions {
  readonly out: string;
  readonly seed: number;
  /** Folder of a model to go on from. */
  readonly from?: string | undefined;
  readonly licence?: string;
  readonly clock: Clock;
  readonly onProgress?: OnProgress;
}

/** A model that was trained on a task, and what it takes to serve it at a split. */
export interface TrainedModel {
  readonly folder: string;
  readonly manifest: MadeModel['content']['manifest'];
  readonly seconds: number;
  /** The engine as it stands at a split, as the model was made for it. */
  readonly view: (split: Pick<Split, 'known'>) => StoreView;
}

/** From a task to a model folder: what the engine would have ranked for each question, and a ranker that learns from it. */
export async function trainModel(task: Task, options: TrainModelOptions): Promise<TrainedModel> {
  const { out, seed, from, licence = 'unstated', clock, onProgress = () => {} } = options;
  const startedAt = clock();
  const statistics = tuneStatistics(task, task.validation, {
    seed, onProgress: (done, total, quality) => { onProgress({ stage: 'statistics', done, total, note: `quality ${quality.toFixed(4)}` }); },
  });
  const view = ({ known }: Pick<Split, 'known'>): StoreView => viewStore(task, known, statistics);
  const collect = (stage: string, split: Split, questionsMax: number): { lists: ListStore; counts: QuestionCounts } => {
    const random = seededRandom(seed);
    const lists = new ListStore(TRAINING_LIMITS.candidatesMax, random, LIST_LIMITS.floatsMax);
    const questions = sample(split.questions, questionsMax, seed);
    let done = 0;
    const lister = new QuestionLister(new Retriever(view(split), TRAINING_LIMITS.candidatesMax, random));
    const counts = lister.collect(questions, lists, () => { onProgress({ stage, done: ++done, total: questions.length, note: '' }); });
    return { lists, counts };
  };
  const fit = collect('lists', task.fit, TRAINING_LIMITS.questions);
  const validation = collect('validation', task.validation, TRAINING_LIMITS.validationQuestions);
  const shown = new ListStore(1, seededRandom(seed));
  const { content } = await makeModel({
    train: { candidates: fit.lists, shown }, validation: validation.lists, out, seed, from, onProgress,
    about: { name: nameOf(task.name), licence, statistics, trainedAt: new Date(clock()).toISOString(), data: describe(task, { fit, validation }) },
  });
  return { folder: out, manifest: content.manifest, seconds: (clock() - startedAt) / 1000, view };
}

/** Questions by lot where there are too many, in their order. */
function sample(questions: readonly Question[], max: number, seed: number): readonly Question[] {
  if (questions.length <= max) return questions;
  const order = Array.from(questions.keys());
  shuffle(order, seededRandom(seed));
  return order.slice(0, max).sort((a, b) => a - b).map((i) => questions[i]!);
}

function describe({ name, protocol, interactions, items }: Task, parts: Readonly<Record<string, { lists: ListStore; counts: QuestionCounts }>>): Record<string, unknown> {
  const times = interactions.at;
  return {
    source: name, protocol, items: items.length, shoppers: interactions.shoppers, events: times.length,
    from: iso(times.reduce((least, at) => Math.min(least, at), Infinity)), until: iso(times.reduce((most, at) => Math.max(most, at), -Infinity)),
    ...Object.fromEntries(Object.entries(parts).map(([part, { lists, counts: { questions, wanted, found } }]) =>
      [part, { questions, lists: lists.size, candidateRecall: Math.round(found / Math.max(1, wanted) * 1e4) / 1e4 }])),
    features: USER_FEATURES.length + ITEM_FEATURES.length,
  };
}

const iso = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString() : 'never');
const nameOf = (name: string): string => name.replace(/[^A-Za-z0-9._-]/gu, '-').slice(0, 64) || 'model';
