import type { Encoder } from '../encoder/encoder.js';
import type { Clock } from '../util/clock.js';
import { seededRandom } from '../util/random.js';
import { makeModel, prepareFolder, type MadeModel } from './make-model.js';
import type { OnProgress } from './progress.js';
import { QuestionLister, type QuestionCounts } from './question-lists.js';
import { DEED_VALUES, LIST_LIMITS, ListStore, type DeedValues } from './ranker/lists.js';
import { readExported } from './ranker/warm-start.js';
import { sampleQuestions } from './sample-questions.js';
import { Retriever, TaskStore } from './store-view.js';
import { tuneStatistics } from './statistics/tune-statistics.js';
import { fitEncoders, isWithin } from './task-encoders.js';
import type { Split, Task } from './task.js';

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
  /** What each deed counts. */
  readonly values?: DeedValues;
  readonly clock: Clock;
  readonly onProgress?: OnProgress;
}

/** A model that was trained on a task, and what it takes to serve it at a split. */
export interface TrainedModel {
  readonly folder: string;
  readonly manifest: MadeModel['content']['manifest'];
  readonly seconds: number;
  /** With the encoder that serves. */
  readonly store: TaskStore;
}

/**
 * From a task to a model folder: statistics tuned, an encoder, and a ranker that learns from what the engine would have
 * ranked for each question. What the ranker learns on is made as in service: statistics and encoder that know nothing of
 * the question's time or later.
 */
export async function trainModel(task: Task, options: TrainModelOptions): Promise<TrainedModel> {
  const { out, seed, from, values = DEED_VALUES, clock, onProgress = () => {} } = options;
  const startedAt = clock();
  const start = from === undefined ? undefined : await readExported(from);
  await prepareFolder(out);
  const statistics = tuneStatistics(task, task.validation, {
    seed, onProgress: (done, total, quality) => { onProgress({ stage: 'statistics', done, total, note: `quality ${quality.toFixed(4)}` }); },
  });
  const encoders = await fitEncoders(task, { out, seed, clock, onProgress });
  const store = (encoder: Encoder | undefined): Promise<TaskStore> => TaskStore.open(task, statistics, encoder);
  const fit = await collect('lists', await store(encoders?.fit), task.fits, TRAINING_LIMITS.questions, options);
  // An encoder that has seen the validation's answers would say nothing of how it does on new ones.
  const judged = encoders !== undefined && isWithin(task.test.known, task.validation.known) ? encoders.serving : encoders?.fit;
  const validation = await collect('validation', await store(judged), [task.validation], TRAINING_LIMITS.validationQuestions, options);
  await encoders?.fit.retire();
  const { content } = await makeModel({
    train: fit.lists, validation: validation.lists, out, seed, values, start, onProgress,
    encoder: encoders?.saved,
    about: {
      name: nameOf(task.name), licence: 'unstated', statistics, trainedAt: new Date(clock()).toISOString(),
      data: describe(task, { fit, validation }, encoders?.epochs),
    },
  });
  return { folder: out, manifest: content.manifest, seconds: (clock() - startedAt) / 1000, store: await store(encoders?.serving) };
}

interface Collected { readonly lists: ListStore; readonly counts: QuestionCounts }

/** What the engine would have ranked for the questions of some splits. */
async function collect(
  stage: string, store: TaskStore, splits: readonly Split[], questionsMax: number, { seed, onProgress = () => {} }: TrainModelOptions,
): Promise<Collected> {
  const random = seededRandom(seed);
  const lists = new ListStore(Math.min(TRAINING_LIMITS.candidatesMax, store.task.items.length), random, LIST_LIMITS.floatsMax);
  const all = { questions: 0, wanted: 0, found: 0 };
  const drawn = splits.map(({ known, questions }) => ({ known, questions: sampleQuestions(questions, Math.ceil(questionsMax / splits.length), seed) }));
  const total = drawn.reduce((sum, { questions }) => sum + questions.length, 0);
  let done = 0;
  for (const split of drawn) {
    for (const { view, questions } of store.asked(split)) {
      const lister = new QuestionLister(new Retriever(view, TRAINING_LIMITS.candidatesMax, random));
      const counts = await lister.collect(questions, lists, () => { onProgress({ stage, done: ++done, total, note: '' }); });
      all.questions += counts.questions;
      all.wanted += counts.wanted;
      all.found += counts.found;
    }
  }
  return { lists, counts: all };
}

function describe({ name, protocol, interactions, items }: Task, parts: Readonly<Record<string, Collected>>, encoderEpochs: number | undefined): Record<string, unknown> {
  const times = interactions.at;
  return {
    source: name, protocol, items: items.length, shoppers: interactions.shoppers, events: times.length,
    from: iso(times.reduce((least, at) => Math.min(least, at), Infinity)), until: iso(times.reduce((most, at) => Math.max(most, at), -Infinity)),
    ...Object.fromEntries(Object.entries(parts).map(([part, { lists, counts: { questions, wanted, found } }]) =>
      [part, { questions, lists: lists.size, candidateRecall: Math.round(found / Math.max(1, wanted) * 1e4) / 1e4 }])),
    ...encoderEpochs === undefined ? {} : { encoderEpochs },
  };
}

const iso = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString() : 'never');
const nameOf = (name: string): string => name.replace(/[^A-Za-z0-9._-]/gu, '-').slice(0, 64) || 'model';
