import type { Random } from '../../util/random.js';
import type { AdamOptions } from '../graph/adam.js';
import { grown, Table } from '../graph/table.js';
import type { ItemAttributes } from './attributes.js';

/** Deviation of the initial vectors. */
const DEVIATION = 0.05;

/**
 * Vectors of items, `own + Σ attributes' vectors / √(how many)`: what is learned of an item is learned of those like it.
 * A batch composes each item it holds once (`place`), and gives the sum of the item's gradients back once.
 */
export class ItemVectors {
  readonly own: Table;
  readonly attributes: Table;
  /** Composed vectors and gradients of the batch's items, by place. */
  #composed = new Float32Array(0);
  #gradients = new Float32Array(0);
  readonly #places: Int32Array;
  readonly #items: number[] = [];

  constructor(readonly count: number, readonly width: number, readonly of: ItemAttributes, random: Random) {
    this.own = new Table(count, width, { deviation: DEVIATION, random });
    this.attributes = new Table(of.keys.length, width, { deviation: DEVIATION, random });
    this.#places = new Int32Array(count).fill(-1);
  }

  /** Writes an item's vector. */
  compose(item: number, out: Float32Array, at: number): void {
    const { width, own, attributes, of: { offsets, index } } = this;
    for (let i = 0, from = item * width; i < width; i++) out[at + i] = own.values[from + i]!;
    const [begin, end] = [offsets[item]!, offsets[item + 1]!];
    const factor = 1 / Math.sqrt(end - begin);
    for (let a = begin; a < end; a++) {
      for (let i = 0, from = index[a]! * width; i < width; i++) out[at + i] = out[at + i]! + factor * attributes.values[from + i]!;
    }
  }

  /** All vectors, [count × width]. */
  composeAll(): Float32Array {
    const all = new Float32Array(this.count * this.width);
    for (let item = 0; item < this.count; item++) this.compose(item, all, item * this.width);
    return all;
  }

  /** Writes the vector of an item of the batch. */
  write(item: number, out: Float32Array, at: number): void {
    const from = this.#place(item) * this.width;
    for (let i = 0; i < this.width; i++) out[at + i] = this.#composed[from + i]!;
  }

  /** Adds to the gradient of an item that was written. */
  addGradient(item: number, gradient: Float32Array, from: number): void {
    const to = this.#place(item) * this.width;
    const sums = this.#gradients;
    for (let i = 0; i < this.width; i++) sums[to + i] = sums[to + i]! + gradient[from + i]!;
  }

  /** Ends a batch: changes its items by the gradients added. */
  step(options: AdamOptions, step: number): void {
    const { width, of: { offsets, index } } = this;
    for (const [place, item] of this.#items.entries()) {
      const from = place * width;
      this.own.addGradient(item, this.#gradients, from);
      const [begin, end] = [offsets[item]!, offsets[item + 1]!];
      const factor = 1 / Math.sqrt(end - begin);
      for (let a = begin; a < end; a++) this.attributes.addGradient(index[a]!, this.#gradients, from, factor);
      this.#places[item] = -1;
    }
    this.#items.length = 0;
    this.own.step(options, step);
    this.attributes.step(options, step);
  }

  #place(item: number): number {
    let place = this.#places[item]!;
    if (place >= 0) return place;
    place = this.#items.push(item) - 1;
    this.#places[item] = place;
    const from = place * this.width;
    this.#reserve(from + this.width);
    this.compose(item, this.#composed, from);
    this.#gradients.fill(0, from, from + this.width);
    return place;
  }

  #reserve(length: number): void {
    if (this.#composed.length >= length) return;
    this.#composed = grown(this.#composed, length);
    this.#gradients = grown(this.#gradients, length);
  }
}
