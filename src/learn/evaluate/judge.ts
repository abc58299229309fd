import { seededRandom } from '../../util/random.js';
import { countItems, type Question, type Split, type Task } from '../task.js';
import { metricNames, writeValues } from './metrics.js';
import type { Answer } from './rank-all.js';

/** Resamples of a confidence interval, and its level. */
const BOOTSTRAP = { resamples: 1000, level: 0.95 } as const;

export type Values = Readonly<Record<string, number>>;
export type Interval = readonly [low: number, high: number];

/** How good the answers to some questions are. */
export interface Judgement {
  readonly questions: number;
  readonly metrics: Values;
  /** By bootstrap over shoppers, 95 %. */
  readonly intervals: Readonly<Record<string, Interval>>;
  /** Share of the catalog in anybody's first ten places. */
  readonly 'coverage@10': number;
  /** Mean percentile by popularity (0 rarest … 1 most popular) of what was recommended, and of what was wanted. */
  readonly popularityBias: { readonly recommended: number; readonly wanted: number };
  /** Share of items that nothing was known of, in the first ten places and among the wanted. */
  readonly newItemShare: { readonly recommended: number; readonly wanted: number };
  readonly segments: Readonly<Record<string, Readonly<Record<string, { readonly questions: number; readonly metrics: Values }>>>>;
}

/** Judges answers to the questions of a split. */
export class Judge {
  readonly #task: Task;
  readonly #names: readonly string[];
  readonly #counts: Uint32Array;
  readonly #percentiles: Float64Array;
  readonly #seed: number;

  constructor(task: Task, split: Split, seed: number) {
    this.#task = task;
    this.#names = metricNames(task.protocol);
    this.#counts = countItems(task.interactions, split.known);
    this.#percentiles = percentiles(this.#counts);
    this.#seed = seed;
  }

  judge(questions: readonly Question[], answers: readonly Answer[]): Judgement {
    const values = new Float32Array(questions.length * this.#names.length);
    answers.forEach(({ placings }, i) => { writeValues(this.#names, placings, values, i * this.#names.length); });
    const all = questions.map((_, i) => i);
    const tops = answers.flatMap(({ top }) => top);
    const wanted = questions.flatMap((question) => question.wanted);
    const percentile = (item: number): number => this.#percentiles[item]!;
    const isNew = (item: number): number => (this.#counts[item] === 0 ? 1 : 0);
    return {
      questions: questions.length,
      metrics: this.#mean(values, all),
      intervals: this.#intervals(questions, values),
      'coverage@10': new Set(tops).size / this.#task.items.length,
      popularityBias: { recommended: meanOf(tops, percentile), wanted: meanOf(wanted, percentile) },
      newItemShare: { recommended: meanOf(tops, isNew), wanted: meanOf(wanted, isNew) },
      segments: this.#segments(questions, values),
    };
  }

  #mean(values: Float32Array, rows: readonly number[]): Values {
    const width = this.#names.length;
    return Object.fromEntries(this.#names.map((name, column) => [name, meanOf(rows, (row) => values[row * width + column]!)]));
  }

  /**
   * Bootstrap (Efron, 1979), percentile interval. Shoppers are drawn, with all their questions: questions of one session
   * are alike, and drawn singly would make the interval too narrow.
   */
  #intervals(questions: readonly Question[], values: Float32Array): Record<string, Interval> {
    const { sums, counts } = sumByShopper(questions, values, this.#names.length);
    const shoppers = counts.length;
    const width = this.#names.length;
    const random = seededRandom(this.#seed);
    const means = this.#names.map(() => new Float64Array(BOOTSTRAP.resamples));
    const total = new Float64Array(width);
    for (let resample = 0; resample < BOOTSTRAP.resamples; resample++) {
      total.fill(0);
      let count = 0;
      for (let i = 0; i < shoppers; i++) {
        const drawn = Math.floor(random() * shoppers);
        count += counts[drawn]!;
        for (let column = 0, at = drawn * width; column < width; column++, at++) total[column]! += sums[at]!;
      }
      means.forEach((mean, column) => { mean[resample] = total[column]! / Math.max(1, count); });
    }
    const tail = Math.floor(BOOTSTRAP.resamples * (1 - BOOTSTRAP.level) / 2);
    return Object.fromEntries(this.#names.map((name, column) => {
      const sorted = means[column]!.toSorted();
      return [name, [sorted[tail]!, sorted.at(-1 - tail)!] as const];
    }));
  }

  #segments(questions: readonly Question[], values: Float32Array): Judgement['segments'] {
    const share = popularityShares(this.#counts);
    const bySegment = (name: (question: Question) => string): Record<string, { questions: number; metrics: Values }> => {
      const groups = new Map<string, number[]>();
      questions.forEach((question, i) => {
        const group = groups.get(name(question)) ?? [];
        groups.set(name(question), group);
        group.push(i);
      });
      return Object.fromEntries([...groups].toSorted(([a], [b]) => SEGMENTS.indexOf(a) - SEGMENTS.indexOf(b))
        .map(([segment, rows]) => [segment, { questions: rows.length, metrics: this.#mean(values, rows) }]));
    };
    return {
      'history length': bySegment(({ history }) => lengthSegment(history)),
      'popularity of the wanted': bySegment(({ wanted }) => popularitySegment(median(wanted.map((item) => share[item]!)))),
    };
  }
}

const LENGTHS = [[0, '0 events'], [2, '1–2'], [5, '3–5'], [10, '6–10'], [20, '11–20'], [50, '21–50'], [Infinity, 'over 50']] as const;
const lengthSegment = (length: number): string => LENGTHS.find(([most]) => length <= most)![1];

/** By the share of all events that fall on more popular items: each third of the events, and items never met. */
const POPULARITY = [[1 / 3, 'most popular third'], [2 / 3, 'middle third'], [1, 'rarest third'], [Infinity, 'never met']] as const;
const popularitySegment = (share: number): string => POPULARITY.find(([most]) => share <= most)![1];
const SEGMENTS: readonly string[] = [...LENGTHS, ...POPULARITY].map(([, name]) => name);

function sumByShopper(questions: readonly Question[], values: Float32Array, width: number): { sums: Float64Array; counts: Float64Array } {
  const places = new Map<number, number>();
  for (const { shopper } of questions) if (!places.has(shopper)) places.set(shopper, places.size);
  const sums = new Float64Array(places.size * width);
  const counts = new Float64Array(places.size);
  questions.forEach(({ shopper }, i) => {
    const place = places.get(shopper)!;
    counts[place]! += 1;
    for (let column = 0; column < width; column++) sums[place * width + column]! += values[i * width + column]!;
  });
  return { sums, counts };
}

/** Share of items that are less popular, ties by half: 0 … 1. */
function percentiles(counts: Uint32Array): Float64Array {
  const sorted = counts.toSorted();
  const below = new Map<number, number>();
  const upTo = new Map<number, number>();
  sorted.forEach((count, i) => {
    if (!below.has(count)) below.set(count, i);
    upTo.set(count, i + 1);
  });
  return Float64Array.from(counts, (count) => (below.get(count)! + upTo.get(count)!) / 2 / counts.length);
}

/** Share of all events that fall on items more popular than each, so that the most popular has 0; Infinity: never met. */
function popularityShares(counts: Uint32Array): Float64Array {
  const order = [...counts.keys()].sort((a, b) => counts[b]! - counts[a]!);
  const total = Math.max(1, counts.reduce((sum, count) => sum + count, 0));
  const shares = new Float64Array(counts.length).fill(Infinity);
  let above = 0;
  for (const item of order) {
    if (counts[item] === 0) break;
    shares[item] = above / total;
    above += counts[item]!;
  }
  return shares;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

function meanOf<T>(values: readonly T[], of: (value: T) => number): number {
  let sum = 0;
  for (const value of values) sum += of(value);
  return values.length === 0 ? 0 : sum / values.length;
}
