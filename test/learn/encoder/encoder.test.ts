import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import type { Item } from '../../../src/domain/item.js';
import { attributeKeys } from '../../../src/encoder/attributes.js';
import { decodeVectors } from '../../../src/encoder/vectors-file.js';
import { itemAttributes } from '../../../src/learn/encoder/attributes.js';
import { fitEncoder, type EncoderCheckpoint, type EncoderFit, type FitOptions } from '../../../src/learn/encoder/fit.js';
import { fitResumably } from '../../../src/learn/encoder/fit-resumable.js';
import { nextBasket, nextEvent } from '../../../src/learn/encoder/moments.js';
import { saveEncoder } from '../../../src/learn/encoder/save.js';
import { pack, stretches } from '../../../src/learn/encoder/sequences.js';
import { chooseSettings } from '../../../src/learn/encoder/settings.js';
import type { Interactions } from '../../../src/learn/task.js';
import { sha256 } from '../../../src/ranking/manifest.js';
import { hash48 } from '../../../src/util/hash.js';
import { seededRandom } from '../../../src/util/random.js';

const DAY_MS = 86_400_000;
const ITEMS = 60;
const SHOPPERS = 240;

/**
 * A store in which an item is mostly followed by the next one on a ring, else by a popular one: popularity alone is
 * right once in ten times, who learns the ring three times in four.
 */
function ringStore(): { items: Item[]; log: Interactions } {
  const random = seededRandom(8);
  const item: number[] = [];
  const offsets = [0];
  for (let shopper = 0; shopper < SHOPPERS; shopper++) {
    let latest = Math.floor(random() * ITEMS);
    for (let i = 6 + Math.floor(random() * 8); i > 0; i--) {
      latest = random() < 0.75 ? (latest + 1) % ITEMS : Math.floor(random() ** 3 * ITEMS);
      item.push(latest);
    }
    offsets.push(item.length);
  }
  const items = Array.from({ length: ITEMS }, (_, i): Item => ({ id: `i${i}`, title: `${i}`, category: ['all', i % 2 === 0 ? 'even' : 'odd'], tags: [`third${i % 3}`, `only${i}`] }));
  const log: Interactions = {
    itemIds: items.map(({ id }) => id), shoppers: SHOPPERS, offsets: Uint32Array.from(offsets), item: Uint32Array.from(item),
    at: Float64Array.from(item, (_, event) => event * DAY_MS / 4), type: new Uint8Array(item.length),
  };
  return { items, log };
}

const { items, log } = ringStore();
const attributes = itemAttributes(items);
const lengths = Array.from({ length: SHOPPERS }, (_, shopper) => log.offsets[shopper + 1]! - log.offsets[shopper]!);
const options: FitOptions = {
  interactions: log, known: Uint32Array.from(lengths, (length) => length - 1), attributes, excludeHistory: false, seed: 5, clock: () => 0, threads: 1,
  questions: lengths.map((length, shopper) => {
    const event = log.offsets[shopper + 1]! - 1;
    return { shopper, history: length - 1, at: log.at[event]!, wanted: [log.item[event]!] };
  }),
  settings: { dimensions: 16, historyMax: 8, rows: 8, negatives: 32, dropout: 0.1, rate: 5e-3, epochsMax: 14, patience: 14 },
};

let whole: EncoderFit;
let half: EncoderCheckpoint | undefined;

await t.test('learns what follows what, far better than popularity', async (t) => {
  const left: number[] = [];
  whole = await fitEncoder({ ...options, onEpoch: ({ epoch, secondsLeft }, checkpoint) => {
    left.push(secondsLeft);
    if (epoch === 5) half = checkpoint();
  } });
  const popular = whole.counts.reduce((best, count, item) => (count > whole.counts[best]! ? item : best), 0);
  t.ok(options.questions.filter(({ wanted }) => wanted[0] === popular).length < 0.15 * SHOPPERS, 'popularity does not do');
  t.equal(left.length, 14);
  t.equal(whole.epochs.length, 14);
  t.ok(whole.epochs[13]!.loss < whole.epochs[0]!.loss);
  const best = whole.epochs[whole.bestEpoch - 1]!;
  t.ok(best.ndcg! > 0.6, `NDCG@10 ${best.ndcg}, of the ring alone at least .75`);
  t.equal(best.ndcg, Math.max(...whole.epochs.map(({ ndcg }) => ndcg!)), 'the best epoch is kept');
});

await t.test('the graph that is served ranks as measured', async (t) => {
  const session = await InferenceSession.create(whole.onnx, { intraOpNumThreads: 1 });
  const { dimensions, historyMax } = whole.settings;
  let hits = 0;
  for (const { shopper, history, at, wanted } of options.questions) {
    const vectors = new Float32Array(historyMax * dimensions);
    const gaps = new Float32Array(historyMax);
    const mask = new Float32Array(historyMax);
    const seen = new Set<number>();
    for (let event = log.offsets[shopper]! + history - 1; event >= log.offsets[shopper]! && seen.size < historyMax; event--) {
      const item = log.item[event]!;
      if (seen.has(item)) continue;
      seen.add(item);
      const place = historyMax - seen.size;
      vectors.set(whole.itemVectors.subarray(item * dimensions, (item + 1) * dimensions), place * dimensions);
      gaps[place] = Math.log1p((at - log.at[event]!) / DAY_MS);
      mask[place] = 1;
    }
    const { user } = await session.run({
      history: new Tensor('float32', vectors, [1, historyMax, dimensions]), gaps: new Tensor('float32', gaps, [1, historyMax]), mask: new Tensor('float32', mask, [1, historyMax]),
    });
    t.same(user!.dims, [1, dimensions]);
    const query = user!.data as Float32Array;
    const scores = Array.from({ length: ITEMS }, (_, item) => query.reduce((sum, value, i) => sum + value * whole.itemVectors[item * dimensions + i]!, 0));
    if (scores.filter((score) => score > scores[wanted[0]!]!).length < 10) hits += 1;
  }
  const measured = whole.epochs[whole.bestEpoch - 1]!.hits!;
  t.ok(Math.abs(hits / SHOPPERS - measured) < 0.01, `${hits / SHOPPERS}, measured ${measured}`);
  const { user } = await session.run({
    history: new Tensor('float32', new Float32Array(historyMax * dimensions), [1, historyMax, dimensions]),
    gaps: new Tensor('float32', new Float32Array(historyMax), [1, historyMax]), mask: new Tensor('float32', new Float32Array(historyMax), [1, historyMax]),
  });
  t.ok((user!.data as Float32Array).every(Number.isFinite), 'no history gives no NaN');
  await session.release();
});

await t.test('equal seeds give equal bytes, and so does a training that was stopped in between', async (t) => {
  const again = await fitEncoder(options);
  const resumed = await fitEncoder({ ...options, checkpoint: half! });
  for (const fit of [again, resumed]) {
    t.same(fit.epochs, whole.epochs);
    t.same(sha256(fit.onnx), sha256(whole.onnx));
    t.same(fit.itemVectors, whole.itemVectors);
    t.same(fit.attributeVectors, whole.attributeVectors);
  }
  const other = await fitEncoder({ ...options, seed: 6, settings: { ...options.settings, epochsMax: 1 } });
  t.not(other.epochs[0]!.loss, whole.epochs[0]!.loss);
});

await t.test('goes on from its file after a stop, unless the file is of other data or broken', async (t) => {
  const path = join(await mkdtemp(join(tmpdir(), 'encoder-')), 'checkpoint');
  let now = 0;
  const run = async (stopAt: number, seed = 5): Promise<{ epochs: number[]; fit: EncoderFit | undefined }> => {
    const epochs: number[] = [];
    const fit = await fitResumably(path, { ...options, seed, clock: () => now, onEpoch: ({ epoch }) => {
      epochs.push(epoch);
      now += 60_000;
      if (epoch === stopAt) throw new Error('stopped');
    } }).catch(() => undefined);
    return { epochs, fit };
  };
  t.same((await run(4)).epochs, [1, 2, 3, 4]);
  const stopped = await readFile(path);
  const { epochs, fit } = await run(99);
  t.same(epochs, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], 'from the latest epoch that was written');
  t.same(fit!.itemVectors, whole.itemVectors);
  t.same(sha256(fit!.onnx), sha256(whole.onnx));
  await t.rejects(readFile(path), 'the file is gone when it is done');
  for (const [name, bytes, seed] of [['another seed', stopped, 9], ['cut short', stopped.subarray(0, -1), 5], ['another format', stopped.subarray(1), 5], ['empty', stopped.subarray(0, 0), 5]] as const) {
    await writeFile(path, bytes);
    t.same((await run(2, seed)).epochs, [1, 2], name);
  }
});

await t.test('writes what a model folder takes', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'encoder-'));
  const { manifest, golden } = await saveEncoder(folder, whole, log.itemIds, attributes);
  const bytes = await readFile(join(folder, 'vectors.bin'));
  t.equal(manifest.sha256['vectors.bin'], sha256(bytes));
  t.equal(manifest.sha256['encoder.onnx'], sha256(await readFile(join(folder, 'encoder.onnx'))));
  const vectors = decodeVectors(bytes);
  t.same([vectors.dimensions, vectors.items.length, vectors.attributes.length], [16, whole.counts.filter((count) => count > 0).length, 5]);
  t.same(golden.map(({ items, user }) => [items.length, user.length]), [[1, 16], [3, 16], [8, 16]]);

  const place = vectors.items.indexOf(hash48('i7'));
  const expected = whole.model.vectors.own.values.slice(7 * 16, 8 * 16);
  for (const key of attributeKeys(items[7]!)) {
    const at = vectors.attributes.indexOf(key);
    if (at >= 0) for (let i = 0; i < 16; i++) expected[i]! += vectors.attributeVectors[at * 16 + i]! / Math.sqrt(2);
  }
  t.ok(expected.every((value, i) => Math.abs(value - vectors.itemVectors[place * 16 + i]!) < 1e-6), 'own part and attributes');
});

await t.test('attributes of one item only, or of nearly all, have no vector', async (t) => {
  t.same([...attributes.keys].length, 5, 'even, odd and three thirds');
  t.same(attributes.offsets[1]! - attributes.offsets[0]!, 2);
});

await t.test('sequences', async (t) => {
  const at = [0, 1000, 2000, 9000, 10_000, 50_000, 0, 1000];
  const small: Interactions = {
    itemIds: ['a'], shoppers: 3, offsets: Uint32Array.of(0, 6, 6, 8), item: new Uint32Array(8), at: Float64Array.from(at), type: new Uint8Array(8),
  };
  const known = Uint32Array.of(5, 0, 2);
  t.same(stretches(small, known, 3), [{ from: 1, to: 4 }, { from: 0, to: 1 }, { from: 6, to: 7 }], 'what is known but the last, from the end back');
  const random = seededRandom(1);
  t.same(at.map((_, event) => nextEvent(small, known)(event, random)), [1, 2, 3, 4, -1, -1, 7, -1]);
  const drawn = Array.from({ length: 50 }, () => at.map((_, event) => nextBasket(small, known)(event, random)));
  t.ok(drawn.every(([a, b, c]) => [a!, b!, c!].every((next) => next === 3 || next === 4)), 'an event of the next basket');
  t.same(new Set(drawn.map(([a]) => a!)).size, 2, 'each of them at times');
  t.ok(drawn.every(([, , , ...rest]) => rest.every((next) => next === -1)), 'nothing after the last basket known');

  const all = stretches(log, options.known, 8);
  const rows = pack(all, 8, seededRandom(2));
  t.ok(rows.every((row) => row.reduce((sum, { from, to }) => sum + to - from, 0) <= 8));
  const byFrom = (a: { from: number }, b: { from: number }): number => a.from - b.from;
  t.same(rows.flat().toSorted(byFrom), all.toSorted(byFrom));
});

await t.test('settings follow the size of the data', async (t) => {
  const question = { shopper: 0, history: 1, at: 0, wanted: [1] };
  t.same(chooseSettings({ events: 1e6, questions: [question] }).isBaskets, false);
  t.same(chooseSettings({ events: 1e6, questions: [{ ...question, wanted: [1, 2, 3] }] }).isBaskets, true);
  t.ok(chooseSettings({ events: 1000, questions: [] }).rows < chooseSettings({ events: 1e6, questions: [] }).rows);
});
