import { breathe } from '../util/pause.js';
import type { Random } from '../util/random.js';
import { TopK } from '../util/top-k.js';
import { assignClusters, NO_CLUSTER, type Assignment, type VectorSource } from './clusters.js';
import { VectorMemory } from './vector-memory.js';

export const INDEX_LIMITS = {
  /**
   * Vectors scored in one search: a catalog of so many rows is searched whole, of a larger one the clusters nearest the
   * query. With an encoder of 12,101 beauty products, 64 dimensions, the 110 best for each of 2,236 shoppers:
   *
   * | scored | of the best, found | next item among the found | µs |
   * |---|---|---|---|
   * | all | 1 | .279 | 239 |
   * | 6144 | .996 | .278 | 167 |
   * | 4096 | .981 | .278 | 143 |
   * | 2048 | .923 | .278 | 82 |
   *
   * Made-up vectors around 2,000 directions, the 100 best: 12,000 items 80 µs, 50,000 131 µs, 200,000 225 µs (2.7 s to
   * build, in slices), .99 of them found; vectors of 40,727 items without such order, .79.
   */
  scoredMax: 4096,
  /** Rows that one search may give, and whose scores may be asked for at once. */
  bestMax: 512,
  /** Vectors put in place before other work of the process gets its turn. */
  rowsPerTurn: 2000,
} as const;

/** Place of all rows without a vector: zeros, so that they score 0. */
const NOWHERE = 0;

/** Rows with the highest scores, best first; the arrays are the index's own, until its next search. */
export interface Best {
  readonly rows: Int32Array;
  readonly scores: Float32Array;
  readonly count: number;
}

/**
 * Vectors of the catalog's rows, searched by dot product. Those of a cluster lie side by side, because vectors in a row
 * are scored four times as fast as strewn ones. An index never changes: for new rows another is built beside it.
 */
export class ItemIndex {
  readonly #assignment: Assignment;
  readonly #memory: VectorMemory;
  readonly #placeOfRow: Int32Array;
  readonly #rowOfPlace: Int32Array;
  /** The vectors of cluster i have places [starts[i], starts[i + 1]). */
  readonly #starts: Int32Array;
  readonly #nearest: TopK;
  readonly #top = new TopK(INDEX_LIMITS.bestMax);
  readonly #bestRows = new Int32Array(INDEX_LIMITS.bestMax);
  readonly #places = new Int32Array(INDEX_LIMITS.bestMax);

  private constructor(assignment: Assignment, width: number) {
    const { clusterOfRow, clusters } = assignment;
    this.#assignment = assignment;
    this.#starts = placeStarts(clusterOfRow, clusters?.count ?? 1);
    this.#placeOfRow = new Int32Array(clusterOfRow.length).fill(NOWHERE);
    this.#rowOfPlace = new Int32Array(this.#starts.at(-1)!);
    const next = this.#starts.slice();
    clusterOfRow.forEach((cluster, row) => {
      if (cluster === NO_CLUSTER) return;
      const place = next[cluster]!++;
      this.#placeOfRow[row] = place;
      this.#rowOfPlace[place] = row;
    });
    this.#nearest = new TopK(clusters?.count ?? 0);
    this.#memory = new VectorMemory(this.#rowOfPlace.length, width, INDEX_LIMITS.scoredMax);
  }

  /**
   * Builds an index in slices, for a process that serves requests meanwhile.
   * @param before an index of the same source when it had fewer rows
   */
  static async build(source: VectorSource, random: Random, before?: ItemIndex): Promise<ItemIndex> {
    const index = new ItemIndex(await assignClusters(source, INDEX_LIMITS.scoredMax, random, before === undefined ? undefined : before.#assignment), source.width);
    for (let place = NOWHERE + 1; place < index.#rowOfPlace.length; place++) {
      if (place % INDEX_LIMITS.rowsPerTurn === 0) await breathe();
      source.read(index.#rowOfPlace[place]!, index.#memory.vector(place));
    }
    return index;
  }

  /** Rows it was built for, with and without vectors. */
  get rows(): number {
    return this.#placeOfRow.length;
  }

  has(row: number): boolean {
    return (this.#placeOfRow[row] ?? NOWHERE) !== NOWHERE;
  }

  /** The row's vector, its padding included; zeros when there is none. */
  vector(row: number): Float32Array {
    return this.#memory.vector(this.#placeOfRow[row] ?? NOWHERE);
  }

  /** The rows whose vectors have the largest dot product with a query. */
  search(query: Float32Array, wanted: number): Best {
    this.#memory.query.set(query);
    this.#top.begin(wanted);
    if (this.#assignment.clusters === undefined) this.#scan(NOWHERE + 1, this.#rowOfPlace.length);
    else this.#scanNearest(this.#assignment.clusters, query);
    const count = this.#top.sort();
    for (let i = 0; i < count; i++) this.#bestRows[i] = this.#rowOfPlace[this.#top.candidates[i]!]!;
    return { rows: this.#bestRows, scores: this.#top.scores, count };
  }

  /** @returns the score of each row, valid until the next search; 0 for rows without a vector */
  scores(query: Float32Array, rows: ArrayLike<number>, count: number): Float32Array {
    for (let i = 0; i < count; i++) this.#places[i] = this.#placeOfRow[rows[i]!] ?? NOWHERE;
    this.#memory.query.set(query);
    this.#memory.dotAt(this.#places, count);
    return this.#memory.scores;
  }

  #scanNearest({ centres, count }: NonNullable<Assignment['clusters']>, query: Float32Array): void {
    centres.query.set(query);
    centres.dotRange(0, count);
    let left: number = INDEX_LIMITS.scoredMax;
    // Twice as many as hold so many vectors on average: to put all in order would take longer than to score them.
    this.#nearest.begin(Math.ceil(2 * count * left / this.#rowOfPlace.length));
    this.#nearest.offer(centres.scores, count, 0);
    const nearest = this.#nearest.sort();
    for (let i = 0; i < nearest && left > 0; i++) {
      const cluster = this.#nearest.candidates[i]!;
      const from = this.#starts[cluster]!;
      const to = Math.min(this.#starts[cluster + 1]!, from + left);
      this.#scan(from, to);
      left -= to - from;
    }
  }

  #scan(from: number, to: number): void {
    this.#memory.dotRange(from, to - from);
    this.#top.offer(this.#memory.scores, to - from, from);
  }
}

/** Places of each cluster's vectors, one after another behind that of rows without one. */
function placeStarts(clusterOfRow: Int32Array, clusters: number): Int32Array {
  const starts = new Int32Array(clusters + 1);
  for (const cluster of clusterOfRow) if (cluster !== NO_CLUSTER) starts[cluster + 1]! += 1;
  starts[0] = NOWHERE + 1;
  for (let i = 0; i < clusters; i++) starts[i + 1]! += starts[i]!;
  return starts;
}
