import onnxProto from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { seededRandom } from '../../util/random.js';
import { add, linear, matmul, minus, relu, times } from '../graph/ops.js';
import { sizeOf, type Shape } from '../graph/shape.js';
import { Tape, type Value } from '../graph/tape.js';
import { Weights } from '../graph/weights.js';
import type { ResponseExamples } from './examples.js';

/**
 * The response model: the logit of p(convert | shopper, row), wide and deep (Cheng et al., DLRS 2016): a logistic regression on all
 * features plus two hidden layers for what they do together. The first layer is split, so that the shopper's part is computed once
 * for all rows.
 */
export interface ResponseNetwork {
  readonly userWidth: number;
  readonly rowWidth: number;
  readonly hidden: readonly [number, number];
  /** With the standardisation of the features, which is not trained: `user_mean`, `user_inverse`, `row_mean`, `row_inverse`. */
  readonly weights: Weights;
}

/** Raw features are clipped to ± this first: they are logarithms, shares and flags, so only a fault goes beyond. */
export const FEATURE_CLIP = 50;

/**
 * @param user [rows, userWidth] or [1, userWidth], standardised
 * @param row [rows, rowWidth], standardised
 * @returns [rows, 1]
 */
export function responseLogits(tape: Tape, user: Value, row: Value, [first, second]: ResponseNetwork['hidden']): Value {
  const [users, rows] = [user, row].map(({ shape }) => sizeOf(shape.slice(1))) as [number, number];
  // Both parts begin as if they were one matrix (He et al., 2015).
  const deviation = Math.sqrt(2 / (users + rows));
  const userPart = add(matmul(user, tape.parameter('user_weights', [users, first], { deviation })), tape.parameter('first_bias', [first], { fill: 0 }));
  const hidden = relu(add(matmul(row, tape.parameter('row_weights', [rows, first], { deviation })), userPart));
  const deep = matmul(relu(linear(hidden, 'second', second)), tape.parameter('deep_weights', [second, 1], { deviation: 0.5 / Math.sqrt(second) }));
  const userWide = add(matmul(user, tape.parameter('user_wide', [users, 1], { fill: 0 })), tape.parameter('bias', [1], { fill: 0 }));
  return add(add(matmul(row, tape.parameter('row_wide', [rows, 1], { fill: 0 })), userWide), deep);
}

/** Parameters of the last layer: times a, plus b at the bias, they make logits a · logit + b. */
export const LAST_LAYER = ['deep_weights', 'user_wide', 'row_wide', 'bias'] as const;

/** Writes features of examples from `index` on, standardised as the serving graph does it. */
export function standardise(out: Float32Array, from: Float32Array, at: number, rows: number, { mean, inverse }: { mean: Float32Array; inverse: Float32Array }): void {
  const width = mean.length;
  for (let i = 0; i < rows * width; i++) {
    const column = i % width;
    out[i] = (Math.min(FEATURE_CLIP, Math.max(-FEATURE_CLIP, from[at * width + i]!)) - mean[column]!) * inverse[column]!;
  }
}

/** Mean and 1 / deviation by column; 0 for one that does not vary, which so says nothing. */
export function setScaling({ weights }: Pick<ResponseNetwork, 'weights'>, part: 'user' | 'row', values: Float32Array, width: number): void {
  const { mean, inverse } = scalingOf(weights, part, width);
  const rows = Math.max(1, values.length / width);
  const sums = new Float64Array(width);
  const squares = new Float64Array(width);
  values.forEach((raw, i) => {
    const value = Math.min(FEATURE_CLIP, Math.max(-FEATURE_CLIP, raw));
    sums[i % width]! += value;
    squares[i % width]! += value * value;
  });
  for (let column = 0; column < width; column++) {
    const average = sums[column]! / rows;
    const variance = squares[column]! / rows - average ** 2;
    mean[column] = average;
    // A column that hardly varies is not blown up.
    inverse[column] = variance < 1e-9 * Math.max(1, average ** 2) ? 0 : 1 / Math.max(0.05, Math.sqrt(variance));
  }
}

export function scalingOf(weights: Weights, part: 'user' | 'row', width: number): { mean: Float32Array; inverse: Float32Array } {
  return { mean: weights.get(`${part}_mean`, [width], { fill: 0 }).values, inverse: weights.get(`${part}_inverse`, [width], { fill: 1 }).values };
}

/** The model as ONNX of the engine's contract: `user [1, U]`, `items [N, C]` → `score [N]`. @param users a name stands for a user per row */
export function exportResponse({ userWidth, rowWidth, hidden, weights }: ResponseNetwork, users: number | string = 1): Uint8Array {
  const tape = new Tape('response', weights, { training: false });
  const input = (name: string, part: 'user' | 'row', shape: Shape): Value => {
    const raw = tape.input(name, shape);
    const clipped = tape.emit('Clip', [raw, tape.constant(-FEATURE_CLIP), tape.constant(FEATURE_CLIP)], shape);
    const width = sizeOf(shape.slice(1));
    return times(minus(clipped, tape.parameter(`${part}_mean`, [width], { fill: 0 })), tape.parameter(`${part}_inverse`, [width], { fill: 1 }));
  };
  const logits = responseLogits(tape, input('user', 'user', [users, userWidth]), input('items', 'row', ['N', rowWidth]), hidden);
  return tape.model({ score: tape.emit('Reshape', [logits, tape.integers([-1])], ['N']) });
}

/** Rows that are scored at once. */
const CHUNK = 2048;

/** The logit of each example. */
export async function scoreExamples(network: ResponseNetwork, examples: ResponseExamples): Promise<Float32Array> {
  const session = await InferenceSession.create(exportResponse(network, 'N'), { intraOpNumThreads: 1 });
  const logits = new Float32Array(examples.size);
  const { userWidth, rowWidth } = network;
  for (let from = 0; from < examples.size; from += CHUNK) {
    const until = Math.min(examples.size, from + CHUNK);
    const { score } = await session.run({
      user: new Tensor('float32', examples.users.subarray(from * userWidth, until * userWidth), [until - from, userWidth]),
      items: new Tensor('float32', examples.rows.subarray(from * rowWidth, until * rowWidth), [until - from, rowWidth]),
    });
    logits.set(score!.data as Float32Array, from);
  }
  await session.release();
  return logits;
}

/** A copy that may be trained further. */
export function copyNetwork(network: ResponseNetwork): ResponseNetwork {
  const weights = new Weights(seededRandom(0));
  for (const [name, { shape, values }] of network.weights.entries()) weights.get(name, shape, { fill: 0 }).values.set(values);
  return { ...network, weights };
}

/**
 * Reads a model that `exportResponse` wrote, to go on from.
 * @returns undefined for one of another tool or shape
 */
export function readResponse(onnx: Uint8Array, { userWidth, rowWidth, hidden }: Omit<ResponseNetwork, 'weights'>): ResponseNetwork | undefined {
  const [first, second] = hidden;
  const shapes: Readonly<Record<string, readonly number[]>> = {
    user_mean: [userWidth], user_inverse: [userWidth], row_mean: [rowWidth], row_inverse: [rowWidth],
    user_weights: [userWidth, first], row_weights: [rowWidth, first], first_bias: [first], second_weights: [first, second], second_bias: [second],
    deep_weights: [second, 1], user_wide: [userWidth, 1], row_wide: [rowWidth, 1], bias: [1],
  };
  const { graph } = onnxProto.onnx.ModelProto.decode(onnx);
  const found = new Map((graph?.initializer ?? []).map(({ name, rawData }) => [name ?? '', rawData ?? new Uint8Array(0)]));
  const weights = new Weights(seededRandom(0));
  for (const [name, shape] of Object.entries(shapes)) {
    const { values } = weights.get(name, shape, { fill: 0 });
    const bytes = found.get(name);
    if (bytes?.length !== values.byteLength) return undefined;
    // Copied: the bytes of a decoded message need not be aligned.
    values.set(new Float32Array(new Uint8Array(bytes).buffer));
  }
  return { userWidth, rowWidth, hidden, weights };
}
