import { add, dropout, layerNorm, linear, matmul, relu, scale, slice, softmax } from '../graph/ops.js';
import { sizeOf } from '../graph/shape.js';
import type { Value } from '../graph/tape.js';

/** Units of the feed-forward layer, times the dimensions. */
const WIDENING = 4;

export interface NetworkOptions {
  readonly dropout: number;
  /** Encode as of the latest item only: all that serving needs. */
  readonly latestOnly: boolean;
}

/**
 * One block of self-attention (Kang and McAuley, 2018; pre-norm): from item vectors to user vectors as of each item.
 * One head whose keys are the normalised items themselves: a learned key matrix would only multiply the query's.
 * @param items [rows, L, d]
 * @param bias [rows, L, L], or [rows, 1, L] for the latest only: what is added to the attention's logits
 * @returns [rows, L or 1, d]; a score of an item is the product with its vector
 */
export function encode(items: Value, bias: Value, options: NetworkOptions): Value {
  const [, length, width] = items.shape.map((dim) => sizeOf([dim])) as [number, number, number];
  const drop = (x: Value): Value => dropout(x, options.dropout);
  const asked = (x: Value): Value => (options.latestOnly ? slice(x, 1, length - 1, length) : x);
  const input = drop(items);
  const normal = layerNorm(input, 'attention');
  const query = linear(asked(normal), 'query', width, 1);
  const logits = add(scale(matmul(query, normal, { transposeB: true }), 1 / Math.sqrt(width)), bias);
  const seen = linear(matmul(softmax(logits), normal), 'value', width, 1);
  const state = add(asked(input), drop(seen));
  const hidden = drop(relu(linear(layerNorm(state, 'forward'), 'widen', WIDENING * width)));
  return layerNorm(add(state, drop(linear(hidden, 'narrow', width, 1))), 'user');
}
