import type { Random } from '../../util/random.js';
import type { AdamOptions } from '../graph/adam.js';
import { sampledSoftmax } from '../graph/losses.js';
import { reshape } from '../graph/ops.js';
import type { Tape, Value } from '../graph/tape.js';
import type { Feeds, TrainingGraph } from '../graph/training-graph.js';
import type { Interactions } from '../task.js';
import { bucketOf, gapOf, type AttentionBias } from './attention-bias.js';
import type { ItemVectors } from './item-vectors.js';
import type { WantedAt } from './moments.js';
import type { NegativeSampler } from './negatives.js';
import { encode } from './network.js';
import type { Stretch } from './sequences.js';

export interface BatchShape {
  readonly rows: number;
  /** Events of a row. */
  readonly length: number;
  readonly width: number;
  readonly negatives: number;
}

/** Where a position has no event, or none is wanted of it. */
const NONE = -1;

/** The loss of a batch, on the tape; `Batch` feeds it. */
export function batchLoss(tape: Tape, { rows, length, width, negatives }: BatchShape, dropout: number): Value {
  const positions = rows * length;
  const users = encode(tape.rows('items', [rows, length, width]), tape.rows('bias', [rows, length, length]), { dropout, latestOnly: false });
  return sampledSoftmax(reshape(users, [positions, width]), tape.rows('wanted', [positions, width]), tape.rows('negatives', [negatives, width]), {
    positiveLogQ: tape.input('wantedLogQ', [positions, 1]), negativeLogQ: tape.input('negativeLogQ', [1, negatives]),
    positiveIds: tape.input('wantedIds', [positions, 1], 'int32'), negativeIds: tape.input('negativeIds', [1, negatives], 'int32'),
    weights: tape.input('weights', [positions, 1]),
  });
}

/** What a batch is made from. */
export interface BatchSource {
  readonly log: Interactions;
  readonly wantedAt: WantedAt;
  readonly vectors: ItemVectors;
  readonly bias: AttentionBias;
  readonly sampler: NegativeSampler;
}

/** The arrays that a training step is fed with, filled anew for each. */
export class Batch {
  readonly #shape: BatchShape;
  readonly #source: BatchSource;
  readonly #items: Float32Array;
  readonly #bias: Float32Array;
  readonly #wanted: Float32Array;
  readonly #negatives: Float32Array;
  readonly #wantedLogQ: Float32Array;
  readonly #negativeLogQ: Float32Array;
  readonly #weights: Float32Array;
  /** Item of each position, or −1. */
  readonly #ids: Int32Array;
  readonly #wantedIds: Int32Array;
  readonly #negativeIds: Int32Array;
  /** By item: the position whose history it was last found in. */
  readonly #seenBy: Int32Array;

  constructor(shape: BatchShape, source: BatchSource) {
    const { rows, length, width, negatives } = shape;
    const positions = rows * length;
    this.#shape = shape;
    this.#source = source;
    this.#items = new Float32Array(positions * width);
    this.#bias = new Float32Array(positions * length);
    this.#wanted = new Float32Array(positions * width);
    this.#negatives = new Float32Array(negatives * width);
    this.#wantedLogQ = new Float32Array(positions);
    this.#negativeLogQ = new Float32Array(negatives);
    this.#weights = new Float32Array(positions);
    this.#ids = new Int32Array(positions);
    this.#wantedIds = new Int32Array(positions);
    this.#negativeIds = new Int32Array(negatives);
    this.#seenBy = new Int32Array(source.vectors.count);
  }

  /** @param rows at most as many as the shape has; the rest stays empty */
  load(rows: readonly (readonly Stretch[])[], random: Random): Feeds {
    const { length } = this.#shape;
    this.#source.bias.begin(this.#bias);
    for (const array of [this.#items, this.#wanted, this.#wantedLogQ, this.#weights]) array.fill(0);
    this.#ids.fill(NONE);
    this.#wantedIds.fill(NONE);
    this.#seenBy.fill(NONE);
    let wanted = 0;
    for (const [row, stretches] of rows.entries()) {
      let at = row * length;
      for (const stretch of stretches) {
        wanted += this.#writeStretch(stretch, at, random);
        at += stretch.to - stretch.from;
      }
    }
    // The mean over what is wanted.
    for (let i = 0; i < this.#weights.length; i++) this.#weights[i]! /= Math.max(1, wanted);
    this.#drawNegatives(random);
    return {
      items: this.#items, bias: this.#bias, wanted: this.#wanted, negatives: this.#negatives, weights: this.#weights,
      wantedLogQ: this.#wantedLogQ, negativeLogQ: this.#negativeLogQ, wantedIds: this.#wantedIds, negativeIds: this.#negativeIds,
    };
  }

  /** Gives the gradients of the latest step back to vectors and bias. */
  learn(training: TrainingGraph, options: AdamOptions): void {
    const { vectors, bias } = this.#source;
    const { width } = this.#shape;
    for (const [name, ids] of [['items', this.#ids], ['wanted', this.#wantedIds], ['negatives', this.#negativeIds]] as const) {
      const gradient = training.gradient(name);
      for (let i = 0; i < ids.length; i++) if (ids[i] !== NONE) vectors.addGradient(ids[i]!, gradient, i * width);
    }
    vectors.step(options, training.steps);
    bias.step(training.gradient('bias'), options, training.steps);
  }

  /** @returns how many of its positions want something */
  #writeStretch({ from, to }: Stretch, at: number, random: Random): number {
    const { log: { item }, vectors, sampler, wantedAt } = this.#source;
    const { width } = this.#shape;
    let count = 0;
    for (let event = from; event < to; event++) {
      const position = at + event - from;
      this.#ids[position] = item[event]!;
      vectors.write(item[event]!, this.#items, position * width);
      const next = wantedAt(event, random);
      if (next === NONE) continue;
      count += 1;
      const wanted = item[next]!;
      this.#wantedIds[position] = wanted;
      vectors.write(wanted, this.#wanted, position * width);
      this.#wantedLogQ[position] = sampler.logs[wanted]!;
      this.#weights[position] = 1;
      this.#writeHistory(from, event, position, next);
    }
    return count;
  }

  /** Lets a position look at the distinct items of its stretch so far, each where it was last, as serving will have them. */
  #writeHistory(from: number, event: number, position: number, next: number): void {
    const { log: { item, at }, bias } = this.#source;
    const { length } = this.#shape;
    const now = at[next]!;
    const logits = position * length + position % length;
    let age = 0;
    for (let past = event; past >= from; past--) {
      if (this.#seenBy[item[past]!] === position) continue;
      this.#seenBy[item[past]!] = position;
      bias.write(this.#bias, logits - (event - past), age++, bucketOf(gapOf(now - at[past]!)));
    }
  }

  #drawNegatives(random: Random): void {
    const { vectors, sampler } = this.#source;
    for (let k = 0; k < this.#shape.negatives; k++) {
      const item = sampler.draw(random);
      this.#negativeIds[k] = item;
      this.#negativeLogQ[k] = sampler.logs[item]!;
      vectors.write(item, this.#negatives, k * this.#shape.width);
    }
  }
}
