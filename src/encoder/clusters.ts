import { breathe } from '../util/pause.js';
import type { Random } from '../util/random.js';
import { VectorMemory } from './vector-memory.js';

export const CLUSTER_LIMITS = {
  /** Vectors per cluster that the centres are found from, and times that the centres move. */
  sampleEach: 32,
  rounds: 8,
  /** There are √rows × this many clusters: with twice as many, the same number of vectors scored finds more. */
  perRoot: 2,
  /** Centres are found anew when there are this many times as many rows as when they were found. */
  regrowth: 1.5,
  /** Dot products before other work of the process gets its turn: about a millisecond. */
  dotsPerTurn: 2 ** 16,
} as const;

/** Vectors by row. */
export interface VectorSource {
  readonly rows: number;
  /** Floats of a vector. */
  readonly width: number;
  /** Writes the vector of a row; false when it has none, and then nothing is written. */
  readonly read: (row: number, out: Float32Array) => boolean;
}

export const NO_CLUSTER = -1;

/** Which cluster each row is in. */
export interface Assignment {
  /** Undefined when all vectors are in one. */
  readonly clusters: Clusters | undefined;
  /** NO_CLUSTER for a row without a vector. */
  readonly clusterOfRow: Int32Array;
}

/** Directions that vectors gather around. */
export class Clusters {
  /** Unit vectors. */
  readonly centres: VectorMemory;

  /** @param foundAt rows there were when the centres were found */
  constructor(readonly count: number, width: number, readonly foundAt: number) {
    this.centres = new VectorMemory(count, width, count);
  }

  /** @returns the cluster whose direction is nearest to that of the vector in `centres.query` */
  nearest(): number {
    const { scores } = this.centres;
    this.centres.dotRange(0, this.count);
    let best = 0;
    for (let i = 1; i < this.count; i++) if (scores[i]! > scores[best]!) best = i;
    return best;
  }
}

/**
 * Puts every row into a cluster, in slices: some √rows of them, or a single one when there are at most `oneMax` rows.
 * @param before of the same source when it had fewer rows: its clusters are kept, and their rows stay, for a while
 */
export async function assignClusters(source: VectorSource, oneMax: number, random: Random, before: Assignment | undefined): Promise<Assignment> {
  const { rows, width, read } = source;
  const clusterOfRow = new Int32Array(rows);
  const isOne = rows <= oneMax;
  const known = before?.clusters !== undefined && rows <= before.clusters.foundAt * CLUSTER_LIMITS.regrowth ? before : undefined;
  const clusters = known?.clusters ?? (isOne ? undefined : await findClusters(source, Math.round(CLUSTER_LIMITS.perRoot * Math.sqrt(rows)), random));
  if (known !== undefined) clusterOfRow.set(known.clusterOfRow);
  const query = clusters?.centres.query ?? new Float32Array(width);
  const perTurn = Math.ceil(CLUSTER_LIMITS.dotsPerTurn / (clusters?.count ?? 1));
  for (let row = known?.clusterOfRow.length ?? 0; row < rows; row++) {
    if (row % perTurn === 0) await breathe();
    clusterOfRow[row] = read(row, query) ? clusters?.nearest() ?? 0 : NO_CLUSTER;
  }
  return { clusters, clusterOfRow };
}

/**
 * Spherical k-means (I. Dhillon and D. Modha, 2001): a vector belongs to the centre with which its dot product is largest,
 * and each centre moves to the mean direction of its own. From a sample of the rows, in slices.
 */
async function findClusters({ rows, width, read }: VectorSource, count: number, random: Random): Promise<Clusters> {
  const clusters = new Clusters(count, width, rows);
  const { centres } = clusters;
  // One row from each of as many equal parts, so that none comes twice.
  const size = Math.min(rows, count * CLUSTER_LIMITS.sampleEach);
  const sample = Int32Array.from({ length: size }, (_, i) => Math.floor((i + random()) * (rows / size)));
  const readUnit = (index: number, out: Float32Array): boolean => read(sample[index]!, out) && toUnit(out);
  for (let i = 0; i < count; i++) readUnit(Math.floor((i + random()) * (size / count)), centres.vector(i));
  const perTurn = Math.ceil(CLUSTER_LIMITS.dotsPerTurn / count);
  const sums = new Float32Array(centres.vectors.length);
  for (let round = 0; round < CLUSTER_LIMITS.rounds; round++) {
    sums.fill(0);
    for (let i = 0; i < size; i++) {
      if (i % perTurn === 0) await breathe();
      if (!readUnit(i, centres.query)) continue;
      const from = clusters.nearest() * centres.stride;
      for (let j = 0; j < width; j++) sums[from + j]! += centres.query[j]!;
    }
    for (let i = 0; i < count; i++) {
      const sum = sums.subarray(i * centres.stride, (i + 1) * centres.stride);
      // A centre that nothing is near to begins anew at some vector.
      if (!toUnit(sum)) readUnit(Math.floor(random() * size), sum);
      centres.vector(i).set(sum);
    }
  }
  return clusters;
}

/** @returns whether the vector has a direction */
function toUnit(vector: Float32Array): boolean {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (squares === 0) return false;
  const scale = 1 / Math.sqrt(squares);
  for (let i = 0; i < vector.length; i++) vector[i]! *= scale;
  return true;
}
