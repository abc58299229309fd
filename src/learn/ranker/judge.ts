import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Tape } from '../graph/tape.js';
import { Batch } from './batches.js';
import type { DeedValues, Ranker } from './fit-ranker.js';
import { DEED, type ListStore } from './lists.js';
import { headScores } from './network.js';

/** Lists scored in one run. */
const BATCH = 32;
const DEPTH = 10;

/** Ranks lists with the weights as they are, to tell when training should stop. */
export class RankerJudge {
  readonly #batch: Batch;
  readonly #worthOfDeed: readonly number[];

  constructor(readonly lists: ListStore, readonly ranker: Pick<Ranker, 'columns' | 'shape' | 'weights' | 'headValues'>, values: DeedValues) {
    this.#batch = new Batch(BATCH, lists.rowsMax, ranker.columns, []);
    const { clicked, carted, bought } = values;
    this.#worthOfDeed = [0, clicked, clicked + carted, clicked + carted + bought];
  }

  /** Mean over the lists; 0 when there are none. */
  async ndcg10(): Promise<number> {
    const { lists, rows, columns } = this.#batch;
    const { shape, weights, headValues } = this.ranker;
    const tape = new Tape('judge', weights, { training: false });
    const heads = headScores(tape, tape.input('user', [lists, columns.user.length]), tape.input('items', [lists, rows, columns.item.length]), shape);
    const session = await InferenceSession.create(tape.model({ heads }), { intraOpNumThreads: 2, interOpNumThreads: 1 });
    let sum = 0;
    for (let from = 0; from < this.lists.size; from += lists) {
      const indexes = Array.from({ length: Math.min(lists, this.lists.size - from) }, (_, i) => from + i);
      this.#batch.fill(this.lists, indexes);
      const output = await session.run({
        user: new Tensor('float32', this.#batch.user, [lists, columns.user.length]),
        items: new Tensor('float32', this.#batch.items, [lists, rows, columns.item.length]),
      });
      const scores = valued(output['heads']!.data as Float32Array, headValues);
      indexes.forEach((index, i) => { sum += this.#ndcg(index, scores.subarray(i * rows, (i + 1) * rows)); });
    }
    await session.release();
    return sum / Math.max(1, this.lists.size);
  }

  #ndcg(index: number, scores: Float32Array): number {
    const { deeds, count } = this.lists.at(index);
    const worth = Float32Array.from({ length: count }, (_, row) => this.#worthOfDeed[deeds[row] ?? DEED.none]!);
    return gain(worth, scores) / gain(worth, worth);
  }
}

function gain(worth: Float32Array, scores: Float32Array): number {
  // Equal scores go by row, last first: nothing is gained from the order in which the sources proposed.
  const order = Array.from(worth.keys()).sort((a, b) => scores[b]! - scores[a]! || b - a);
  return order.slice(0, DEPTH).reduce((sum, row, place) => sum + worth[row]! / Math.log2(place + 2), 0);
}

/** @param heads [rows, heads] */
function valued(heads: Float32Array, values: readonly number[]): Float32Array {
  return Float32Array.from({ length: heads.length / values.length }, (_, row) =>
    values.reduce((sum, value, head) => sum + value * heads[row * values.length + head]!, 0));
}
