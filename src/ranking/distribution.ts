import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Check } from 'typebox/schema';
import { AppError } from '../errors.js';
import { Type, type Static } from '../util/type.js';

/** Bins of one column, about equally full in training. */
const BINS = 10;
/** A share below this counts as this: an empty bin would make the index infinite. */
const SHARE_MIN = 1e-4;

/** Conventional limits of the population stability index: below the first nothing to see, above the second look at once. */
export const DRIFT_LIMITS = { moderate: 0.1, strong: 0.25 } as const;

/** How one column lay in training: shares of the values up to each edge, and, last, of those beyond. */
const ColumnSchema = Type.Object({
  edges: Type.Array(Type.Number(), { maxItems: BINS }),
  shares: Type.Array(Type.Number({ minimum: 0, maximum: 1 }), { minItems: 1, maxItems: BINS + 1 }),
}, { additionalProperties: false });

/** `distribution.json` of a model folder: what its features and scores were like where it was trained. */
export const DistributionSchema = Type.Object({
  lists: Type.Integer({ minimum: 1 }),
  user: Type.Record(Type.String(), ColumnSchema),
  items: Type.Record(Type.String(), ColumnSchema),
  score: ColumnSchema,
}, { additionalProperties: false });
export type Distribution = Static<typeof DistributionSchema>;
export type ColumnDistribution = Static<typeof ColumnSchema>;

/** Items of a list that are looked at: what a shopper sees, best first. */
export const DISTRIBUTION_ITEMS = 20;

/** @returns undefined when the model has none @throws AppError `model_refused` when it is no such file */
export async function readDistribution(folder: string): Promise<Distribution | undefined> {
  const path = join(folder, 'distribution.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (!Check(DistributionSchema, value)) throw new AppError('model_refused', `${path} does not follow its schema.`);
  return value;
}

/** Bins at the quantiles of the values; fewer where many are the same. */
export function binned(values: Float32Array): ColumnDistribution {
  const sorted = values.toSorted();
  const edges: number[] = [];
  for (let bin = 1; bin < BINS; bin++) {
    const edge = sorted[Math.floor((bin * sorted.length) / BINS)]!;
    if (edge > (edges.at(-1) ?? -Infinity)) edges.push(edge);
  }
  const counts = new Float64Array(edges.length + 1);
  for (const value of values) counts[binOf(edges, value)]! += 1;
  return { edges, shares: Array.from(counts, (count) => Math.round((count / values.length) * 1e5) / 1e5) };
}

/** @returns the first bin whose edge is not below the value; the last for what is beyond, and for NaN */
export function binOf(edges: readonly number[], value: number): number {
  let bin = 0;
  while (bin < edges.length && !(value <= edges[bin]!)) bin++;
  return bin;
}

/** Population stability index: Σ (now − then) · ln(now / then) over the bins. */
export function stabilityIndex(then: readonly number[], counts: ArrayLike<number>): number {
  let total = 0;
  for (let bin = 0; bin < counts.length; bin++) total += counts[bin]!;
  let sum = 0;
  for (let bin = 0; bin < then.length; bin++) {
    const before = Math.max(SHARE_MIN, then[bin]!);
    const now = Math.max(SHARE_MIN, counts[bin]! / total);
    sum += (now - before) * Math.log(now / before);
  }
  return sum;
}

/** The vectors of a list that was shown: of the shopper, of the items in order, and their scores. */
export interface ShownVectors {
  readonly user: Float32Array;
  /** [count × C] */
  readonly items: Float32Array;
  readonly scores: ArrayLike<number>;
  readonly count: number;
}

interface Counted { readonly name: string; readonly column: number; readonly edges: readonly number[]; readonly shares: readonly number[]; readonly counts: Float64Array }

/** How far live traffic is from where the model was trained, column by column. */
export class DriftCounter {
  readonly #user: readonly Counted[];
  readonly #items: readonly Counted[];
  readonly #score: Counted;
  #lists = 0;

  /** @param features the columns of the vectors, in order */
  constructor({ user, items, score }: Distribution, features: { readonly userFeatures: readonly string[]; readonly itemFeatures: readonly string[] }) {
    const counted = (names: readonly string[], known: Readonly<Record<string, ColumnDistribution>>): Counted[] => names.flatMap((name, column) => {
      const then = known[name];
      return then === undefined ? [] : [{ name, column, ...then, counts: new Float64Array(then.shares.length) }];
    });
    this.#user = counted(features.userFeatures, user);
    this.#items = counted(features.itemFeatures, items);
    this.#score = { name: 'score', column: 0, ...score, counts: new Float64Array(score.shares.length) };
  }

  /** Lists counted, those from before `fade` in part. */
  get lists(): number {
    return this.#lists;
  }

  add({ user, items, scores, count }: ShownVectors): void {
    this.#lists += 1;
    for (const { column, edges, counts } of this.#user) counts[binOf(edges, user[column]!)]! += 1;
    const rows = Math.min(count, DISTRIBUTION_ITEMS);
    const width = items.length / count;
    for (let row = 0; row < rows; row++) {
      for (const { column, edges, counts } of this.#items) counts[binOf(edges, items[row * width + column]!)]! += 1;
      this.#score.counts[binOf(this.#score.edges, scores[row]!)]! += 1;
    }
  }

  /** Lets what was counted so far weigh less. */
  fade(factor: number): void {
    this.#lists *= factor;
    for (const { counts } of [...this.#user, ...this.#items, this.#score]) for (let bin = 0; bin < counts.length; bin++) counts[bin]! *= factor;
  }

  /** Stability index of every column, and of the score; none before anything was counted. */
  indexes(): Map<string, number> {
    if (this.#lists === 0) return new Map();
    return new Map([this.#score, ...this.#user, ...this.#items].map(({ name, shares, counts }) => [name, stabilityIndex(shares, counts)]));
  }
}
