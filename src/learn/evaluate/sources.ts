import { recentRows, tallyNeighbors, type CandidateRequest } from '../../candidates/generate.js';
import { LIKENESS_LIMITS } from '../../candidates/likeness.js';
import { POOL_MAX, SOURCES, type CandidatePool, type Source } from '../../candidates/pool.js';
import { seededRandom } from '../../util/random.js';
import { sampleQuestions } from '../sample-questions.js';
import { excludedRows, Retriever, type TaskStore } from '../store-view.js';
import type { Split } from '../task.js';
import type { Judge, Values } from './judge.js';
import { HEADLINES, UNRANKED, type Placing } from './metrics.js';

/** How many candidates are asked for. */
export const RECALL_CUTS = [50, 100, 200, 500] as const;
const LONGEST = 500;
/** Questions looked at; a sample when there are more. */
export const QUESTIONS_MAX = 6000;
/** A place in a list counts 1 / (60 + place) in the blend (Cormack et al., SIGIR 2009). */
const FUSION = 60;

interface SourceOptions {
  readonly store: TaskStore;
  readonly split: Split;
  readonly judge: Judge;
  readonly seed: number;
}

/**
 * How good every candidate source is by itself: `recall@200` of its candidates, and the protocol's own metrics when it alone
 * answers. `neighbors`, `encoder` and `similar` are asked for as many as are counted, the others give what they propose
 * into the largest pool. Beside them `union`: the candidates that the engine merges when asked for so many; and `blend`:
 * the three rankings joined by the sum of reciprocal places, with no model.
 */
export async function judgeSources({ store, split, judge, seed }: SourceOptions): Promise<Readonly<Record<string, Values>>> {
  const { catalog, task } = store;
  const asked = sampleQuestions(split.questions, QUESTIONS_MAX, seed);
  const found = RECALL_CUTS.map(() => 0);
  const alone = new Map<string, Placing[][]>();
  let i = 0;
  for (const { view, questions } of store.asked({ ...split, questions: asked })) {
    const retrievers = [...RECALL_CUTS, POOL_MAX].map((size) => new Retriever(view, size, seededRandom(seed)));
    const largest = retrievers.pop()!;
    for (const question of questions) {
      const wanted = question.wanted.map((item) => catalog.rowOf(task.interactions.itemIds[item]!));
      for (const [cut, retriever] of retrievers.entries()) {
        await retriever.retrieve(question);
        found[cut]! += wanted.filter((row) => retriever.pool.slotOf(row) >= 0).length;
      }
      const request = await largest.retrieve(question);
      for (const [name, rows] of listsOf(largest.pool, request, excludedRows(view, question))) {
        let placings = alone.get(name);
        if (placings === undefined) alone.set(name, placings = asked.map((one) => one.wanted.map(() => UNRANKED)));
        placings[i] = wanted.map((row) => placeOf(rows, row));
      }
      i += 1;
    }
  }
  const all = Math.max(1, asked.reduce((sum, { wanted }) => sum + wanted.length, 0));
  const union = Object.fromEntries(RECALL_CUTS.map((cut, at) => [`recall@${cut}`, found[at]! / all]));
  const sources = [...alone].map(([name, placings]): [string, Values] => {
    const { metrics } = judge.judge(asked, placings.map((one) => ({ placings: one, top: [] })));
    const recalls = RECALL_CUTS.map((cut) => [`recall@${cut}`, placings.flat().filter(({ above }) => above < cut).length / all] as const);
    return [name, { ...Object.fromEntries(HEADLINES[task.protocol].map((metric) => [metric, metrics[metric]!])), ...Object.fromEntries(recalls) }];
  });
  return { union, ...Object.fromEntries(sources) };
}

function placeOf(rows: readonly number[], row: number): Placing {
  const above = rows.indexOf(row);
  return above < 0 ? UNRANKED : { above, tied: 1 };
}

/** The list of every source that has one, best first, without what may not be shown. */
function listsOf(pool: CandidatePool, request: CandidateRequest, excluded: ReadonlySet<number>): ReadonlyMap<string, readonly number[]> {
  const { statistics: { likeness }, profile, catalog, encoded } = request;
  const lists = new Map<string, readonly number[]>();
  const wanted = LONGEST + excluded.size;
  const add = (name: Source | 'blend', rows: ArrayLike<number>, count = rows.length): void => {
    const shown = Array.from({ length: count }, (_, i) => rows[i]!).filter((row) => !excluded.has(row)).slice(0, LONGEST);
    if (shown.length > 0) lists.set(name, shown);
  };
  SOURCES.forEach((source, bit) => { add(source, proposals(pool, bit)); });
  add('neighbors', tallyNeighbors(request).best(wanted));
  likeness.ask(recentRows(profile, catalog, LIKENESS_LIMITS.recent));
  const alike = likeness.best(wanted);
  add('similar', alike.rows, alike.count);
  if (encoded !== undefined) {
    const fitting = encoded.index.search(encoded.query, wanted);
    add('encoder', fitting.rows, fitting.count);
  }
  add('blend', fuse([lists.get('neighbors'), lists.get('similar'), lists.get('encoder')]));
  return lists;
}

/** Rows that a source proposed, in the order of the pool. */
function proposals(pool: CandidatePool, bit: number): number[] {
  return Array.from(pool.rows.subarray(0, pool.count)).filter((_, slot) => (pool.sources[slot]! & (1 << bit)) !== 0);
}

function fuse(lists: readonly (readonly number[] | undefined)[]): number[] {
  const scores = new Map<number, number>();
  for (const list of lists) list?.forEach((row, place) => { scores.set(row, (scores.get(row) ?? 0) + 1 / (FUSION + place)); });
  return [...scores].sort(([, a], [, b]) => b - a).map(([row]) => row);
}
