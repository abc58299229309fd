import { StatisticsBuilder } from '../candidates/build-statistics.js';
import { compileFilter } from '../candidates/filter.js';
import { generateCandidates, type CandidateRequest } from '../candidates/generate.js';
import { CandidatePool, RowMarks } from '../candidates/pool.js';
import type { StatisticsSettings } from '../candidates/statistics-settings.js';
import { Statistics } from '../candidates/statistics.js';
import { hiddenRows } from '../candidates/visible.js';
import { Catalog } from '../catalog/catalog.js';
import { EVENT_TYPES, type ShopperEvent } from '../domain/event.js';
import { Retrieval } from '../encoder/retrieval.js';
import type { Encoder } from '../encoder/encoder.js';
import type { Scene } from '../domain/scene.js';
import { fold } from '../profile/fold.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { Random } from '../util/random.js';
import { stepsOf } from './split-steps.js';
import { forKnown, historyOf, type Question, type Split, type Task } from './task.js';

/** Where the lists of a task's questions are shown: a task does not say, and a home page assumes nothing. */
export const QUESTION_SCENE: Scene = 'home';

/** A model in the making may come to read any. */
const ALL_FEATURES: ReadonlySet<string> = new Set(ITEM_FEATURES);

/** A store's engine as it stands at a split: all that answers a question beside the shopper's own history. */
export interface StoreView {
  readonly task: Task;
  readonly catalog: Catalog;
  readonly statistics: Statistics;
  /** What the model's encoder knows of the catalog; undefined for a model without one. */
  readonly retrieval: Retrieval | undefined;
}

/** Questions, and the engine as it stands when they are asked. */
export interface Asked { readonly view: StoreView; readonly questions: readonly Question[] }

/** A task's store with a model's encoder, at any split. */
export class TaskStore {
  private constructor(readonly task: Task, readonly settings: StatisticsSettings, readonly catalog: Catalog, readonly retrieval: Retrieval | undefined) {}

  /** @param settings how statistics are counted */
  static async open(task: Task, settings: StatisticsSettings, encoder: Encoder | undefined): Promise<TaskStore> {
    const catalog = new Catalog();
    for (const item of task.items) catalog.put(item);
    return new TaskStore(task, settings, catalog, encoder === undefined ? undefined : await Retrieval.bind(encoder, catalog));
  }

  /** A split's questions, step after step; a view is good until the next one. */
  *asked(split: Split): Generator<Asked, void, undefined> {
    const { task, settings, catalog, retrieval } = this;
    const builder = new StatisticsBuilder(settings);
    let counted: Uint32Array | undefined;
    for (const { known, questions } of stepsOf(task, split)) {
      forKnown(task.interactions, known, (event, shopper) => { builder.add(eventOf(task, shopper, event)); }, counted);
      counted = known;
      yield { view: { task, catalog, retrieval, statistics: new Statistics(builder.build(), catalog) }, questions };
    }
  }
}

/** Event number `index` of all interactions as the engine receives it. */
export function eventOf({ interactions }: Task, shopper: number, index: number): ShopperEvent {
  return {
    id: String(index), type: EVENT_TYPES[interactions.type[index]!]!, shopper: `u:${shopper}`,
    itemId: interactions.itemIds[interactions.item[index]!]!, at: interactions.at[index]!,
  };
}

/** The shopper's profile when the question is asked, by the engine's own fold. */
export function profileAt({ task, catalog }: StoreView, { shopper, history }: Question): Profile {
  const profile = emptyProfile();
  const first = task.interactions.offsets[shopper]!;
  for (let i = first; i < first + history; i++) {
    const event = eventOf(task, shopper, i);
    fold(profile, event, catalog.facts(event.itemId!));
  }
  return profile;
}

/** Rows that may not be recommended in answer to a question. */
export function excludedRows({ task: { excludeHistory, interactions }, catalog }: StoreView, question: Question): Set<number> {
  if (!excludeHistory) return new Set();
  return new Set(Array.from(historyOf(interactions, question), (item) => catalog.rowOf(interactions.itemIds[item]!)));
}

/** Runs the engine's candidate sources for questions; the pool is reused from one to the next. */
export class Retriever {
  readonly pool = new CandidatePool(new RowMarks());

  constructor(readonly view: StoreView, readonly candidatesMax: number, readonly random: Random) {}

  /** Fills the pool. @returns what the features of the candidates are written from */
  async retrieve(question: Question): Promise<CandidateRequest> {
    const { catalog, statistics, retrieval } = this.view;
    const profile = profileAt(this.view, question);
    const query = await retrieval?.encode(profile, question.at);
    const hidden = hiddenRows(catalog, profile, QUESTION_SCENE, excludedRows(this.view, question));
    this.pool.begin(catalog, this.candidatesMax, compileFilter(catalog, undefined, hidden));
    const request: CandidateRequest = {
      catalog, statistics, profile, scene: QUESTION_SCENE, region: undefined, contextRows: [], pinnedRows: [],
      now: question.at, random: this.random, encoded: retrieval === undefined || query === undefined ? undefined : { query, index: retrieval.index }, reads: ALL_FEATURES,
    };
    generateCandidates(this.pool, request);
    return request;
  }
}
