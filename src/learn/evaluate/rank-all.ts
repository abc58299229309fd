import { hash32 } from '../../util/hash.js';
import { historyOf, type Question, type Task } from '../task.js';
import { UNRANKED, type Placing } from './metrics.js';

/** Items of a list that coverage and popularity bias look at. */
export const LIST = 10;

/** A method's answer to one question. */
export interface Answer {
  /** One per wanted item. */
  readonly placings: readonly Placing[];
  /** Item indexes of the first places, at most `LIST`. */
  readonly top: readonly number[];
}

/** Scores all items for one question, higher is better; the array is the caller's and holds anything. */
export type Scorer = (question: Question, scores: Float32Array) => void;

/** Ranks all items by a scorer, but for those of the history where the protocol excludes them. */
export class AllItemsRanker {
  readonly #task: Task;
  readonly #scores: Float32Array;
  /** Shuffles equal scores for the list, in the same way for all methods; placings know no order among them. */
  readonly #lot: Float64Array;

  constructor(task: Task) {
    this.#task = task;
    this.#scores = new Float32Array(task.items.length);
    this.#lot = Float64Array.from(task.items, ({ id }) => hash32(`lot:${id}`));
  }

  answer(scorer: Scorer, question: Question, excludeHistory: boolean): Answer {
    const scores = this.#scores;
    scorer(question, scores);
    if (excludeHistory) for (const item of historyOf(this.#task.interactions, question)) scores[item] = -Infinity;
    return { placings: question.wanted.map((item) => this.#place(scores[item]!)), top: this.#top(LIST) };
  }

  #place(score: number): Placing {
    if (score === -Infinity || Number.isNaN(score)) return UNRANKED;
    const scores = this.#scores;
    let above = 0;
    let upTo = 0;
    for (let item = 0; item < scores.length; item++) {
      if (scores[item]! < score) continue;
      upTo += 1;
      if (scores[item]! > score) above += 1;
    }
    return { above, tied: upTo - above };
  }

  #top(count: number): number[] {
    const scores = this.#scores;
    const lot = this.#lot;
    const top: number[] = [];
    let least = -Infinity;
    let leastLot = Infinity;
    for (let item = 0; item < scores.length; item++) {
      const score = scores[item]!;
      // Nearly all items end here.
      if (score < least || score === -Infinity || (score === least && lot[item]! <= leastLot)) continue;
      let place = top.length;
      while (place > 0 && this.#isBetter(item, top[place - 1]!)) place -= 1;
      top.splice(place, 0, item);
      if (top.length < count) continue;
      top.length = count;
      least = scores[top[count - 1]!]!;
      leastLot = lot[top[count - 1]!]!;
    }
    return top;
  }

  #isBetter(a: number, b: number): boolean {
    const lead = this.#scores[a]! - this.#scores[b]!;
    return lead > 0 || (lead === 0 && this.#lot[a]! > this.#lot[b]!);
  }
}
