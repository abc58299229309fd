import { POOL_MAX, SOURCES } from '../../candidates/pool.js';
import { seededRandom, shuffle } from '../../util/random.js';
import { Retriever, type StoreView } from '../store-view.js';
import type { Question } from '../task.js';

/** How many candidates are asked for. */
export const RECALL_CUTS = [50, 100, 200, 500] as const;
/** Questions looked at; a sample when there are more. */
const QUESTIONS_MAX = 4000;

/** Share of the wanted items among the first candidates, by their number: `recall@200`. */
export type Recall = Readonly<Record<string, number>>;

/**
 * Recall of all sources together (`union`), as the engine merges them when it is asked for so many, and of every source
 * by itself: the first so many of what it proposes into the largest pool.
 */
export async function sourceRecall(view: StoreView, questions: readonly Question[], seed: number): Promise<Readonly<Record<string, Recall>>> {
  const asked = sample(questions, seed);
  const found = new Map<string, number>();
  const add = (name: string, cut: number, count: number): void => { found.set(`${name} ${cut}`, (found.get(`${name} ${cut}`) ?? 0) + count); };
  const largest = new Retriever(view, POOL_MAX, seededRandom(seed));
  const bySize = RECALL_CUTS.map((cut) => ({ cut, retriever: new Retriever(view, cut, seededRandom(seed)) }));
  for (const question of asked) {
    const rows = new Set(question.wanted.map((item) => view.catalog.rowOf(view.task.interactions.itemIds[item]!)));
    for (const { cut, retriever } of bySize) {
      await retriever.retrieve(question);
      add('union', cut, hitsAmong(retriever.pool.rows.subarray(0, retriever.pool.count), rows));
    }
    await largest.retrieve(question);
    SOURCES.forEach((source, bit) => {
      const own = proposals(largest, bit);
      for (const cut of RECALL_CUTS) add(source, cut, hitsAmong(own.slice(0, cut), rows));
    });
  }
  const wanted = Math.max(1, asked.reduce((sum, question) => sum + question.wanted.length, 0));
  const recall = (name: string): Recall => Object.fromEntries(RECALL_CUTS.map((cut) => [`recall@${cut}`, (found.get(`${name} ${cut}`) ?? 0) / wanted]));
  const active = SOURCES.filter((source) => RECALL_CUTS.some((cut) => (found.get(`${source} ${cut}`) ?? 0) > 0));
  return Object.fromEntries(['union', ...active].map((name) => [name, recall(name)]));
}

/** Rows that a source proposed, in the order of the pool. */
function proposals({ pool }: Retriever, bit: number): number[] {
  const rows: number[] = [];
  for (let slot = 0; slot < pool.count; slot++) if ((pool.sources[slot]! & (1 << bit)) !== 0) rows.push(pool.rows[slot]!);
  return rows;
}

const hitsAmong = (rows: Iterable<number>, wanted: ReadonlySet<number>): number => {
  let hits = 0;
  for (const row of rows) if (wanted.has(row)) hits += 1;
  return hits;
};

function sample(questions: readonly Question[], seed: number): readonly Question[] {
  if (questions.length <= QUESTIONS_MAX) return questions;
  const drawn = [...questions];
  shuffle(drawn, seededRandom(seed));
  return drawn.slice(0, QUESTIONS_MAX);
}
