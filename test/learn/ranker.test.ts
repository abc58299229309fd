import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { add } from '../../src/learn/graph/ops.js';
import { Tape, type Value } from '../../src/learn/graph/tape.js';
import { TrainingGraph } from '../../src/learn/graph/training-graph.js';
import { Weights } from '../../src/learn/graph/weights.js';
import { evaluate } from '../../src/learn/metrics.js';
import { exportRanker } from '../../src/learn/ranker/export-ranker.js';
import { makeModel } from '../../src/learn/make-model.js';
import { fitRanker } from '../../src/learn/ranker/fit-ranker.js';
import { DEED, ListStore, type RankList } from '../../src/learn/ranker/lists.js';
import { headScores, rankingLoss } from '../../src/learn/ranker/network.js';
import type { FitRankerOptions, Ranker } from '../../src/learn/ranker/ranker.js';
import { RANKER_SETTINGS } from '../../src/learn/ranker/settings.js';
import { readExported } from '../../src/learn/ranker/warm-start.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { ITEM_FEATURES } from '../../src/ranking/features.js';
import { gaussian, seededRandom, type Random } from '../../src/util/random.js';

const U = USER_FEATURES.length;
const C = ITEM_FEATURES.length;
const settings = { ...RANKER_SETTINGS, hidden: [16, 8], dropout: 0, rate: 0.005, epochsMax: 6 } as const;

/** A list of which the row is taken whose column, chosen by the shopper, is largest: an interaction no linear score can learn. */
function toyList(random: Random, rows = 8): RankList {
  const choice = Math.floor(random() * 3);
  const user = new Float32Array(U);
  user[choice] = 1;
  const items = Float32Array.from({ length: rows * C }, (_, i) => (i % C < 4 ? 2 + 3 * gaussian(random) : 0.5));
  let best = 0;
  for (let row = 1; row < rows; row++) if (items[row * C + choice]! > items[best * C + choice]!) best = row;
  const deeds = new Uint8Array(rows);
  deeds[best] = random() < 0.3 ? DEED.bought : DEED.clicked;
  return { user, items, count: rows, deeds, places: new Uint8Array(rows) };
}

function storeOf(lists: Iterable<RankList>, rowsMax = 8): ListStore {
  const store = new ListStore(rowsMax, seededRandom(1));
  for (const list of lists) store.add(list);
  return store;
}

const toys = (count: number, seed: number): ListStore => {
  const random = seededRandom(seed);
  return storeOf(Array.from({ length: count }, () => toyList(random)));
};
const none = (): ListStore => new ListStore(1, seededRandom(1));
const fit = (options: Partial<FitRankerOptions> & Pick<FitRankerOptions, 'train'>): Promise<Ranker> =>
  fitRanker({ validation: toys(200, 4), settings, seed: 5, onProgress: () => { /* nobody looks */ }, ...options });

/** Mean NDCG of an exported model over lists. */
async function qualityOf(onnx: Uint8Array, lists: Iterable<RankList>): Promise<number> {
  const session = await InferenceSession.create(onnx);
  const { ndcg10 } = await evaluate(lists, async ({ user, items, count }) => {
    const { score } = await session.run({ user: new Tensor('float32', user.slice(), [1, U]), items: new Tensor('float32', items.slice(0, count * C), [count, C]) });
    return score!.data as Float32Array;
  });
  await session.release();
  return ndcg10;
}

await t.test('gradients of the whole ranking loss equal finite differences, heads and places included', async (t) => {
  const random = seededRandom(3);
  const weights = new Weights(random);
  const [lists, rows, users, items, heads] = [3, 5, 4, 6, 2];
  const tape = new Tape('check', weights, { training: true });
  const matrix = (name: string): Value => tape.input(name, [lists, rows]);
  const scores = headScores(tape, tape.input('user', [lists, users]), tape.input('items', [lists, rows, items]), { hidden: [7, 6], heads, dropout: 0 });
  const inputs = { present: matrix('present'), offset: matrix('offset'), worth: [matrix('worth_0'), matrix('worth_1')] };
  const loss = add(
    rankingLoss(tape, scores, [1, 2], { ...inputs, places: { values: tape.input('places', [lists * rows], 'int32'), max: 3 } }),
    rankingLoss(tape, scores, [1, 1], inputs),
  );
  const graph = await TrainingGraph.compile(tape, loss, { seed: 1, rate: 0 });
  const noise = (length: number): Float32Array => Float32Array.from({ length }, () => gaussian(random));
  const worth = (): Float32Array => Float32Array.from({ length: lists * rows }, () => (random() < 0.4 ? random() : 0));
  for (const [name, { values }] of weights.entries()) if (/bias|effects/u.test(name)) values.set(noise(values.length));
  const feeds = {
    user: noise(lists * users), items: noise(lists * rows * items), present: Float32Array.from({ length: lists * rows }, (_, i) => (i % rows < 4 ? 1 : 0)),
    offset: noise(lists * rows), worth_0: worth(), worth_1: worth(), places: Int32Array.from({ length: lists * rows }, (_, i) => i % 4),
  };
  for (let i = 0; i < lists * rows; i++) if (feeds.present[i] === 0) feeds.worth_0[i] = feeds.worth_1[i] = 0;
  await graph.evaluate(feeds);
  const gradients = new Map([...weights.entries()].map(([name]) => [name, graph.gradient(name).slice()]));
  let worst = 0;
  for (const [name, { values }] of weights.entries()) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      const at = async (x: number): Promise<{ x: number; loss: number }> => {
        values[i] = x;
        return { x: values[i]!, loss: await graph.evaluate(feeds) };
      };
      const [above, below] = [await at(value + 1e-3), await at(value - 1e-3)];
      values[i] = value;
      const expected = (above.loss - below.loss) / (above.x - below.x);
      worst = Math.max(worst, Math.abs(expected - gradients.get(name)![i]!) / Math.max(1, Math.abs(expected)));
    }
  }
  t.ok(worst < 5e-3, `worst relative difference ${worst}`);
  await graph.release();
});

await t.test('learns what no linear score can, and exports what it learnt', async (t) => {
  const ranker = await fit({ train: toys(1500, 2) });
  const onnx = exportRanker(ranker);
  const quality = await qualityOf(onnx, toys(200, 4));
  t.ok(quality > 0.9, `NDCG ${quality}; by chance it is .54`);
  t.ok(Math.abs(quality - ranker.ndcg10) < 0.002, 'the exported graph ranks as the judge said');
  t.same(ranker.columns.item, [0, 1, 2, 3], 'columns that never vary are left out');
  t.same(ranker.headValues, [1, 1, 2], 'buying was met, so all heads are there');
  const again = await fit({ train: toys(1500, 2) });
  t.same(exportRanker(again), onnx, 'the same lists and seed give the same bytes');
});

await t.test('what was shown first was clicked for its place: the model does not take it for taste', async (t) => {
  // Column 0 is what shoppers like. Column 1 is what the old model sorted by, which they do not care for; they look at
  // place p with probability 1 / p.
  const log = (withPlaces: boolean): ListStore => {
    const random = seededRandom(8);
    return storeOf(Array.from({ length: 4000 }, () => {
      const rows = Array.from({ length: 8 }, () => [gaussian(random), gaussian(random)] as const).sort((a, b) => b[1] - a[1]);
      const items = new Float32Array(8 * C);
      const deeds = new Uint8Array(8);
      rows.forEach(([liked, sorted], row) => {
        items[row * C] = liked;
        items[row * C + 1] = sorted;
        if (random() < 1 / (row + 1) && random() < 1 / (1 + Math.exp(1 - 1.5 * liked))) deeds[row] = DEED.clicked;
      });
      return { user: new Float32Array(U), items, count: 8, deeds, places: Uint8Array.from({ length: 8 }, (_, row) => (withPlaces ? row + 1 : 0)) };
    }));
  };
  const truth = (() => {
    const random = seededRandom(9);
    return storeOf(Array.from({ length: 400 }, () => {
      const items = new Float32Array(8 * C);
      let best = 0;
      for (let row = 0; row < 8; row++) {
        items[row * C] = gaussian(random);
        items[row * C + 1] = gaussian(random);
        if (items[row * C]! > items[best * C]!) best = row;
      }
      const deeds = new Uint8Array(8);
      deeds[best] = DEED.clicked;
      return { user: new Float32Array(U), items, count: 8, deeds, places: new Uint8Array(8) };
    }));
  })();
  const qualities: number[] = [];
  for (const withPlaces of [true, false]) {
    const shown = log(withPlaces);
    qualities.push(await qualityOf(exportRanker(await fit({ train: shown, validation: shown, settings: { ...settings, rate: 0.02, epochsMax: 10, patience: 9 } })), truth));
  }
  t.ok(qualities[0]! > 0.75, `with places NDCG ${qualities[0]}`);
  t.ok(qualities[0]! - qualities[1]! > 0.05, `without ${qualities[1]}`);
});

await t.test('a store of lists', async (t) => {
  const random = seededRandom(6);
  const small = new ListStore(8, random, 5 * (U + 8 * C));
  for (let i = 0; i < 200; i++) small.add(toyList(random));
  t.same([small.size, small.offered], [5, 200], 'is bounded');
  const long = new ListStore(8, random);
  long.add(toyList(random, 32));
  const kept = long.at(0);
  t.equal(kept.count, 8);
  t.equal(kept.deeds.filter((deed) => deed > 0).length, 1, 'what was taken is kept');
  t.ok(Math.abs(kept.logKept - Math.log(7 / 31)) < 1e-6);
  const flat = new ListStore(8, random);
  flat.add({ ...toyList(random), deeds: new Uint8Array(8).fill(1) });
  flat.add({ ...toyList(random), deeds: new Uint8Array(8) });
  t.same([flat.size, flat.flat], [0, 2], 'lists of one label are left out');
  const bad = toyList(random);
  bad.items[C + 2] = Number.NaN;
  t.throws(() => { flat.add(bad); }, { code: 'invalid_request', message: new RegExp(ITEM_FEATURES[2]!, 'u') });
});

await t.test('nothing to learn from is said plainly', async (t) => {
  const random = seededRandom(6);
  const flat = storeOf([{ ...toyList(random), deeds: new Uint8Array(8) }]);
  await t.rejects(fit({ train: flat }), { code: 'invalid_request', message: /all of 1 lists/u });
  await t.rejects(fit({ train: none() }), { code: 'invalid_request', message: /nobody was asked/u });
  const alike = storeOf([{ ...toyList(random), items: new Float32Array(8 * C).fill(1) }]);
  await t.rejects(fit({ train: alike }), { code: 'invalid_request', message: /alike/u });
  const one = await fit({ train: storeOf([toyList(random)]) });
  t.ok(one.ndcg10 > 0, 'one list is little, but something');
});

await t.test('where one feature ranks better than what was learnt, it ranks', async (t) => {
  const random = seededRandom(12);
  const column = ITEM_FEATURES.indexOf('neighbors');
  // What training sees says nothing; in the validation lists the item with most neighbours is taken.
  const lists = (informed: boolean): ListStore => storeOf(Array.from({ length: 60 }, () => {
    const items = Float32Array.from({ length: 8 * C }, () => gaussian(random));
    const taken = Array.from({ length: 8 }, (_, row) => items[row * C + column]!);
    const deeds = new Uint8Array(8);
    deeds[informed ? taken.indexOf(Math.max(...taken)) : Math.floor(random() * 8)] = DEED.clicked;
    return { user: new Float32Array(U), items, count: 8, deeds, places: new Uint8Array(8) };
  }));
  const validation = lists(true);
  const ranker = await fit({ train: lists(false), validation });
  t.equal(ranker.ndcg10, 1);
  t.equal(await qualityOf(exportRanker(ranker), validation), 1);
});

await t.test('goes on from a model, and from a checkpoint', async (t) => {
  const train = toys(600, 2);
  const first = await fit({ train });
  const folder = t.testdir();
  const about = { name: 'toy', data: {}, licence: 'none', trainedAt: '2026-01-01T00:00:00Z' };
  await makeModel({ train, validation: toys(200, 4), settings, seed: 5, out: join(folder, 'toy'), about, onProgress: () => { /* nobody looks */ } });
  const start = await readExported(join(folder, 'toy'), settings);
  const again = await fit({ train, start, settings: { ...settings, epochsMax: 0 } });
  t.ok(Math.abs(again.ndcg10 - first.ndcg10) < 1e-3, `no epoch more: ${again.ndcg10}, from ${first.ndcg10}`);

  const checkpointPath = join(folder, 'ranker-fit');
  const stop = new Error('stopped');
  let seen = 0;
  await t.rejects(fit({ train, checkpointPath, onProgress: ({ epoch }) => { if (epoch === 3) throw stop; } }), stop);
  const resumed = await fit({ train, checkpointPath, onProgress: ({ step }) => { seen ||= step; } });
  t.ok(seen > 1, `it went on at step ${seen}`);
  t.same(exportRanker(resumed), exportRanker(first), 'as if it had not stopped');
});
