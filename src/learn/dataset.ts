import { USER_FEATURES } from '../profile/vector.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { Random } from '../util/random.js';
import { FEATURE_CLIP, type Scaling } from './export-mlp.js';
import type { ReplayedList } from './rows.js';

const WIDTH = ITEM_FEATURES.length;
/** Unseen candidates kept per training list, beside all that were shown. */
const NEGATIVES = 16;
/** A column that hardly varies is not blown up: smallest deviation to divide by. */
const DEVIATION_MIN = 0.05;

export type Split = 'train' | 'validation' | 'test';

export interface Dataset {
  readonly train: ReplayedList[];
  readonly validation: ReplayedList[];
  readonly test: ReplayedList[];
}

/**
 * Collects replayed lists into splits by time; features stay raw. Training keeps of the candidates the items shown and
 * a few others at random, which is much cheaper and teaches the same; validation and test keep them all.
 */
export function collect(lists: Iterable<ReplayedList>, splitOf: (at: number) => Split, random: Random): Dataset {
  const dataset: Dataset = { train: [], validation: [], test: [] };
  for (const list of lists) {
    const split = splitOf(list.at);
    const rows = split === 'train' && list.kind === 'candidates' ? sample(list, random) : Array.from({ length: list.count }, (_, i) => i);
    const kept = pick(list, rows);
    // Nothing to rank, or nothing to rank it by.
    if (kept.count > 1 && kept.worth.some((worth) => worth > 0)) dataset[split].push(kept);
  }
  return dataset;
}

function sample({ count, shown }: ReplayedList, random: Random): number[] {
  const rows: number[] = [];
  const unseen = count - shown.reduce((sum, flag) => sum + flag, 0);
  for (let row = 0; row < count; row++) if (shown[row] === 1 || random() < NEGATIVES / unseen) rows.push(row);
  return rows;
}

function pick(list: ReplayedList, rows: readonly number[]): ReplayedList {
  const items = new Float32Array(rows.length * WIDTH);
  rows.forEach((row, i) => { items.set(list.items.subarray(row * WIDTH, (row + 1) * WIDTH), i * WIDTH); });
  return {
    ...list, user: list.user.slice(), items, count: rows.length,
    worth: Float32Array.from(rows, (row) => list.worth[row]!), shown: Uint8Array.from(rows, (row) => list.shown[row]!),
  };
}

/** Mean and deviation of every column over the training lists. */
export function measureScaling(lists: readonly ReplayedList[]): { user: Scaling; item: Scaling } {
  const user = new Moments(USER_FEATURES.length);
  const item = new Moments(WIDTH);
  for (const list of lists) {
    user.add(list.user, 1);
    item.add(list.items, list.count);
  }
  return { user: user.scaling(), item: item.scaling() };
}

/** @returns the list with its features clipped and standardised, as the network wants them */
export function standardise(list: ReplayedList, { user, item }: { user: Scaling; item: Scaling }): ReplayedList {
  return { ...list, user: scaled(list.user, user), items: scaled(list.items, item) };
}

const clip = (value: number): number => Math.min(FEATURE_CLIP, Math.max(-FEATURE_CLIP, value));

function scaled(values: Float32Array, { mean, deviation }: Scaling): Float32Array {
  const width = mean.length;
  return values.map((value, i) => (clip(value) - mean[i % width]!) / deviation[i % width]!);
}

class Moments {
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  #rows = 0;

  constructor(readonly width: number) {
    this.#sum = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  add(values: Float32Array, rows: number): void {
    for (let i = 0; i < rows * this.width; i++) {
      const value = clip(values[i]!);
      this.#sum[i % this.width]! += value;
      this.#squares[i % this.width]! += value * value;
    }
    this.#rows += rows;
  }

  /** A column that never varied gets deviation Infinity: its weight in the exported graph is then zero. */
  scaling(): Scaling {
    const mean = this.#sum.map((sum) => sum / this.#rows);
    const deviation = this.#squares.map((squares, i) => {
      const variance = squares / this.#rows - mean[i]! ** 2;
      return variance < 1e-12 ? Infinity : Math.max(DEVIATION_MIN, Math.sqrt(variance));
    });
    return { mean, deviation };
  }
}
