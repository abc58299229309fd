import { InferenceSession, Tensor } from 'onnxruntime-node';
import { trainingSession } from '../graph/session-options.js';
import { Tape } from '../graph/tape.js';
import { evaluate, type Quality } from '../metrics.js';
import { Batch } from './batches.js';
import type { DeedValues, ListStore } from './lists.js';
import { headScores, PLACE_EFFECTS } from './network.js';
import type { Ranker } from './ranker.js';

/** Lists scored in one run. */
const BATCH = 32;

/** Ranks lists with the weights as they are, to tell when training should stop. */
export class RankerJudge {
  readonly #batch: Batch;
  readonly #scores: Float32Array;

  constructor(
    readonly lists: ListStore, readonly ranker: Pick<Ranker, 'columns' | 'shape' | 'weights' | 'headValues'>, readonly values: DeedValues,
  ) {
    this.#batch = new Batch(BATCH, lists.rowsMax, ranker.columns, []);
    this.#scores = new Float32Array(lists.size * lists.rowsMax);
  }

  /** Mean over the lists; zeros when there are none. */
  async quality(): Promise<Quality> {
    const { rowsMax } = this.lists;
    await this.#scoreAll();
    return evaluate(this.lists, (list, i) => this.#scores.subarray(i * rowsMax, i * rowsMax + list.count), this.values);
  }

  async #scoreAll(): Promise<void> {
    const { lists, rows, columns } = this.#batch;
    const { shape, weights, headValues } = this.ranker;
    const tape = new Tape('judge', weights, { training: false });
    const heads = headScores(tape, tape.input('user', [lists, columns.user.length]), tape.input('items', [lists, rows, columns.item.length]), shape);
    const session = await InferenceSession.create(tape.model({ heads }), trainingSession());
    for (let from = 0; from < this.lists.size; from += lists) {
      const count = Math.min(lists, this.lists.size - from);
      this.#batch.fill(this.lists, Array.from({ length: count }, (_, i) => from + i));
      const output = await session.run({
        user: new Tensor('float32', this.#batch.user, [lists, columns.user.length]),
        items: new Tensor('float32', this.#batch.items, [lists, rows, columns.item.length]),
      });
      this.#keep(output['heads']!.data as Float32Array, headValues, from * rows, count * rows);
    }
    await session.release();
  }

  /**
   * Lists as they were shown are judged with what their places did: without it, the weights that best repeat the old
   * order would be taken for the best.
   * @param heads [rows, heads]
   */
  #keep(heads: Float32Array, values: readonly number[], to: number, count: number): void {
    const effects = new Map(this.ranker.weights.entries()).get(PLACE_EFFECTS)?.values ?? new Float32Array(values.length);
    const last = effects.length / values.length - 1;
    for (let row = 0; row < count; row++) {
      const place = Math.min(this.#batch.places[row]!, last);
      let score = 0;
      values.forEach((value, head) => { score += value * (heads[row * values.length + head]! + effects[place * values.length + head]!); });
      this.#scores[to + row] = score;
    }
  }
}
