import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { MODEL_CONTRACT, schemaHash, sha256, type EncoderGolden, type Golden, type Manifest } from '../ranking/manifest.js';

/** Inputs of a golden case; the scores are taken from the model itself. */
export interface GoldenInput {
  readonly name: string;
  readonly user: readonly number[];
  readonly items: readonly (readonly number[])[];
}

export interface ModelFolder {
  readonly onnx: Uint8Array;
  readonly golden: readonly GoldenInput[];
  /** Cases of the folder's encoder, if it has one: its files are written by who fitted it. */
  readonly encoderGolden?: EncoderGolden | undefined;
  readonly manifest: Omit<Manifest, 'contract' | 'schemaHash' | 'sha256'>;
}

/**
 * Writes `model.onnx`, `manifest.json` and `golden.json`. The manifest comes last: a folder cut short has none, and is
 * refused instead of half read.
 */
export async function saveModel(folder: string, { onnx, golden, encoderGolden, manifest }: ModelFolder): Promise<void> {
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1 });
  const cases: Golden['cases'] = [];
  for (const { name, user, items } of golden) {
    const { score } = await session.run({
      user: new Tensor('float32', Float32Array.from(user), [1, user.length]),
      items: new Tensor('float32', Float32Array.from(items.flat()), [items.length, items[0]!.length]),
    });
    cases.push({ name, user: [...user], items: items.map((item) => [...item]), scores: Array.from(score!.data as Float32Array) });
  }
  await session.release();
  const { name, version, userFeatures, itemFeatures, ...rest } = manifest;
  const whole: Manifest = {
    name, version, contract: MODEL_CONTRACT, userFeatures, itemFeatures,
    schemaHash: schemaHash(userFeatures, itemFeatures), sha256: sha256(onnx), ...rest,
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.onnx'), onnx);
  await writeFile(join(folder, 'golden.json'), `${JSON.stringify({ cases, encoder: encoderGolden })}\n`);
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(whole, null, 2)}\n`);
}
