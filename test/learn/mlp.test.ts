import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { exportMlp, type Scaling } from '../../src/learn/export-mlp.js';
import { Adam, listwiseSoftmax, Mlp, type RankList } from '../../src/learn/mlp.js';
import { gaussian, seededRandom, type Random } from '../../src/util/random.js';

const noise = (length: number, random: Random): Float32Array => Float32Array.from({ length }, () => gaussian(random));

await t.test('gradients equal finite differences', async (t) => {
  const random = seededRandom(3);
  const shape = { user: 5, item: 4, hidden: [7, 6] } as const;
  const mlp = new Mlp(shape, random);
  for (let i = mlp.layout.bias1; i < mlp.layout.weights2; i++) mlp.parameters[i] = gaussian(random);
  const list: RankList = { user: noise(5, random), items: noise(6 * 4, random), worth: Float32Array.of(0, 1, 0, 4, 0, 2), count: 6 };
  const scores = new Float64Array(6);
  const slopes = new Float64Array(6);
  const loss = (): number => {
    mlp.forward(list, scores);
    return listwiseSoftmax(scores, list.worth, list.count, slopes);
  };
  loss();
  const gradient = new Float32Array(mlp.layout.size);
  mlp.backward(list, slopes, gradient);

  let worst = 0;
  for (let i = 0; i < mlp.layout.size; i++) {
    const value = mlp.parameters[i]!;
    mlp.parameters[i] = value + 1e-3;
    const above = { at: mlp.parameters[i]!, loss: loss() };
    mlp.parameters[i] = value - 1e-3;
    const below = { at: mlp.parameters[i]!, loss: loss() };
    mlp.parameters[i] = value;
    const expected = (above.loss - below.loss) / (above.at - below.at);
    worst = Math.max(worst, Math.abs(expected - gradient[i]!) / Math.max(1, Math.abs(expected)));
  }
  t.ok(worst < 1e-3, `worst relative difference ${worst}`);
  t.ok(gradient.some((value) => Math.abs(value) > 0.1), 'and they are not all small');
});

await t.test('listwise softmax', async (t) => {
  const gradient = new Float64Array(3);
  const loss = listwiseSoftmax(Float64Array.of(1000, 1000, 1000), Float32Array.of(1, 0, 0), 3, gradient);
  t.ok(Math.abs(loss - Math.log(3)) < 1e-9, 'large scores do not overflow');
  t.ok(Math.abs(gradient.reduce((sum, value) => sum + value, 0)) < 1e-9, 'a shift of all scores changes nothing');
});

await t.test('learns a toy problem and exports what it computes', async (t) => {
  const random = seededRandom(11);
  const shape = { user: 3, item: 4, hidden: [16, 8] } as const;
  const mlp = new Mlp(shape, random);
  const adam = new Adam(mlp.parameters, { rate: 0.01, decay: 0 });
  // The item wanted is the one whose column, chosen by the user, is largest: an interaction no linear score can learn.
  const toy = (): RankList => {
    const choice = Math.floor(random() * 3);
    const user = new Float32Array(3);
    user[choice] = 1;
    const items = noise(8 * 4, random);
    let best = 0;
    for (let row = 1; row < 8; row++) if (items[row * 4 + choice]! > items[best * 4 + choice]!) best = row;
    const worth = new Float32Array(8);
    worth[best] = 1;
    return { user, items, worth, count: 8 };
  };
  const scores = new Float64Array(8);
  const slopes = new Float64Array(8);
  const gradient = new Float32Array(mlp.layout.size);
  for (let step = 0; step < 600; step++) {
    for (let i = 0; i < 16; i++) {
      const list = toy();
      mlp.forward(list, scores);
      listwiseSoftmax(scores, list.worth, 8, slopes);
      mlp.backward(list, slopes, gradient);
    }
    adam.step(gradient, 16);
  }
  let hits = 0;
  for (let i = 0; i < 300; i++) {
    const list = toy();
    mlp.forward(list, scores);
    if (scores.indexOf(Math.max(...scores)) === list.worth.indexOf(1)) hits += 1;
  }
  t.ok(hits > 250, `${hits} of 300 right, chance is 38`);

  const scaling = (columns: number): Scaling => ({
    mean: Float64Array.from({ length: columns }, () => 3 * gaussian(random)),
    deviation: Float64Array.from({ length: columns }, () => 0.2 + random() * 3),
  });
  const user = scaling(3);
  const item = scaling(4);
  const session = await InferenceSession.create(exportMlp(mlp, user, item));
  let worst = 0;
  for (const count of [1, 8, 200]) {
    const rawUser = noise(3, random);
    const rawItems = noise(count * 4, random);
    const { score } = await session.run({ user: new Tensor('float32', rawUser, [1, 3]), items: new Tensor('float32', rawItems, [count, 4]) });
    const expected = new Float64Array(count);
    mlp.forward({
      user: rawUser.map((x, i) => (x - user.mean[i]!) / user.deviation[i]!),
      items: rawItems.map((x, i) => (x - item.mean[i % 4]!) / item.deviation[i % 4]!),
      count,
    }, expected);
    t.same(score!.dims, [count]);
    (score!.data as Float32Array).forEach((value, i) => { worst = Math.max(worst, Math.abs(value - expected[i]!)); });
  }
  t.ok(worst < 1e-4, `the ONNX model gives the same scores: worst difference ${worst}`);
  await session.release();
});
