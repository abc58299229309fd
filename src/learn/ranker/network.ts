import { add, dropout, gather, linear, matmul, relu, reshape, scale } from '../graph/ops.js';
import { lambdaLoss, listwiseSoftmax } from '../graph/losses.js';
import { sizeOf } from '../graph/shape.js';
import type { Tape, Value } from '../graph/tape.js';
import type { RankerSettings } from './settings.js';

/** Sizes of the network and how it is kept from learning the training lists by heart. */
export interface NetworkShape {
  readonly hidden: readonly [number, number];
  /** Outputs: one score per kind of deed. */
  readonly heads: number;
  readonly dropout: number;
}

/**
 * Scores of lists of items: two hidden layers, the first split so that the shopper's part is computed once a list, and a
 * head per deed: `heads = Whᵀ relu(W2ᵀ relu(Wuᵀ user + Wiᵀ item + b1) + b2)`. The heads have no bias of their own: a
 * list's ranking does not see it.
 * @param user [lists, columns]
 * @param items [lists, rows, columns]
 * @returns [lists × rows, heads]
 */
export function headScores(tape: Tape, user: Value, items: Value, { hidden: [first, second], heads, dropout: ratio }: NetworkShape): Value {
  const lists = sizeOf(items.shape.slice(0, 1));
  const rows = sizeOf(items.shape.slice(1, 2));
  const columns = sizeOf(items.shape.slice(2));
  const inputs = sizeOf(user.shape.slice(1)) + columns;
  // Both parts begin as if they were one matrix (He et al., 2015).
  const deviation = Math.sqrt(2 / inputs);
  const userWeights = tape.parameter('user_weights', [inputs - columns, first], { deviation });
  const itemWeights = tape.parameter('item_weights', [columns, first], { deviation });
  const userPart = add(matmul(user, userWeights), tape.parameter('bias1', [first], { fill: 0 }));
  const hidden1 = dropout(relu(add(matmul(items, itemWeights), reshape(userPart, [lists, 1, first]))), ratio);
  const hidden2 = relu(linear(reshape(hidden1, [lists * rows, first]), 'second', second));
  return matmul(hidden2, tape.parameter('head_weights', [second, heads], { deviation: Math.sqrt(1 / second) }));
}

/** What the places do: [places + 1, heads]. */
export const PLACE_EFFECTS = 'place_effects';

/** What the loss is told of a batch of lists; each is [lists, rows] but for the places. */
export interface LossInputs {
  /** 1, or 0 for the padding of a shorter list. */
  readonly present: Value;
  /** Added to a row's scores: makes up for the rows of its list that were not kept. */
  readonly offset: Value;
  /** By head: share of each row in what the list teaches. */
  readonly worth: readonly Value[];
  /** Where rows were shown, for lists that are what was shown: [lists × rows], int32, from 1. */
  readonly places?: { readonly values: Value; readonly max: number } | undefined;
}

/**
 * Σ over heads of weight × loss. What was shown high was seen more, whatever it was: a number learnt per
 * place and head, which serving leaves out, takes that upon itself (the shallow tower of Zhao et al., 2019, for a softmax
 * over the list).
 */
export function rankingLoss(tape: Tape, scores: Value, weights: readonly number[], { present, offset, worth, places }: LossInputs, loss: RankerSettings['loss'] = 'softmax'): Value {
  const heads = weights.length;
  const biased = places === undefined ? scores
    : add(scores, gather(tape.parameter(PLACE_EFFECTS, [places.max + 1, heads], { fill: 0 }), places.values));
  return weights
    .map((weight, head) => scale(LOSSES[loss](add(column(biased, head, heads, present.shape), offset), present, worth[head]!), weight))
    .reduce(add);
}

const LOSSES = { softmax: listwiseSoftmax, lambda: lambdaLoss } as const;

/** One head's scores by list and row. As a product, whose way back is cheaper than that of a slice. */
function column(scores: Value, head: number, heads: number, shape: Value['shape']): Value {
  if (heads === 1) return reshape(scores, shape);
  const { tape } = scores;
  const one = tape.constant(Array.from({ length: heads }, (_, i) => (i === head ? 1 : 0)), [heads, 1]);
  return reshape(matmul(scores, one), shape);
}
