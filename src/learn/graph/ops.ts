import { broadcastShape, sameShape, showShape, sizeOf, type Shape } from './shape.js';
import type { Value, Way } from './tape.js';

/**
 * Differentiable operators. Those of softmax and layer norm go back by rules derived by hand, which cost a fraction of
 * going back through their parts.
 */

export const add = (a: Value, b: Value): Value =>
  a.tape.record(plus(a, b), [a, (dy) => sumTo(dy, a.shape)], [b, (dy) => sumTo(dy, b.shape)]);

export const multiply = (a: Value, b: Value): Value =>
  a.tape.record(times(a, b), [a, (dy) => sumTo(times(dy, b), a.shape)], [b, (dy) => sumTo(times(dy, a), b.shape)]);

export const scale = (x: Value, factor: number): Value => multiply(x, x.tape.constant(factor));

export interface Transposes { readonly transposeA?: boolean; readonly transposeB?: boolean }

/**
 * Product of matrices in the last two dimensions; the leading ones are aligned as in `add`. A transposed factor costs no
 * copy (FusedMatMul of onnxruntime).
 */
export function matmul(a: Value, b: Value, { transposeA = false, transposeB = false }: Transposes = {}): Value {
  // Many matrices times one: one tall product, whose gradient needs no sum over the matrices.
  if (a.shape.length > 2 && b.shape.length === 2 && !transposeA) {
    const tall = reshape(a, [sizeOf(a.shape.slice(0, -1)), a.shape.at(-1)!]);
    const product = matmul(tall, b, { transposeB });
    return reshape(product, [...a.shape.slice(0, -1), product.shape[1]!]);
  }
  return a.tape.record(
    product(a, b, transposeA, transposeB),
    [a, (dy) => sumTo(transposeA ? product(b, dy, transposeB, true) : product(dy, b, false, !transposeB), a.shape)],
    [b, (dy) => sumTo(transposeB ? product(dy, a, true, transposeA) : product(a, dy, !transposeA, false), b.shape)],
  );
}

/** `x · W + b` over the last dimension, W initialised as He et al. (2015) for ReLU; parameters `<name>_weights` and `<name>_bias`. */
export function linear(x: Value, name: string, outputs: number, gain = Math.SQRT2): Value {
  const inputs = sizeOf(x.shape.slice(-1));
  const weights = x.tape.parameter(`${name}_weights`, [inputs, outputs], { deviation: gain / Math.sqrt(inputs) });
  return add(matmul(x, weights), x.tape.parameter(`${name}_bias`, [outputs], { fill: 0 }));
}

export function relu(x: Value): Value {
  const { tape } = x;
  const y = tape.emit('Relu', [x], x.shape);
  // 1 where y > 0: a product and a clip are vectorised, where Sign and Where are not.
  const slope = (): Value => tape.emit('Clip', [times(y, tape.constant(1e30)), tape.constant(0), tape.constant(1)], x.shape);
  return tape.record(y, [x, (dy) => times(dy, slope())]);
}

export function sigmoid(x: Value): Value {
  const y = x.tape.emit('Sigmoid', [x], x.shape);
  return x.tape.record(y, [x, (dy) => times(dy, times(y, oneMinus(y)))]);
}

/** Softmax over the last dimension. To leave elements out, add a mask of large negative numbers first. */
export function softmax(x: Value): Value {
  const y = x.tape.emit('Softmax', [x], x.shape, { axis: -1 });
  // dx = y ∘ (dy − Σ dy ∘ y)
  return x.tape.record(y, [x, (dy) => times(y, minus(dy, rowSums(times(dy, y))))]);
}

/** Normalises the last dimension to mean 0 and deviation 1 (Ba et al., 2016); parameters `<name>_gain` and `<name>_shift`. */
export function layerNorm(x: Value, name: string): Value {
  const { tape } = x;
  const width = sizeOf(x.shape.slice(-1));
  const gain = tape.parameter(`${name}_gain`, [width], { fill: 1 });
  const shift = tape.parameter(`${name}_shift`, [width], { fill: 0 });
  const perRow = [...x.shape.slice(0, -1), 1];
  const [y, mean, inverse] = tape.emitAll('LayerNormalization', [x, gain, shift], [x.shape, perRow, perRow], { axis: -1, epsilon: { float: 1e-5 } });
  const normal = once(() => times(minus(x, mean!), inverse!));
  const back = (dy: Value): Value => {
    // dx = (d − mean(d) − n ∘ mean(d ∘ n)) / deviation, where n is the normalised x and d the gradient at it
    const d = times(dy, gain);
    const means = (z: Value): Value => times(rowSums(z), tape.constant(1 / width));
    return times(minus(minus(d, means(d)), times(normal(), means(times(d, normal())))), inverse!);
  };
  return tape.record(y!, [x, back], [gain, (dy) => sumTo(times(dy, normal()), gain.shape)], [shift, (dy) => sumTo(dy, shift.shape)]);
}

/** In training, keeps each element with probability 1 − ratio, and makes up for the others (Srivastava et al., 2014). */
export const dropout = (x: Value, ratio: number): Value =>
  x.tape.training && ratio > 0 ? multiply(x, x.tape.mask(x.shape, ratio)) : x;

/** Sum over dimensions, all of them if not said, which are left out of the result. */
export function sum(x: Value, axes: readonly number[] = x.shape.map((_, i) => i)): Value {
  const kept = x.shape.map((length, i) => (axes.includes(i) ? 1 : length));
  const result = reduceSum(x, axes, x.shape.filter((_, i) => !axes.includes(i)), false);
  return x.tape.record(result, [x, (dy) => spread(rawReshape(dy, kept), x.shape)]);
}

export const mean = (x: Value, axes: readonly number[] = x.shape.map((_, i) => i)): Value =>
  scale(sum(x, axes), 1 / sizeOf(axes.map((axis) => x.shape[axis]!)));

export const reshape = (x: Value, shape: Shape): Value => (sameShape(x.shape, shape) ? x
  : x.tape.record(rawReshape(x, shape), [x, (dy) => rawReshape(dy, x.shape)]));

export function concat(parts: readonly [Value, ...Value[]], axis: number): Value {
  const [{ tape, shape }] = parts;
  const lengths = parts.map((part) => sizeOf([part.shape[axis]!]));
  const begins = lengths.map((_, i) => lengths.slice(0, i).reduce((all, length) => all + length, 0));
  const whole = tape.emit('Concat', parts, shape.with(axis, begins.at(-1)! + lengths.at(-1)!), { axis });
  return tape.record(whole, ...parts.map((part, i): Way => [part, (dy) => rawSlice(dy, axis, begins[i]!, begins[i]! + lengths[i]!)]));
}

/** Elements [from, to) of a dimension. */
export function slice(x: Value, axis: number, from: number, to: number): Value {
  const { tape } = x;
  const pad = (dy: Value): Value => {
    const before = x.shape.map((_, i) => (i === axis ? from : 0));
    const after = x.shape.map((length, i) => (i === axis ? sizeOf([length]) - to : 0));
    return tape.emit('Pad', [dy, tape.integers([...before, ...after])], x.shape);
  };
  return tape.record(rawSlice(x, axis, from, to), [x, pad]);
}

/**
 * Rows of a small table by whole numbers: `[R, W]` and `[...]` give `[..., W]`. Its gradient multiplies by a matrix
 * [indices × R]; for a table of thousands of rows use `Tape.rows` and a `Table`.
 */
export function gather(table: Value, indices: Value): Value {
  const { tape } = table;
  const [rows, width] = [sizeOf(table.shape.slice(0, 1)), table.shape[1]!];
  const back = (dy: Value): Value => {
    const count = sizeOf(indices.shape);
    const isRow = tape.emit('Equal', [
      tape.emit('Cast', [rawReshape(indices, [count, 1])], [count, 1], { to: FLOAT }), tape.constant(Array.from({ length: rows }, (_, row) => row), [1, rows]),
    ], [count, rows]);
    return product(tape.emit('Cast', [isRow], [count, rows], { to: FLOAT }), rawReshape(dy, [count, width]), true, false);
  };
  return tape.record(tape.emit('Gather', [table, indices], [...indices.shape, width], { axis: 0 }), [table, back]);
}

/** Number of float in the standard's enumeration of element types. */
export const FLOAT = 1;

// The rest is not differentiable: forward halves, and the pieces that gradients are made of.

const elementwise = (type: string, a: Value, b: Value): Value => a.tape.emit(type, [a, b], broadcastShape(a.shape, b.shape));
export const plus = (a: Value, b: Value): Value => elementwise('Add', a, b);
export const minus = (a: Value, b: Value): Value => elementwise('Sub', a, b);
export const times = (a: Value, b: Value): Value => elementwise('Mul', a, b);
export const oneMinus = (x: Value): Value => minus(x.tape.constant(1), x);

export function product(a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const [rows, inner] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const [inner2, columns] = transposeB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
  if (inner !== inner2) throw new Error(`cannot multiply ${showShape(a.shape)} and ${showShape(b.shape)}`);
  const shape = [...broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns];
  return transposeA || transposeB
    ? a.tape.emit('com.microsoft.FusedMatMul', [a, b], shape, { transA: Number(transposeA), transB: Number(transposeB) })
    : a.tape.emit('MatMul', [a, b], shape);
}

/** Sums of the last dimension, which stays with length 1. */
export const rowSums = (x: Value): Value => reduceSum(x, [x.shape.length - 1], [...x.shape.slice(0, -1), 1], true);

function reduceSum(x: Value, axes: readonly number[], shape: Shape, keep: boolean): Value {
  return x.tape.emit('ReduceSum', [x, x.tape.integers(axes)], shape, { keepdims: Number(keep) });
}

/** Back from a stretched shape: what was used many times gets the sum of its gradients. */
function sumTo(dy: Value, shape: Shape): Value {
  if (sameShape(dy.shape, shape)) return dy;
  const lead = dy.shape.length - shape.length;
  const axes = dy.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && dy.shape[i] !== 1));
  const sums = reduceSum(dy, axes, dy.shape.map((length, i) => (axes.includes(i) ? 1 : length)), true);
  return rawReshape(sums, shape);
}

const spread = (x: Value, shape: Shape): Value => x.tape.emit('Expand', [x, x.tape.integers(shape.map((length) => sizeOf([length])))], shape);

export function rawReshape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const unknown = shape.filter((length) => typeof length === 'string');
  if (unknown.length > 1) throw new Error(`cannot reshape to ${showShape(shape)}: more than one length is unknown`);
  if (unknown.length === 0 && sizeOf(x.shape) !== sizeOf(shape)) throw new Error(`cannot reshape ${showShape(x.shape)} to ${showShape(shape)}`);
  return x.tape.emit('Reshape', [x, x.tape.integers(shape.map((length) => (typeof length === 'string' ? -1 : length)), [shape.length])], shape);
}

export function rawSlice(x: Value, axis: number, from: number, to: number): Value {
  const { tape } = x;
  return tape.emit('Slice', [x, tape.integers([from]), tape.integers([to]), tape.integers([axis])], x.shape.with(axis, to - from));
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
