import { FLOAT, minus, oneMinus, plus, product, rawReshape, rawSlice, rowSums, sum, times } from './ops.js';
import { sizeOf } from './shape.js';
import type { Value } from './tape.js';

/**
 * Losses, each one number: a sum weighted by the caller, who gives weights of 1 / rows for a mean and of 0 for padding.
 */

/** What is added to a score to take it out of a softmax; finite, so that a list left empty makes no NaN. */
const OUT = -1e9;

/**
 * Listwise softmax `−Σ worth · log softmax(scores)` in each list (Cao et al., 2007; with graded worth, Bruch et al., 2019).
 * @param scores [lists, width]
 * @param present [lists, width] 1, or 0 for the padding of a shorter list
 * @param worth [lists, width] from 0; a list's sum is its weight
 */
export function listwiseSoftmax(scores: Value, present: Value, worth: Value): Value {
  const { tape, shape } = scores;
  const masked = plus(scores, times(oneMinus(present), tape.constant(OUT)));
  const logs = tape.emit('LogSoftmax', [masked], shape, { axis: -1 });
  const loss = total(tape.emit('Neg', [times(logs, worth)], shape));
  return tape.record(loss, [scores, (dy) => {
    const shares = tape.emit('Exp', [logs], shape);
    return times(minus(times(shares, rowSums(worth)), worth), dy);
  }]);
}

/**
 * LambdaLoss with the weights of LambdaRank (Wang et al., CIKM 2018; Burges, 2010): over the pairs of a list where i is
 * worth more than j, `Σ (worth_i − worth_j) · |1 / D_i − 1 / D_j| · log(1 + e^(score_j − score_i))`, where
 * `D = log₂(1 + rank)`. Ranks are those that the scores give as they are; they change by leaps, so they have no slope.
 * Memory and time grow with the square of a list's width.
 * @param scores, @param present, @param worth as of `listwiseSoftmax`
 */
export function lambdaLoss(scores: Value, present: Value, worth: Value): Value {
  const { tape, shape } = scores;
  const [lists, width] = [shape[0]!, shape[1]!];
  const pairs = [lists, width, width];
  const down = (x: Value): Value => rawReshape(x, [lists, width, 1]);
  const along = (x: Value): Value => rawReshape(x, [lists, 1, width]);
  const kept = plus(scores, times(oneMinus(present), tape.constant(OUT)));
  const isAbove = tape.emit('Cast', [tape.emit('Greater', [along(kept), down(kept)], pairs)], pairs, { to: FLOAT });
  const inverse = tape.emit('Reciprocal', [tape.emit('Log', [plus(rowSums(isAbove), tape.constant(2))], [lists, width, 1])], [lists, width, 1]);
  const change = tape.emit('Abs', [times(minus(inverse, along(inverse)), tape.constant(Math.LN2))], pairs);
  const lead = tape.emit('Relu', [minus(down(worth), along(worth))], pairs);
  const weights = times(times(lead, change), along(present));
  const behind = minus(along(kept), down(kept));
  const loss = total(times(softplus(behind), weights));
  return tape.record(loss, [scores, (dy) => {
    const slopes = times(times(tape.emit('Sigmoid', [behind], pairs), weights), dy);
    return minus(rawReshape(sum(slopes, [1]), shape), rawReshape(rowSums(slopes), shape));
  }]);
}

/**
 * Sigmoid cross-entropy `−Σ weight · (label · log σ(x) + (1 − label) · log(1 − σ(x)))`.
 * All of one shape; a label is a probability, 0 … 1.
 */
export function sigmoidCrossEntropy(logits: Value, labels: Value, weights: Value): Value {
  const { tape, shape } = logits;
  const loss = total(times(minus(softplus(logits), times(logits, labels)), weights));
  return tape.record(loss, [logits, (dy) => times(times(minus(tape.emit('Sigmoid', [logits], shape), labels), weights), dy)]);
}

/** What the sampled softmax is told of its rows and of the negatives they share. */
export interface Sample {
  /** [rows, 1] and [1, K]: logarithm of how likely each item is to be drawn, which is taken off its score (Yi et al., 2019). */
  readonly positiveLogQ: Value;
  readonly negativeLogQ: Value;
  /** [rows, 1] and [1, K], int32: a negative that is a row's own positive does not count in that row. */
  readonly positiveIds: Value;
  readonly negativeIds: Value;
  /** [rows, 1] */
  readonly weights: Value;
}

/**
 * Softmax over a row's positive and K negatives that all rows share: `−Σ weight · log share of the positive`.
 * @param users [rows, d]
 * @param positives [rows, d]
 * @param negatives [K, d]
 */
export function sampledSoftmax(users: Value, positives: Value, negatives: Value, sample: Sample): Value {
  const { tape } = users;
  const rows = sizeOf(users.shape.slice(0, 1));
  const k = sizeOf(negatives.shape.slice(0, 1));
  const own = minus(rowSums(times(users, positives)), sample.positiveLogQ);
  const others = minus(product(users, negatives, false, true), sample.negativeLogQ);
  const isOwn = tape.emit('Equal', [sample.positiveIds, sample.negativeIds], [rows, k]);
  const counted = tape.emit('Where', [isOwn, tape.constant(OUT), others], [rows, k]);
  const logits = tape.emit('Concat', [own, counted], [rows, k + 1], { axis: 1 });
  const shares = tape.emit('Softmax', [logits], [rows, k + 1], { axis: 1 });
  const ownShare = rawSlice(shares, 1, 0, 1);
  // As a logarithm of the share, so that no log softmax of all scores is made beside it; a share of 0 is no infinity.
  const logShare = tape.emit('Log', [plus(ownShare, tape.constant(1e-30))], [rows, 1]);
  const loss = total(tape.emit('Neg', [times(logShare, sample.weights)], [rows, 1]));

  // At each score, its share less what is wanted of it: 1 of the positive, 0 of the others.
  let slopes: { own: Value; others: Value } | undefined;
  const slopesOf = (dy: Value): { own: Value; others: Value } => {
    if (slopes !== undefined) return slopes;
    const weights = times(sample.weights, dy);
    return slopes = {
      own: times(minus(ownShare, tape.constant(1)), weights),
      others: times(rawSlice(shares, 1, 1, k + 1), weights),
    };
  };
  return tape.record(
    loss,
    [users, (dy) => plus(times(slopesOf(dy).own, positives), product(slopesOf(dy).others, negatives, false, false))],
    [positives, (dy) => times(slopesOf(dy).own, users)],
    [negatives, (dy) => product(slopesOf(dy).others, users, true, false)],
  );
}

/** `log(1 + e^x)` as `max(x, 0) + log(1 + e^−|x|)`, which never overflows. */
function softplus(x: Value): Value {
  const { tape, shape } = x;
  const gap = tape.emit('Exp', [tape.emit('Neg', [tape.emit('Abs', [x], shape)], shape)], shape);
  return plus(tape.emit('Relu', [x], shape), tape.emit('Log', [plus(gap, tape.constant(1))], shape));
}

const total = (x: Value): Value => rawReshape(sum(x), []);
