import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeVectors } from '../../encoder/vectors-file.js';
import { sha256, type EncoderGolden, type EncoderManifest } from '../../ranking/manifest.js';
import { hash48 } from '../../util/hash.js';
import { gapOf } from './attention-bias.js';
import type { ItemAttributes } from './attributes.js';
import type { EncoderFit } from './fit.js';

/** Lengths of the golden histories, as far as there are items. */
const GOLDEN_LENGTHS = [1, 3, 20] as const;
const DAY_MS = 86_400_000;

/**
 * Writes `encoder.onnx` and `vectors.bin` into a model folder. Items that never occurred are left out: what was learned of
 * them is only not to be drawn, and their attributes say more.
 * @returns what the folder's manifest and golden cases have to say of them
 */
export async function saveEncoder(
  folder: string, fit: EncoderFit, itemIds: readonly string[], attributes: Pick<ItemAttributes, 'keys'>,
): Promise<{ manifest: EncoderManifest; golden: EncoderGolden }> {
  const { onnx, itemVectors, attributeVectors, counts, settings: { dimensions, historyMax } } = fit;
  const occurred = itemIds.map((_, item) => item).filter((item) => counts[item]! > 0);
  const vectors = encodeVectors({
    dimensions, items: Float64Array.from(occurred, (item) => hash48(itemIds[item]!)),
    itemVectors: Float32Array.from({ length: occurred.length * dimensions }, (_, at) => itemVectors[occurred[Math.floor(at / dimensions)]! * dimensions + at % dimensions]!),
    biases: undefined, attributes: attributes.keys, attributeVectors,
  });
  await writeFile(join(folder, 'encoder.onnx'), onnx);
  await writeFile(join(folder, 'vectors.bin'), vectors);
  return {
    manifest: { dimensions, historyMax, sha256: { 'encoder.onnx': sha256(onnx), 'vectors.bin': sha256(vectors) } },
    golden: await goldenCases(fit, itemIds, occurred.toSorted((a, b) => counts[b]! - counts[a]! || a - b)),
  };
}

/** Histories of different lengths, an item a day, and the vectors that the graph makes of them. */
async function goldenCases({ onnx, itemVectors, settings: { dimensions, historyMax } }: EncoderFit, itemIds: readonly string[], frequent: readonly number[]): Promise<EncoderGolden> {
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1 });
  const cases: EncoderGolden = [];
  for (const length of new Set(GOLDEN_LENGTHS.map((length) => Math.min(length, historyMax, frequent.length)))) {
    const items = frequent.slice(0, length);
    const history = new Float32Array(historyMax * dimensions);
    const gaps = new Float32Array(historyMax);
    const mask = new Float32Array(historyMax);
    const first = historyMax - items.length;
    const daysAgo = items.map((_, i) => items.length - 1 - i);
    for (const [i, item] of items.entries()) {
      history.set(itemVectors.subarray(item * dimensions, (item + 1) * dimensions), (first + i) * dimensions);
      gaps[first + i] = gapOf(daysAgo[i]! * DAY_MS);
      mask[first + i] = 1;
    }
    const { user } = await session.run({
      history: new Tensor('float32', history, [1, historyMax, dimensions]),
      gaps: new Tensor('float32', gaps, [1, historyMax]), mask: new Tensor('float32', mask, [1, historyMax]),
    });
    cases.push({ name: `${items.length} items, one a day`, items: items.map((item) => hash48(itemIds[item]!)), daysAgo, user: Array.from(user!.data as Float32Array) });
  }
  await session.release();
  return cases;
}
