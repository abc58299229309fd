import { InferenceSession, Tensor } from 'onnxruntime-node';
import t, { type Test } from 'tap';
import { lambdaLoss, listwiseSoftmax, sampledSoftmax, sigmoidCrossEntropy } from '../../../src/learn/graph/losses.js';
import {
  add, concat, dropout, gather, layerNorm, linear, matmul, mean, multiply, relu, reshape, scale, sigmoid, slice, softmax, sum,
} from '../../../src/learn/graph/ops.js';
import { sizeOf } from '../../../src/learn/graph/shape.js';
import { Table } from '../../../src/learn/graph/table.js';
import { Tape, type Value } from '../../../src/learn/graph/tape.js';
import { TrainingGraph, type Feed } from '../../../src/learn/graph/training-graph.js';
import { Weights } from '../../../src/learn/graph/weights.js';
import { gaussian, seededRandom, type Random } from '../../../src/util/random.js';

const noise = (length: number, random: Random): Float32Array => Float32Array.from({ length }, () => gaussian(random));
/** Step of a finite difference, and what float32 leaves of its accuracy. */
const STEP = 1e-2;
const TOLERANCE = 3e-3;

interface Check {
  readonly shapes: readonly (readonly number[])[];
  /** The result, or the loss when it is one number. */
  readonly of: (tape: Tape, values: readonly Value[]) => Value;
  readonly result?: readonly number[];
  readonly feeds?: Readonly<Record<string, Feed>>;
  /** Values keep away from 0, where the slope jumps. */
  readonly isKinked?: boolean;
}

/** Compares every gradient of `of`, weighted at random, with finite differences: of its operands and of its parameters. */
async function check(t: Test, { shapes, of, result = [], feeds = {}, isKinked = false }: Check): Promise<void> {
  const random = seededRandom(5);
  const weights = new Weights(random);
  const tape = new Tape('check', weights, { training: true });
  const names = shapes.map((_, i) => `x${i}`);
  const y = of(tape, shapes.map((shape, i) => tape.rows(names[i]!, shape)));
  t.same(y.shape, result, 'shape');
  const isLoss = y.shape.length === 0;
  const loss = isLoss ? y : sum(multiply(y, tape.input('factors', y.shape)));
  const training = await TrainingGraph.compile(tape, loss, { seed: 3, rate: 0, threads: 1 });
  const operands = Object.fromEntries(shapes.map((shape, i) => {
    const values = noise(sizeOf(shape), random);
    return [names[i]!, isKinked ? values.map((x) => x + Math.sign(x) * 3 * STEP) : values];
  }));
  const all = { ...operands, ...(isLoss ? {} : { factors: noise(sizeOf(y.shape), random) }), ...feeds };
  for (const [, { values }] of weights.entries()) for (let i = 0; i < values.length; i++) values[i]! += 0.5 * gaussian(random);

  await training.evaluate(all);
  const leaves: [string, Float32Array][] = [...Object.entries(operands), ...[...weights.entries()].map(([name, { values }]): [string, Float32Array] => [name, values])];
  const gradients = new Map(leaves.map(([name]) => [name, training.gradient(name).slice()]));
  let worst = 0;
  let largest = 0;
  for (const [name, values] of leaves) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      values[i] = value + STEP;
      const above = await training.evaluate(all);
      values[i] = value - STEP;
      const below = await training.evaluate(all);
      values[i] = value;
      const expected = (above - below) / (2 * STEP);
      const gradient = gradients.get(name)![i]!;
      worst = Math.max(worst, Math.abs(expected - gradient) / Math.max(1, Math.abs(expected)));
      largest = Math.max(largest, Math.abs(gradient));
    }
  }
  t.ok(worst < TOLERANCE, `worst relative difference ${worst}`);
  t.ok(largest > 0.05, `and gradients are not all small: ${largest}`);
  await training.release();
}

const OPERATORS: Readonly<Record<string, Check>> = {
  'add': { shapes: [[3, 4], [3, 4]], of: (_, [a, b]) => add(a!, b!), result: [3, 4] },
  'add, right stretched': { shapes: [[2, 3, 4], [4]], of: (_, [a, b]) => add(a!, b!), result: [2, 3, 4] },
  'add, left stretched': { shapes: [[3, 1], [2, 3, 4]], of: (_, [a, b]) => add(a!, b!), result: [2, 3, 4] },
  'add, a value to itself': { shapes: [[3]], of: (_, [a]) => add(a!, a!), result: [3] },
  'multiply': { shapes: [[3, 4], [3, 4]], of: (_, [a, b]) => multiply(a!, b!), result: [3, 4] },
  'multiply, both stretched': { shapes: [[3, 1], [1, 4]], of: (_, [a, b]) => multiply(a!, b!), result: [3, 4] },
  'scale': { shapes: [[3]], of: (_, [a]) => scale(a!, -2.5), result: [3] },
  'matmul': { shapes: [[3, 4], [4, 2]], of: (_, [a, b]) => matmul(a!, b!), result: [3, 2] },
  'matmul, left transposed': { shapes: [[4, 3], [4, 2]], of: (_, [a, b]) => matmul(a!, b!, { transposeA: true }), result: [3, 2] },
  'matmul, right transposed': { shapes: [[3, 4], [2, 4]], of: (_, [a, b]) => matmul(a!, b!, { transposeB: true }), result: [3, 2] },
  'matmul, both transposed': { shapes: [[4, 3], [2, 4]], of: (_, [a, b]) => matmul(a!, b!, { transposeA: true, transposeB: true }), result: [3, 2] },
  'matmul, many': { shapes: [[2, 3, 4], [2, 4, 2]], of: (_, [a, b]) => matmul(a!, b!), result: [2, 3, 2] },
  'matmul, many, right transposed': { shapes: [[2, 3, 4], [2, 5, 4]], of: (_, [a, b]) => matmul(a!, b!, { transposeB: true }), result: [2, 3, 5] },
  'matmul, many by one': { shapes: [[2, 3, 4], [4, 2]], of: (_, [a, b]) => matmul(a!, b!), result: [2, 3, 2] },
  'matmul, many by one, right transposed': { shapes: [[2, 3, 4], [2, 4]], of: (_, [a, b]) => matmul(a!, b!, { transposeB: true }), result: [2, 3, 2] },
  'matmul, one by many': { shapes: [[3, 4], [2, 4, 2]], of: (_, [a, b]) => matmul(a!, b!), result: [2, 3, 2] },
  'matmul, many, left transposed, by one': { shapes: [[2, 4, 3], [4, 2]], of: (_, [a, b]) => matmul(a!, b!, { transposeA: true }), result: [2, 3, 2] },
  'linear': { shapes: [[2, 3, 4]], of: (_, [a]) => linear(a!, 'layer', 2), result: [2, 3, 2] },
  'relu': { shapes: [[3, 7]], of: (_, [a]) => relu(a!), result: [3, 7], isKinked: true },
  'sigmoid': { shapes: [[3, 4]], of: (_, [a]) => sigmoid(a!), result: [3, 4] },
  'softmax': { shapes: [[2, 3, 4]], of: (_, [a]) => softmax(a!), result: [2, 3, 4] },
  'softmax, masked': {
    shapes: [[2, 4]], of: (tape, [a]) => softmax(add(a!, tape.input('mask', [2, 4]))), result: [2, 4], feeds: { mask: Float32Array.of(0, -1e9, 0, 0, 0, 0, 0, -1e9) },
  },
  'layer norm': { shapes: [[2, 3, 4]], of: (_, [a]) => layerNorm(a!, 'norm'), result: [2, 3, 4] },
  'dropout': { shapes: [[5, 6]], of: (_, [a]) => dropout(a!, 0.5), result: [5, 6] },
  'sum': { shapes: [[2, 3, 4]], of: (_, [a]) => sum(a!, [0, 2]), result: [3] },
  'mean': { shapes: [[2, 3]], of: (_, [a]) => scale(mean(multiply(a!, a!)), 10), result: [] },
  'mean of a dimension': { shapes: [[2, 3]], of: (_, [a]) => mean(a!, [1]), result: [2] },
  'reshape': { shapes: [[2, 6]], of: (_, [a]) => reshape(a!, [3, 4]), result: [3, 4] },
  'concat': { shapes: [[2, 3], [2, 1], [2, 2]], of: (_, [a, b, c]) => concat([a!, b!, c!], 1), result: [2, 6] },
  'slice': { shapes: [[2, 5, 3]], of: (_, [a]) => slice(a!, 1, 1, 4), result: [2, 3, 3] },
  'gather': {
    shapes: [[4, 3]], of: (tape, [a]) => gather(a!, tape.input('indices', [2, 3], 'int32')), result: [2, 3, 3], feeds: { indices: Int32Array.of(0, 3, 3, 2, 0, 0) },
  },
};

const LOSSES: Readonly<Record<string, Check>> = {
  'listwise softmax': {
    shapes: [[3, 4]],
    of: (tape, [scores]) => listwiseSoftmax(scores!, tape.input('present', [3, 4]), tape.input('worth', [3, 4])),
    feeds: { present: Float32Array.of(1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0), worth: Float32Array.of(0, 1, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0) },
  },
  'LambdaLoss': {
    shapes: [[3, 4]],
    of: (tape, [scores]) => lambdaLoss(scores!, tape.input('present', [3, 4]), tape.input('worth', [3, 4])),
    feeds: { present: Float32Array.of(1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0), worth: Float32Array.of(0, 1, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0) },
  },
  'sigmoid cross-entropy': {
    shapes: [[2, 3]],
    of: (tape, [logits]) => sigmoidCrossEntropy(logits!, tape.input('labels', [2, 3]), tape.input('weights', [2, 3])),
    feeds: { labels: Float32Array.of(0, 1, 0.3, 1, 0, 1), weights: Float32Array.of(1, 1, 2, 0.5, 0, 1) },
    isKinked: true,
  },
  'sampled softmax': {
    shapes: [[4, 3], [4, 3], [5, 3]],
    of: (tape, [users, positives, negatives]) => sampledSoftmax(users!, positives!, negatives!, {
      positiveLogQ: tape.input('positiveLogQ', [4, 1]), negativeLogQ: tape.input('negativeLogQ', [1, 5]),
      positiveIds: tape.input('positiveIds', [4, 1], 'int32'), negativeIds: tape.input('negativeIds', [1, 5], 'int32'),
      weights: tape.input('weights', [4, 1]),
    }),
    feeds: {
      positiveLogQ: Float32Array.of(-1, -2, -3, -1), negativeLogQ: Float32Array.of(-1, -1, -4, -2, -2),
      positiveIds: Int32Array.of(0, 1, 2, 3), negativeIds: Int32Array.of(7, 1, 8, 1, 0), weights: Float32Array.of(1, 1, 0, 0.5),
    },
  },
};

for (const [name, one] of Object.entries({ ...OPERATORS, ...LOSSES })) {
  await t.test(`gradients of ${name} equal finite differences`, (t) => check(t, one));
}

await t.test('values of the losses', async (t) => {
  const value = async (of: (tape: Tape) => Value): Promise<number> => {
    const tape = new Tape('loss', new Weights(seededRandom(1)), { training: false });
    const session = await InferenceSession.create(tape.model({ loss: of(tape) }));
    const { loss } = await session.run({});
    t.same(loss!.dims, []);
    return (loss!.data as Float32Array)[0]!;
  };
  const near = (actual: number, expected: number, what: string): void => {
    t.ok(Math.abs(actual - expected) < 1e-5 * Math.max(1, Math.abs(expected)), `${what}: ${actual}, expected ${expected}`);
  };
  near(await value((tape) => listwiseSoftmax(tape.constant([1000, 1000, 1000, 1000], [1, 4]), tape.constant([1, 1, 1, 0], [1, 4]), tape.constant([0, 2, 0, 0], [1, 4]))),
    2 * Math.log(3), 'equal large scores, the padding left out');
  near(await value((tape) => listwiseSoftmax(tape.constant([1, 2], [1, 2]), tape.constant([0, 0], [1, 2]), tape.constant([0, 0], [1, 2]))), 0, 'an empty list');
  // The one wanted is third: it may gain 1 − 1/2 from the first and 1/log₂ 3 − 1/2 from the second; the padding counts nothing.
  near(await value((tape) => lambdaLoss(tape.constant([2, 1, 0, 9], [1, 4]), tape.constant([1, 1, 1, 0], [1, 4]), tape.constant([0, 0, 1, 0], [1, 4]))),
    0.5 * Math.log1p(Math.exp(2)) + (1 / Math.log2(3) - 0.5) * Math.log1p(Math.E), 'ranks of the scores');
  near(await value((tape) => lambdaLoss(tape.constant([1, 2], [1, 2]), tape.constant([0, 0], [1, 2]), tape.constant([0, 0], [1, 2]))), 0, 'an empty list');
  near(await value((tape) => sigmoidCrossEntropy(tape.constant([200, -200], [2]), tape.constant([0, 0], [2]), tape.constant([1, 1], [2]))), 200, 'large logits');
  // Scores less log q: own 1 + 2, others 0 + 1 and 2 + 1; the third negative is the positive itself.
  near(await value((tape) => sampledSoftmax(
    tape.constant([1, 0], [1, 2]), tape.constant([1, 5], [1, 2]), tape.constant([0, 1, 2, 3, 9, 9], [3, 2]), {
      positiveLogQ: tape.constant([-2], [1, 1]), negativeLogQ: tape.constant([-1, -1, -1], [1, 3]),
      positiveIds: tape.constant([4], [1, 1]), negativeIds: tape.constant([1, 2, 4], [1, 3]), weights: tape.constant([1], [1, 1]),
    })), Math.log(1 + Math.exp(1 - 3) + Math.exp(3 - 3)), 'sampled softmax');
});

await t.test('shapes that do not go together are refused where they meet', async (t) => {
  const tape = new Tape('shapes', new Weights(seededRandom(1)), { training: true });
  const a = tape.rows('a', [3, 4]);
  t.throws(() => matmul(a, a), /cannot multiply \[3, 4\] and \[3, 4\]/);
  t.throws(() => add(a, tape.input('b', [3])), /\[3, 4\] and \[3\] do not go together/);
  t.throws(() => reshape(a, [5, 2]), /cannot reshape/);
  t.throws(() => tape.trainingModel(a), /a loss is one number, not \[3, 4\]/);
  t.throws(() => tape.weights.get('w', [2], { fill: 0 }) && tape.weights.get('w', [3], { fill: 0 }), /parameter w is \[2\], not \[3\]/);
});

/** A small network with everything that has a state: dropout, parameters, an embedding table. */
async function makeTraining(): Promise<{ training: TrainingGraph; table: Table; step: (number: number) => Promise<number> }> {
  const random = seededRandom(17);
  const weights = new Weights(random);
  const tape = new Tape('toy', weights, { training: true });
  const table = new Table(6, 4, { deviation: 1, random });
  const x = concat([tape.rows('embedded', [8, 4]), tape.input('x', [8, 3])], 1);
  const score = reshape(linear(dropout(relu(layerNorm(linear(x, 'first', 16), 'norm')), 0.3), 'last', 1), [8]);
  const loss = sigmoidCrossEntropy(score, tape.input('labels', [8]), tape.constant(1 / 8, []));
  const options = { seed: 4, rate: 0.01, decay: 0.1 };
  const training = await TrainingGraph.compile(tape, loss, options);
  const step = async (number: number): Promise<number> => {
    const data = seededRandom(number);
    const rows = Array.from({ length: 8 }, () => Math.floor(data() * 6));
    const values = noise(24, data);
    const embedded = new Float32Array(32);
    rows.forEach((row, i) => { embedded.set(table.values.subarray(row * 4, row * 4 + 4), i * 4); });
    const labels = Float32Array.from(rows, (row, i) => Number(row % 2 === 0) ^ Number(values[i * 3]! > 0));
    const result = await training.step({ embedded, x: values, labels });
    rows.forEach((row, i) => { table.addGradient(row, training.gradient('embedded'), i * 4); });
    table.step(options, training.steps);
    return result;
  };
  return { training, table, step };
}

await t.test('equal seeds give equal bits, and a resumed training goes on as if it had not stopped', async (t) => {
  const [whole, again, resumed] = [await makeTraining(), await makeTraining(), await makeTraining()];
  const losses: number[] = [];
  const lossesAgain: number[] = [];
  for (let i = 0; i < 120; i++) {
    losses.push(await whole.step(i));
    lossesAgain.push(await again.step(i));
  }
  resumed.training.restore(whole.training.checkpoint());
  resumed.table.restore(whole.table.checkpoint());
  const lossesResumed: number[] = [];
  for (let i = 120; i < 200; i++) {
    losses.push(await whole.step(i));
    lossesAgain.push(await again.step(i));
    lossesResumed.push(await resumed.step(i));
  }
  t.same(lossesAgain, losses);
  t.same(lossesResumed, losses.slice(120));
  for (const other of [again, resumed]) {
    t.same(other.training.checkpoint(), whole.training.checkpoint());
    t.same(other.table.checkpoint(), whole.table.checkpoint());
  }
  t.throws(() => { resumed.training.restore({ step: 1, arrays: new Map() }); }, /the checkpoint does not fit/);

  const average = (from: number): number => losses.slice(from, from + 40).reduce((sum, loss) => sum + loss, 0) / 40;
  t.ok(average(160) < 0.7 * average(0), `it learns: ${average(0)} → ${average(160)}`);
});

await t.test('the serving graph computes what was trained, for any number of rows, without dropout', async (t) => {
  const weights = new Weights(seededRandom(2));
  const network = (x: Value): Value => dropout(relu(linear(x, 'layer', 3)), 0.5);
  const tape = new Tape('train', weights, { training: true });
  tape.trainingModel(mean(network(tape.input('x', [4, 2]))));
  const serving = new Tape('serve', weights, { training: false });
  const session = await InferenceSession.create(serving.model({ y: network(serving.input('x', ['N', 2])) }));
  const [w, b] = ['layer_weights', 'layer_bias'].map((name) => new Map(weights.entries()).get(name)!.values);
  for (const rows of [1, 5]) {
    const x = noise(rows * 2, seededRandom(rows));
    const { y } = await session.run({ x: new Tensor('float32', x, [rows, 2]) });
    t.same(y!.dims, [rows, 3]);
    const expected = Array.from({ length: rows * 3 }, (_, at) => {
      const [row, unit] = [Math.floor(at / 3), at % 3];
      return Math.max(0, x[row * 2]! * w![unit]! + x[row * 2 + 1]! * w![3 + unit]! + b![unit]!);
    });
    t.ok((y!.data as Float32Array).every((value, i) => Math.abs(value - expected[i]!) < 1e-5));
  }
});
