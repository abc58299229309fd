import { USER_FEATURES, writeUserFeatures } from '../profile/vector.js';
import { FeatureWriter, ITEM_FEATURES } from '../ranking/features.js';
import { DEED, type ListStore, type RankList } from './ranker/lists.js';
import { QUESTION_SCENE, type Retriever } from './store-view.js';
import type { Question } from './task.js';

/** How much of what was wanted the candidates held. */
export interface QuestionCounts {
  readonly questions: number;
  /** Items wanted, and those of them among the candidates. */
  readonly wanted: number;
  readonly found: number;
}

/** Writes the lists that the engine would rank in answer to questions, with what was done with what was wanted. */
export class QuestionLister {
  readonly #writer = new FeatureWriter();
  readonly #user = new Float32Array(USER_FEATURES.length);
  readonly #items: Float32Array;

  constructor(readonly retriever: Retriever) {
    this.#items = new Float32Array(retriever.candidatesMax * ITEM_FEATURES.length);
  }

  /** @returns the list, whose arrays are good until the next one */
  async list(question: Question): Promise<RankList> {
    const { retriever: { pool, view: { task, catalog } } } = this;
    const request = await this.retriever.retrieve(question);
    writeUserFeatures(this.#user, request.profile, QUESTION_SCENE, question.at);
    this.#writer.write(this.#items, pool, request);
    const deeds = new Uint8Array(pool.count);
    for (const item of question.wanted) {
      const slot = pool.slotOf(catalog.rowOf(task.interactions.itemIds[item]!));
      if (slot >= 0) deeds[slot] = question.deed ?? DEED.clicked;
    }
    return { user: this.#user, items: this.#items, count: pool.count, deeds, places: new Uint8Array(pool.count) };
  }

  /** Adds the lists of questions to a store; those whose candidates miss all that was wanted teach nothing and are left out. */
  async collect(questions: Iterable<Question>, store: ListStore, onQuestion: () => void = () => {}): Promise<QuestionCounts> {
    const counts = { questions: 0, wanted: 0, found: 0 };
    for (const question of questions) {
      const list = await this.list(question);
      counts.questions += 1;
      counts.wanted += question.wanted.length;
      counts.found += list.deeds.reduce((sum, deed) => sum + (deed > DEED.none ? 1 : 0), 0);
      store.add(list);
      onQuestion();
    }
    return counts;
  }
}
