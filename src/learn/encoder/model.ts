import { seededRandom } from '../../util/random.js';
import { add, reshape, scale } from '../graph/ops.js';
import { Tape } from '../graph/tape.js';
import { Weights } from '../graph/weights.js';
import { AttentionBias, GAP_BUCKETS, GAP_SCALE, HIDDEN } from './attention-bias.js';
import type { ItemAttributes } from './attributes.js';
import { ItemVectors } from './item-vectors.js';
import { encode } from './network.js';

export interface ModelShape {
  readonly items: number;
  readonly dimensions: number;
  readonly historyMax: number;
}

/** All that is learned: the network, the vectors of items and attributes, the attention's bias. */
export class EncoderModel {
  readonly weights: Weights;
  readonly vectors: ItemVectors;
  readonly bias: AttentionBias;

  constructor(readonly shape: ModelShape, attributes: ItemAttributes, seed: number) {
    const random = seededRandom(seed);
    this.weights = new Weights(random);
    this.vectors = new ItemVectors(shape.items, shape.dimensions, attributes, random);
    this.bias = new AttentionBias(shape.historyMax, random);
    // Parameters are made when a network first names them.
    this.servingGraph();
  }

  /** The learned values by name; they are the model's own arrays. */
  values(): Map<string, Float32Array> {
    const { vectors: { own, attributes }, bias: { ages, gaps } } = this;
    const values = new Map(Object.entries({ own, attributes, ages, gaps }).map(([name, table]) => [name, table.values]));
    for (const [name, weight] of this.weights.entries()) values.set(`network/${name}`, weight.values);
    return values;
  }

  /**
   * The graph of `encoder.onnx`: history [1, L, d], gaps [1, L], mask [1, L] → user [1, d]. The bias is looked up in the
   * graph: number 0 of the table hides what the mask leaves out.
   */
  servingGraph(): Uint8Array {
    const { shape: { dimensions, historyMax }, bias, weights } = this;
    const tape = new Tape('encoder', weights, { training: false });
    const places = [1, 1, historyMax];
    const history = tape.input('history', [1, historyMax, dimensions]);
    const gaps = tape.input('gaps', [1, historyMax]);
    const mask = tape.input('mask', [1, historyMax]);
    const number = add(scale(gaps, GAP_SCALE), tape.constant(1));
    const clipped = tape.emit('Clip', [number, tape.constant(1), tape.constant(GAP_BUCKETS)], [1, historyMax]);
    const bucket = tape.emit('Cast', [tape.emit('Mul', [clipped, mask], [1, historyMax])], [1, historyMax], { to: INT32 });
    const table = tape.constant([HIDDEN, ...bias.gaps.values], [GAP_BUCKETS + 1]);
    const byGap = reshape(tape.emit('Gather', [table, bucket], [1, historyMax], { axis: 0 }), places);
    const byAge = tape.constant([...bias.ages.values].toReversed(), places);
    return tape.model({ user: reshape(encode(history, add(byGap, byAge), { dropout: 0, latestOnly: true }), [1, dimensions]) });
  }
}

/** Number of int32 in the standard's enumeration of element types. */
const INT32 = 6;

/** Copies of arrays, to be set again with `setAll`. */
export const copyAll = (values: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> =>
  new Map([...values].map(([name, array]) => [name, array.slice()]));

export function setAll(values: ReadonlyMap<string, Float32Array>, saved: ReadonlyMap<string, Float32Array>): void {
  for (const [name, array] of values) array.set(saved.get(name)!);
}

/** Moves averages towards values by a share of the way. */
export function moveAll(averages: ReadonlyMap<string, Float32Array>, values: ReadonlyMap<string, Float32Array>, share: number): void {
  for (const [name, average] of averages) {
    const array = values.get(name)!;
    for (let i = 0; i < average.length; i++) average[i] = average[i]! + share * (array[i]! - average[i]!);
  }
}
