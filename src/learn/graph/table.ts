import { gaussian, type Random } from '../../util/random.js';
import { adamStep, newMoments, restoreArray, takeStep, type AdamOptions, type Moments } from './adam.js';

/**
 * An embedding table outside the graph: rows are gathered into a batch, their gradients added up here, and a lazy Adam
 * changes only the rows that had any, so that a step costs what the batch holds and not what the table does.
 * (Not the same as dense Adam: the moments of an untouched row stand still.)
 */
export class Table {
  readonly values: Float32Array;
  readonly moments: Moments;
  /** Place of a row's sum in `#sums`, or −1. */
  readonly #slots: Int32Array;
  readonly #touched: number[] = [];
  #sums = new Float32Array(0);

  /** @param deviation of the initial values */
  constructor(readonly rows: number, readonly width: number, { deviation, random }: { deviation: number; random: Random }) {
    this.values = Float32Array.from({ length: rows * width }, () => gaussian(random) * deviation);
    this.moments = newMoments(rows * width);
    this.#slots = new Int32Array(rows).fill(-1);
  }

  /** Adds `factor` × the row of gradients that begins at `from` to the sum of a row. */
  addGradient(row: number, gradient: Float32Array, from: number, factor = 1): void {
    const { width } = this;
    let slot = this.#slots[row]!;
    if (slot < 0) {
      slot = this.#touched.push(row) - 1;
      this.#slots[row] = slot;
      this.#reserve((slot + 1) * width);
      this.#sums.fill(0, slot * width, (slot + 1) * width);
    }
    const sums = this.#sums;
    for (let i = 0, at = slot * width; i < width; i++, at++) sums[at] = sums[at]! + factor * gradient[from + i]!;
  }

  /** Changes the rows that gradients were added to, and forgets those. @param step counts from 1, over all steps of the training */
  step(options: AdamOptions, step: number): void {
    const { width, values, moments } = this;
    const adam = adamStep(options, step);
    for (let slot = 0; slot < this.#touched.length; slot++) {
      const row = this.#touched[slot]!;
      takeStep(adam, values, moments, this.#sums, row * width, width, slot * width);
      this.#slots[row] = -1;
    }
    this.#touched.length = 0;
  }

  /** Values and moments, as copies. @param prefix of their names: several tables may be in one checkpoint */
  checkpoint(prefix = ''): ReadonlyMap<string, Float32Array> {
    return new Map(this.#state().map(([name, values]) => [prefix + name, values.slice()]));
  }

  restore(arrays: ReadonlyMap<string, Float32Array>, prefix = ''): void {
    for (const [name, values] of this.#state()) restoreArray(values, arrays, prefix + name);
  }

  #state(): [string, Float32Array][] {
    return [['values', this.values], ['mean', this.moments.mean], ['square', this.moments.square]];
  }

  #reserve(length: number): void {
    if (this.#sums.length < length) this.#sums = grown(this.#sums, length);
  }
}

/** A longer copy: of the length asked for, or twice as long. */
export function grown(array: Float32Array, length: number): Float32Array<ArrayBuffer> {
  const longer = new Float32Array(Math.max(length, 2 * array.length));
  longer.set(array);
  return longer;
}
