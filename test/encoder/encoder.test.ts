import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BETWEEN, Catalog } from '../../src/catalog/catalog.js';
import type { Item } from '../../src/domain/item.js';
import { attributeKeys } from '../../src/encoder/attributes.js';
import { loadEncoder, type Encoder } from '../../src/encoder/encoder.js';
import { Retrieval } from '../../src/encoder/retrieval.js';
import { emptyProfile, TOUCH, type Profile } from '../../src/profile/profile.js';
import { readModelFiles, sha256, type EncoderManifest, type Golden, type Manifest } from '../../src/ranking/manifest.js';
import { GraphBuilder } from '../../src/learn/onnx.js';
import { hash48 } from '../../src/util/hash.js';
import { edit, pooled, randomVectors, writeTestEncoder, type TestEncoderOptions } from '../helpers/encoders.js';
import { writeTestModel } from '../helpers/models.js';

const NOW = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;
const ITEMS: Item[] = Array.from({ length: 40 }, (_, i) => ({
  id: `item-${i}`, title: `Item ${i}`, category: [`root-${i % 2}`, `leaf-${i % 6}`], brand: `brand-${i % 3}`, tags: [`tag-${i % 5}`],
}));
const VECTORS = randomVectors(ITEMS, 12);

async function folderWith(t: Test, options: Partial<TestEncoderOptions> = {}): Promise<string> {
  const folder = t.testdir();
  await writeTestModel(folder);
  await writeTestEncoder(folder, { vectors: VECTORS, ...options });
  return folder;
}

async function load(folder: string): Promise<Encoder> {
  const { manifest, golden } = await readModelFiles(folder);
  return loadEncoder(folder, manifest.encoder!, golden.encoder);
}

async function rejectedBecause(t: Test, folder: string, reason: RegExp): Promise<void> {
  await t.rejects(load(folder), { code: 'model_refused', message: reason });
}

function catalogOf(items: readonly Item[]): Catalog {
  const catalog = new Catalog();
  for (const item of items) catalog.put(item);
  return catalog;
}

/** A shopper who met these items, the latest first, a day apart. */
function shopper(ids: readonly string[], mask: number = TOUCH.viewed): Profile {
  return { ...emptyProfile(), touches: ids.map((id, i) => ({ item: hash48(id), mask, count: 1, at: NOW - i * DAY_MS })) };
}

const isNear = (found: ArrayLike<number> | undefined, expected: ArrayLike<number>): boolean =>
  found?.length === expected.length && Array.from(found).every((value, i) => Math.abs(value - expected[i]!) < 1e-4);

await t.test('a shopper is encoded by the latest distinct items, oldest first, the latest in the last place', async (t) => {
  const encoder = await load(await folderWith(t));
  const retrieval = await Retrieval.bind(encoder, catalogOf(ITEMS));
  const ids = ['item-7', 'item-3', 'item-30'];
  t.ok(isNear(await retrieval.encode(shopper(ids), NOW), pooled(VECTORS, ids.map(hash48), [0, 1, 2])));
  const many = ITEMS.slice(0, 10).map(({ id }) => id);
  t.ok(isNear(await retrieval.encode(shopper(many), NOW), pooled(VECTORS, many.slice(0, 4).map(hash48), [0, 1, 2, 3])), 'of many, the latest');
  t.ok(isNear(await retrieval.encode(shopper(['item-99', 'item-1']), NOW), pooled(VECTORS, [hash48('item-1')], [1])), 'an unknown item is passed over');

  const dismissed = shopper(['item-7', 'item-3']);
  dismissed.touches[0]!.mask |= TOUCH.dismissed;
  t.ok(isNear(await retrieval.encode(dismissed, NOW), pooled(VECTORS, [hash48('item-3')], [1])));
  t.equal(await retrieval.encode(shopper(['item-7'], TOUCH.purchased | TOUCH.refunded), NOW), undefined);
  t.equal(await retrieval.encode(emptyProfile(), NOW), undefined);

  const [one, other] = await Promise.all([retrieval.encode(shopper(['item-1']), NOW), retrieval.encode(shopper(['item-2']), NOW)]);
  t.ok(isNear(one, pooled(VECTORS, [hash48('item-1')], [0])) && isNear(other, pooled(VECTORS, [hash48('item-2')], [0])), 'requests at once keep apart');
  await encoder.retire();
});

await t.test('items are found by vector and bias; those of later days by their attributes', async (t) => {
  const vectors = randomVectors(ITEMS.slice(0, 30), 12, true);
  const encoder = await load(await folderWith(t, { vectors }));
  const catalog = catalogOf([...ITEMS.slice(0, 20), { id: 'stranger', title: 'Stranger', category: ['nowhere'] }]);
  const retrieval = await Retrieval.bind(encoder, catalog);
  const query = (await retrieval.encode(shopper(['item-4', 'item-9']), NOW))!;
  const scoreOf = (i: number): number => vectors.biases![i]! + query.subarray(0, 12).reduce((sum, value, k) => sum + value * vectors.itemVectors[i * 12 + k]!, 0);
  const best = retrieval.index.search(query, 5);
  const expected = Array.from({ length: 20 }, (_, i) => i).sort((a, b) => scoreOf(b) - scoreOf(a)).slice(0, 5);
  t.same([...best.rows.subarray(0, best.count)].map((row) => catalog.item(row)!.id), expected.map((i) => `item-${i}`));
  t.ok(isNear(best.scores.subarray(0, 5), expected.map(scoreOf)));
  t.equal(retrieval.index.has(catalog.rowOf('stranger')), false, 'nothing is known of its attributes');

  catalog.put(ITEMS[25]!);
  catalog.put({ id: 'novel', title: 'Novel', category: ['root-1', 'unknown'], brand: 'brand-2' });
  t.equal(retrieval.index.has(catalog.rowOf('item-25')), false, 'not at once');
  catalog.sequence = 1;
  const refreshing = retrieval.refresh();
  catalog.sequence = 2;
  await refreshing;
  t.equal(retrieval.boundAt, BETWEEN, 'it changed meanwhile');
  t.ok(isNear(retrieval.index.vector(catalog.rowOf('item-25')).subarray(0, 12), vectors.itemVectors.subarray(25 * 12, 26 * 12)), 'training knew it');
  const attribute = (name: string): Float32Array => {
    const [key] = attributeKeys(name.startsWith('brand') ? { category: [], brand: name } : { category: [name] });
    const at = vectors.attributes.indexOf(key!);
    return vectors.attributeVectors.subarray(at * 12, (at + 1) * 12);
  };
  const novel = Float32Array.from(attribute('root-1'), (value, i) => (value + attribute('brand-2')[i]!) / Math.SQRT2);
  t.ok(isNear(retrieval.index.vector(catalog.rowOf('novel')).subarray(0, 12), novel), 'and of this one its root category and brand');
  await encoder.retire();
});

await t.test('refusals say which file, what was expected and what was found', async (t) => {
  await t.test('files that changed', async (t) => {
    for (const file of ['encoder.onnx', 'vectors.bin']) {
      const folder = await folderWith(t);
      await writeFile(join(folder, file), 'something else');
      await rejectedBecause(t, folder, new RegExp(`${file}: expected sha256 [0-9a-f]{64} \\(manifest\\.json\\), found [0-9a-f]{64}`));
    }
  });
  await t.test('vectors', async (t) => {
    const folder = await folderWith(t);
    const path = join(folder, 'vectors.bin');
    const bytes = (await readFile(path)).subarray(0, -4);
    await writeFile(path, bytes);
    await editEncoder(folder, (encoder) => ({ ...encoder, sha256: { ...encoder.sha256, 'vectors.bin': sha256(bytes) } }));
    await rejectedBecause(t, folder, /vectors\.bin: expected a file of vectors, found vectors: \d+ bytes, where 40 items/);
    await rejectedBecause(t, await folderWith(t, { vectors: { ...VECTORS, attributeVectors: VECTORS.attributeVectors.map((value, i) => (i === 9 ? NaN : value)) } }), /vectors\.bin: expected finite numbers, found NaN or infinity/);
    const other = await folderWith(t);
    await editEncoder(other, (encoder) => ({ ...encoder, dimensions: 11 }));
    await rejectedBecause(t, other, /vectors\.bin: expected vectors of 11 dimensions \(manifest\.json\), found 12/);
  });
  await t.test('graph', async (t) => {
    const graph = new GraphBuilder('odd');
    graph.input('history', [1, 4, 12]);
    graph.input('mood', [1, 4]);
    graph.output('user', [1, 12]);
    graph.op('ReduceSum', ['history', graph.integers('places', [1])], { keepdims: 0 }, 'user');
    await rejectedBecause(t, await folderWith(t, { onnx: graph.model() }), /encoder\.onnx: expected inputs history float32\[1,4,12\].+found history float32\[1,4,12\], mood float32\[1,4\]/);
    await rejectedBecause(t, await folderWith(t, { onnx: Uint8Array.of(1, 2, 3) }), /encoder\.onnx: expected an ONNX model onnxruntime can load/);
  });
  await t.test('golden vectors', async (t) => {
    const folder = await folderWith(t);
    const golden = (await readModelFiles(folder)).golden.encoder![0]!;
    const wrong = { ...golden, user: golden.user.map((value, i) => (i === 2 ? value + 1 : value)) };
    await rejectedBecause(t, await folderWith(t, { golden: [wrong] }), /golden\.json: encoder case "two items": expected \S+ at 2 of the user vector, found/);
    await rejectedBecause(t, await folderWith(t, { golden: [{ ...golden, items: [1, golden.items[0]!] }] }), /expected items of vectors\.bin, found unknown 1/);
    await rejectedBecause(t, await folderWith(t, { golden: [{ ...golden, daysAgo: [1] }] }), /expected as many times as items \(2\), found 1/);
    const none = await folderWith(t);
    await edit<Golden>(join(none, 'golden.json'), ({ cases }) => ({ cases }));
    await rejectedBecause(t, none, /golden\.json: expected cases of the encoder, found none/);
  });
});

await t.test('a run that gives no finite vector says so', async (t) => {
  const graph = new GraphBuilder('root');
  graph.input('history', [1, 4, 12]);
  graph.output('user', [1, 12]);
  graph.op('ReduceSum', [graph.op('Sqrt', ['history']), graph.integers('places', [1])], { keepdims: 0 }, 'user');
  const positive = { ...VECTORS, itemVectors: VECTORS.itemVectors.map((value, i) => (i < 24 ? 4 : value)) };
  const golden = [{ name: 'roots', items: Array.from(VECTORS.items.subarray(0, 2)), daysAgo: [1, 0], user: Array.from({ length: 12 }, () => 4) }];
  const encoder = await load(await folderWith(t, { vectors: positive, onnx: graph.model(), golden }));
  const retrieval = await Retrieval.bind(encoder, catalogOf(ITEMS));
  await t.rejects(retrieval.encode(shopper(['item-5']), NOW), { code: 'model_unavailable' });
  await encoder.retire();
});

async function editEncoder(folder: string, change: (encoder: EncoderManifest) => EncoderManifest): Promise<void> {
  await edit<Manifest>(join(folder, 'manifest.json'), (manifest) => ({ ...manifest, encoder: change(manifest.encoder!) }));
}
