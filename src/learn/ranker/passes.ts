import { seededRandom, shuffle } from '../../util/random.js';
import type { Batch } from './batches.js';
import type { ListStore } from './lists.js';

/** Passes through a store of lists, batch after batch, each pass in an order of its own. */
export class Passes {
  readonly stepsPerPass: number;
  readonly #order: number[];
  #step = 0;

  constructor(readonly store: ListStore, readonly batch: Batch, readonly seed: number) {
    this.#order = Array.from({ length: store.size }, (_, i) => i);
    this.stepsPerPass = Math.ceil(store.size / batch.lists);
  }

  fillNext(): void {
    this.skip(1);
    const from = (this.#step - 1) % this.stepsPerPass * this.batch.lists;
    this.batch.fill(this.store, this.#order.slice(from, from + this.batch.lists));
  }

  /** Goes on as if so many batches had been filled. */
  skip(steps: number): void {
    for (const until = this.#step + steps; this.#step < until; this.#step++) {
      if (this.#step % this.stepsPerPass === 0) shuffle(this.#order, seededRandom(this.seed + this.#step / this.stepsPerPass));
    }
  }
}
