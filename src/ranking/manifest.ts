import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Compile } from 'typebox/schema';
import { StatisticsSettingsSchema } from '../candidates/statistics-settings.js';
import { AppError } from '../errors.js';
import { breathe } from '../util/pause.js';
import { Type, type Static, type TSchema } from '../util/type.js';

/** Version of the contract between engine and model: files, graph inputs and output, meaning of the features. */
export const MODEL_CONTRACT = 1;

const FILE_BYTES_MAX = 256 * 2 ** 20;
/** About a millisecond. */
const HASH_BYTES_PER_TURN = 2 ** 20;
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const FeatureNames = Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { minItems: 1, maxItems: 1024, uniqueItems: true });

/** The optional part of a model that finds candidates: `encoder.onnx` and `vectors.bin`. */
export const EncoderManifestSchema = Type.Object({
  /** Numbers of a vector. */
  dimensions: Type.Integer({ minimum: 1, maximum: 256 }),
  /** Latest distinct items of a shopper that it reads. */
  historyMax: Type.Integer({ minimum: 1, maximum: 64 }),
  sha256: Type.Object({ 'encoder.onnx': Sha256, 'vectors.bin': Sha256 }, { additionalProperties: false }),
}, { additionalProperties: false });
export type EncoderManifest = Static<typeof EncoderManifestSchema>;

/** `manifest.json`: what a model is, what it reads and where it comes from. */
export const ManifestSchema = Type.Object({
  name: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }),
  version: Type.String({ pattern: '^[A-Za-z0-9._+-]{1,64}$' }),
  contract: Type.Literal(MODEL_CONTRACT),
  /** Names of the columns of `user`, in order; a subset of the engine's. */
  userFeatures: FeatureNames,
  /** Names of the columns of `items`, in order; a subset of the engine's. */
  itemFeatures: FeatureNames,
  /** Of the item features those that do not count, because they never varied in training: the engine does not compute what takes long. */
  unused: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 1024 })),
  /** `schemaHash(userFeatures, itemFeatures)`. */
  schemaHash: Sha256,
  /** Of `model.onnx`. */
  sha256: Sha256,
  trainedAt: Type.String({ minLength: 1, maxLength: 40, description: 'ISO 8601' }),
  /** What it was trained on, and the span of it. */
  data: Type.Record(Type.String(), Type.Unknown()),
  metrics: Type.Record(Type.String(), Type.Unknown()),
  licence: Type.String({ minLength: 1, maxLength: 256 }),
  encoder: Type.Optional(EncoderManifestSchema),
  /** How co-occurrence was counted for it, and is to be counted while it serves. */
  statistics: Type.Optional(StatisticsSettingsSchema),
}, { additionalProperties: false });
export type Manifest = Static<typeof ManifestSchema>;

const Numbers = Type.Array(Type.Number(), { maxItems: 1024 });

/** `golden.json`: inputs and the scores they must give, within `MODEL_LIMITS.goldenTolerance`. */
export const GoldenSchema = Type.Object({
  cases: Type.Array(Type.Object({
    name: Type.String({ minLength: 1, maxLength: 128 }),
    user: Numbers,
    items: Type.Array(Numbers, { minItems: 1, maxItems: 512 }),
    scores: Type.Array(Type.Number(), { minItems: 1, maxItems: 512 }),
  }, { additionalProperties: false }), { minItems: 1, maxItems: 64 }),
  /** Histories, oldest first, and the user vectors they must give; of a model with an encoder. */
  encoder: Type.Optional(Type.Array(Type.Object({
    name: Type.String({ minLength: 1, maxLength: 128 }),
    /** hash48 of each item's id. */
    items: Numbers,
    daysAgo: Numbers,
    user: Numbers,
  }, { additionalProperties: false }), { minItems: 1, maxItems: 64 })),
}, { additionalProperties: false });
export type EncoderGolden = NonNullable<Static<typeof GoldenSchema>['encoder']>;
export type Golden = Static<typeof GoldenSchema>;

/** The content of a model folder, its hashes checked. */
export interface ModelFiles {
  readonly manifest: Manifest;
  readonly golden: Golden;
  readonly onnx: Uint8Array;
}

/** Hash over the contract and the ordered feature names: equal exactly when a model's columns mean the same. */
export function schemaHash(userFeatures: readonly string[], itemFeatures: readonly string[]): string {
  return sha256(JSON.stringify([MODEL_CONTRACT, userFeatures, itemFeatures]));
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/**
 * Reads the manifest of a model folder.
 * @throws AppError `model_refused`
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const manifest = await readJson(join(folder, 'manifest.json'), ManifestSchema);
  const hash = schemaHash(manifest.userFeatures, manifest.itemFeatures);
  if (manifest.schemaHash !== hash) {
    throw refused(join(folder, 'manifest.json'), `schemaHash of its feature names is ${hash}`, manifest.schemaHash);
  }
  return manifest;
}

/**
 * Reads a model folder and checks the files against the manifest.
 * @throws AppError `model_refused`
 */
export async function readModelFiles(folder: string): Promise<ModelFiles> {
  const manifest = await readManifest(folder);
  const golden = await readJson(join(folder, 'golden.json'), GoldenSchema);
  return { manifest, golden, onnx: await readHashed(join(folder, 'model.onnx'), manifest.sha256) };
}

/**
 * Reads a file that must have the hash the manifest says, pausing as it goes: a large one takes a while.
 * @throws AppError `model_refused`
 */
export async function readHashed(path: string, expected: string): Promise<Uint8Array> {
  const bytes = await readBytes(path);
  const hash = createHash('sha256');
  for (let from = 0; from < bytes.length; from += HASH_BYTES_PER_TURN) {
    if (from > 0) await breathe();
    hash.update(bytes.subarray(from, from + HASH_BYTES_PER_TURN));
  }
  const found = hash.digest('hex');
  if (found !== expected) throw refused(path, `sha256 ${expected} (manifest.json)`, found);
  return bytes;
}

/** A refusal that says which file, what was expected and what was found there. */
export function refused(where: string, expected: string, found: string, cause?: unknown): AppError {
  return new AppError('model_refused', `Model refused: ${where}: expected ${expected}, found ${found}.`, { cause });
}

async function readJson<T extends TSchema>(path: string, schema: T): Promise<Static<T>> {
  const bytes = await readBytes(path);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw refused(path, 'JSON', error instanceof Error ? error.message : String(error), error);
  }
  // Golden cases are thousands of numbers: compiling the check pays for itself at once.
  const checker = Compile(schema);
  if (checker.Check(value)) return value;
  const [, [first]] = checker.Errors(value);
  const at = first === undefined || first.instancePath === '' ? 'the document' : first.instancePath;
  throw refused(path, 'a document of its schema', `${at}: ${first?.message ?? 'does not follow it'}`);
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) throw refused(path, `at most ${FILE_BYTES_MAX} bytes`, `${size}`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw refused(path, 'a readable file', error instanceof Error ? error.message : String(error), error);
  }
}
