import t from 'tap';
import { Batch, batchLoss } from '../../../src/learn/encoder/batch.js';
import { EncoderModel } from '../../../src/learn/encoder/model.js';
import { nextEvent } from '../../../src/learn/encoder/moments.js';
import { NegativeSampler } from '../../../src/learn/encoder/negatives.js';
import { Tape } from '../../../src/learn/graph/tape.js';
import { TrainingGraph, type Feeds } from '../../../src/learn/graph/training-graph.js';
import type { Interactions } from '../../../src/learn/task.js';
import { gaussian, seededRandom } from '../../../src/util/random.js';

const DAY_MS = 86_400_000;
/** Step of a finite difference, and what float32 leaves of its accuracy. */
const STEP = 2e-3;
const TOLERANCE = 1e-3;
/** One of which no unit is so near ReLU's kink that a step crosses it. */
const SEED = 6;

await t.test('all that an encoder learns gets the gradient of the loss', async (t) => {
  const random = seededRandom(3);
  // Two shoppers, packed into one row of eight: items come again, and days pass between some.
  const log: Interactions = {
    itemIds: ['a', 'b', 'c', 'd', 'e'], shoppers: 2, offsets: Uint32Array.of(0, 5, 9), item: Uint32Array.of(0, 1, 0, 2, 3, 4, 1, 2, 0),
    at: Float64Array.of(0, 1, 5, 5.1, 40, 0, 2, 2.5, 30).map((day) => day * DAY_MS), type: new Uint8Array(9),
  };
  const attributes = { offsets: Uint32Array.of(0, 2, 3, 3, 5, 6), index: Uint32Array.of(0, 1, 1, 0, 2, 2), keys: Uint32Array.of(7, 8, 9) };
  const model = new EncoderModel({ items: 5, dimensions: 6, historyMax: 8 }, attributes, SEED);
  for (const values of model.values().values()) for (let i = 0; i < values.length; i++) values[i]! += 0.4 * gaussian(random);
  const shape = { rows: 2, length: 8, width: 6, negatives: 4 };
  const known = Uint32Array.of(5, 4);
  const batch = new Batch(shape, { log, vectors: model.vectors, bias: model.bias, sampler: new NegativeSampler(Uint32Array.of(3, 2, 2, 1, 1)), wantedAt: nextEvent(log, known) });
  const tape = new Tape('check', model.weights, { training: true });
  const training = await TrainingGraph.compile(tape, batchLoss(tape, shape, 0), { seed: 1, rate: 0, threads: 1 });
  const row = [{ from: 0, to: 4 }, { from: 5, to: 8 }];
  const feeds = (): Feeds => batch.load([row], seededRandom(9));

  await training.step(feeds());
  batch.learn(training, { rate: 0 });
  const { own, attributes: learned } = model.vectors;
  const { ages, gaps } = model.bias;
  const tables = Object.entries({ own, attributes: learned, ages, gaps });
  // At a rate of 0 a step leaves a tenth of the gradient in the running mean, and changes nothing.
  const gradients = tables.map(([, { moments }]) => moments.mean.map((mean) => mean * 10));
  for (const [at, [name, { values }]] of tables.entries()) {
    const gradient = gradients[at]!;
    const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    let worst = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      const lossAt = (to: number): Promise<number> => {
        values[i] = to;
        // A batch keeps what it composed until its step.
        model.vectors.step({ rate: 0 }, 1);
        return training.evaluate(feeds());
      };
      const expected = (await lossAt(value + STEP) - await lossAt(value - STEP)) / (2 * STEP);
      values[i] = value;
      worst = Math.max(worst, Math.abs(expected - gradient[i]!));
    }
    t.ok(largest > 0.005, `${name}: gradients of up to ${largest}`);
    t.ok(worst < TOLERANCE * Math.max(0.2, largest), `${name}: worst difference ${worst}`);
  }
  await training.release();
});
