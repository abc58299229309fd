import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attributeKeys } from '../../src/encoder/attributes.js';
import { encodeVectors, type LearnedVectors } from '../../src/encoder/vectors-file.js';
import type { Item } from '../../src/domain/item.js';
import { GraphBuilder } from '../../src/learn/onnx.js';
import { sha256, type EncoderGolden, type EncoderManifest, type Golden, type Manifest } from '../../src/ranking/manifest.js';
import { hash48 } from '../../src/util/hash.js';
import { gaussian, seededRandom } from '../../src/util/random.js';

const DAYS = [9, 0.5];

/** Random vectors of items and of all their attributes. */
export function randomVectors(items: readonly Pick<Item, 'id' | 'category' | 'brand' | 'tags'>[], dimensions: number, biased = false): LearnedVectors {
  const random = seededRandom(11);
  const noise = (count: number): Float32Array => Float32Array.from({ length: count * dimensions }, () => gaussian(random));
  const attributes = Uint32Array.from(new Set(items.flatMap(attributeKeys)));
  return {
    dimensions, items: Float64Array.from(items, ({ id }) => hash48(id)), attributes,
    itemVectors: noise(items.length), attributeVectors: noise(attributes.length),
    biases: biased ? Float32Array.from(items, () => gaussian(random)) : undefined,
  };
}

/** `user = Σ history × mask / (1 + gaps)`: later items weigh more. */
export function poolingEncoder({ dimensions, historyMax }: Pick<EncoderManifest, 'dimensions' | 'historyMax'>): Uint8Array {
  const graph = new GraphBuilder('encoder');
  graph.input('history', [1, historyMax, dimensions]);
  graph.input('gaps', [1, historyMax]);
  graph.input('mask', [1, historyMax]);
  graph.output('user', [1, dimensions]);
  const weights = graph.op('Div', ['mask', graph.op('Add', ['gaps', graph.floats('one', [1], [1])])]);
  const weighted = graph.op('Mul', ['history', graph.op('Unsqueeze', [weights, graph.integers('last', [2])])]);
  graph.op('ReduceSum', [weighted, graph.integers('places', [1])], { keepdims: 0 }, 'user');
  return graph.model();
}

/** What `poolingEncoder` should give for items so many days ago. */
export function pooled(vectors: LearnedVectors, items: readonly number[], daysAgo: readonly number[]): Float32Array {
  const { dimensions, itemVectors } = vectors;
  const user = new Float32Array(dimensions);
  items.forEach((key, at) => {
    const from = vectors.items.indexOf(key) * dimensions;
    for (let i = 0; i < dimensions; i++) user[i]! += itemVectors[from + i]! / (1 + Math.log1p(daysAgo[at]!));
  });
  return user;
}

export interface TestEncoderOptions {
  readonly vectors: LearnedVectors;
  readonly historyMax?: number;
  readonly onnx?: Uint8Array;
  readonly golden?: EncoderGolden;
}

/** Adds an encoder to a model folder. */
export async function writeTestEncoder(folder: string, { vectors, historyMax = 4, onnx, golden }: TestEncoderOptions): Promise<EncoderManifest> {
  const { dimensions } = vectors;
  const graph = onnx ?? poolingEncoder({ dimensions, historyMax });
  const bytes = encodeVectors(vectors);
  const items = Array.from(vectors.items.subarray(0, DAYS.length));
  const encoder: EncoderManifest = { dimensions, historyMax, sha256: { 'encoder.onnx': sha256(graph), 'vectors.bin': sha256(bytes) } };
  await writeFile(join(folder, 'encoder.onnx'), graph);
  await writeFile(join(folder, 'vectors.bin'), bytes);
  await edit<Golden>(join(folder, 'golden.json'), (whole) => ({
    ...whole, encoder: golden ?? [{ name: 'two items', items, daysAgo: DAYS, user: Array.from(pooled(vectors, items, DAYS)) }],
  }));
  await edit<Manifest>(join(folder, 'manifest.json'), (whole) => ({ ...whole, encoder }));
  return encoder;
}

/** Changes a JSON file. */
export async function edit<T>(path: string, change: (value: T) => T): Promise<void> {
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as T)));
}
