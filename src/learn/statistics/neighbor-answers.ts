import { isDeepStrictEqual } from 'node:util';
import type { NeighborScoring, Neighbors, StatisticsBuilder } from '../../candidates/build-statistics.js';
import type { StatisticsSettings } from '../../candidates/statistics-settings.js';
import { historyOf, type Question, type Task } from '../task.js';

const CUTOFF = 20;
/** How much the share of wanted items among the first hundred counts beside their order: a ranking comes after. */
const RECALL_CUTOFF = 100;
const RECALL_SHARE = 0.25;

interface Rows {
  readonly counts: StatisticsBuilder;
  readonly scoring: NeighborScoring;
  typicalBest: number | undefined;
  readonly ofSource: Map<number, Neighbors>;
}

/** Answers questions by the neighbours of the latest items alone, and says how good the answers are. */
export class NeighborAnswers {
  readonly #task: Task;
  readonly #questions: readonly Question[];
  readonly #scores: Float64Array;
  #touched: number[] = [];
  /** Rows worked out so far; they hold for one count and its scoring. */
  #rows: Rows | undefined;

  constructor(task: Task, questions: readonly Question[]) {
    this.#task = task;
    this.#questions = questions;
    this.#scores = new Float64Array(task.interactions.itemIds.length);
  }

  /**
   * NDCG@20 and a quarter of recall@100, averaged over the questions; where they ask for never-bought items as well,
   * over both askings. An item that no neighbour proposes is not found; equal scores share their ranks.
   */
  quality(counts: StatisticsBuilder, settings: StatisticsSettings): number {
    const rows = this.#rowsOf(counts, settings);
    let sum = 0;
    let asked = 0;
    for (const question of this.#questions) {
      this.#answer(question, settings, rows);
      if (this.#task.excludeHistory) this.#dropHistory(question);
      sum += this.#judge(question.wanted);
      asked += 1;
      if (question.fresh !== undefined && question.fresh.length > 0) {
        this.#dropHistory(question);
        sum += this.#judge(question.fresh);
        asked += 1;
      }
      for (const item of this.#touched) this.#scores[item] = 0;
    }
    return sum / asked;
  }

  #rowsOf(counts: StatisticsBuilder, { sourceExponent, targetExponent, neighborsPerItem }: StatisticsSettings): Rows {
    const scoring = { sourceExponent, targetExponent, neighborsPerItem };
    if (this.#rows?.counts !== counts || !isDeepStrictEqual(this.#rows.scoring, scoring)) {
      this.#rows = { counts, scoring, typicalBest: undefined, ofSource: new Map() };
    }
    return this.#rows;
  }

  #answer(question: Question, settings: StatisticsSettings, rows: Rows): void {
    const history = historyOf(this.#task.interactions, question);
    const recent: number[] = [];
    this.#touched = [];
    for (let i = history.length - 1; i >= 0 && recent.length < settings.recentItems; i--) {
      const source = history[i]!;
      if (recent.includes(source)) continue;
      recent.push(source);
      this.#propose(source, recent.length ** -settings.recencyExponent, settings.again, rows);
    }
  }

  #propose(source: number, recency: number, again: number, rows: Rows): void {
    const { counts, scoring, ofSource } = rows;
    if (again > 0) this.#add(source, recency * again * (rows.typicalBest ??= counts.typicalBest(scoring)));
    const index = counts.indexOf(source);
    if (index < 0) return;
    let row = ofSource.get(index);
    if (row === undefined) ofSource.set(index, row = counts.neighbors(index, scoring));
    for (let i = 0; i < row.items.length; i++) this.#add(counts.keyOf(row.items[i]!), recency * row.scores[i]!);
  }

  #add(item: number, score: number): void {
    if (this.#scores[item] === 0) this.#touched.push(item);
    this.#scores[item]! += score;
  }

  #dropHistory(question: Question): void {
    for (const item of historyOf(this.#task.interactions, question)) this.#scores[item] = 0;
  }

  #judge(wanted: readonly number[]): number {
    let gain = 0;
    let ideal = 0;
    let found = 0;
    wanted.forEach((item, i) => {
      if (i < CUTOFF) ideal += 1 / Math.log2(i + 2);
      const rank = this.#rank(item);
      if (rank <= CUTOFF) gain += 1 / Math.log2(rank + 1);
      if (rank <= RECALL_CUTOFF) found += 1;
    });
    return gain / ideal + RECALL_SHARE * found / wanted.length;
  }

  #rank(item: number): number {
    const score = this.#scores[item]!;
    if (score === 0) return Infinity;
    let better = 0;
    let equal = 0;
    for (const other of this.#touched) {
      if (this.#scores[other]! > score) better += 1;
      else if (this.#scores[other] === score) equal += 1;
    }
    return 1 + better + (equal - 1) / 2;
  }
}
