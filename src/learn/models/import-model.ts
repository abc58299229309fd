import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { AppError } from '../../errors.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { ENGINE_FEATURES, ITEM_FEATURES } from '../../ranking/features.js';
import { sha256 } from '../../ranking/manifest.js';
import { loadModel } from '../../ranking/model.js';
import type { Deed, ModelRegistry } from '../../ranking/model-registry.js';
import { seededRandom } from '../../util/random.js';
import { saveModel, type GoldenInput } from '../save-model.js';

export interface ImportOptions {
  readonly name: string;
  /** Default: the first characters of the file's hash. */
  readonly version?: string;
  /** Names of the columns in order; default: all of the engine's. */
  readonly userFeatures?: readonly string[];
  readonly itemFeatures?: readonly string[];
  readonly licence?: string;
}

const GOLDEN_ITEMS = 20;

/**
 * Takes somebody's ONNX file into the registry: writes the manifest, its hashes, and golden scores from runs of the file
 * itself, so that from then on any change of it, or of the runtime, is noticed.
 * @returns its label
 * @throws AppError `model_refused` with the reason when it does not keep the contract
 */
export async function importModel(registry: ModelRegistry, file: string, options: ImportOptions, deed: Deed): Promise<string> {
  const onnx = await readFile(file).catch((cause: unknown) => {
    throw new AppError('invalid_request', `${file} cannot be read; name the ONNX file to import.`, { cause });
  });
  const userFeatures = [...options.userFeatures ?? USER_FEATURES];
  const itemFeatures = [...options.itemFeatures ?? ITEM_FEATURES];
  await checkWidths(onnx, file, userFeatures.length, itemFeatures.length);
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-import-'));
  try {
    await saveModel(folder, {
      onnx, golden: goldenInputs(userFeatures.length, itemFeatures.length),
      manifest: {
        name: options.name, version: options.version ?? sha256(onnx).slice(0, 12), userFeatures, itemFeatures,
        trainedAt: (await stat(file)).mtime.toISOString(), data: { source: `imported from ${basename(file)}` }, metrics: {},
        licence: options.licence ?? 'not stated',
      },
    });
    await (await loadModel(folder, ENGINE_FEATURES)).retire();
    return await registry.add(folder, deed);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Says which columns are missing before anything runs: the commonest mistake. */
async function checkWidths(onnx: Uint8Array, file: string, user: number, items: number): Promise<void> {
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1, logSeverityLevel: 3 }).catch((cause: unknown) => {
    throw new AppError('model_refused', `${file} is no ONNX model that onnxruntime can load.`, { cause });
  });
  const widthOf = (name: string): unknown => {
    const input = session.inputMetadata.find((one) => one.name === name);
    return input?.isTensor === true ? input.shape[1] : undefined;
  };
  const found = [widthOf('user'), widthOf('items')];
  await session.release();
  if (found[0] === user && found[1] === items) return;
  throw new AppError('model_refused', `${file} reads ${shown(found[0])} columns of \`user\` and ${shown(found[1])} of \`items\`; named are ${user} and ${items}. `
    + 'Name its columns in order: --user a,b,… --items c,d,…');
}

const shown = (width: unknown): string => (typeof width === 'number' ? String(width) : 'no fixed number of');

/** Zeros, one item, and a list with values as features have them: logarithms of counts, shares, flags. */
function goldenInputs(user: number, items: number): GoldenInput[] {
  const random = seededRandom(1);
  const values = (length: number): number[] => Array.from({ length }, () => Math.round(random() * 3e4) / 1e4);
  const zeros = (length: number): number[] => Array.from({ length }, () => 0);
  return [
    { name: 'zeros', user: zeros(user), items: [zeros(items)] },
    { name: 'one item', user: values(user), items: [values(items)] },
    { name: 'a list', user: values(user), items: Array.from({ length: GOLDEN_ITEMS }, () => values(items)) },
  ];
}
