import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { USER_FEATURES } from '../profile/vector.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import { sha256, type Manifest } from '../ranking/manifest.js';
import { goldenCases } from './golden.js';
import { measureDistribution } from './models/measure-distribution.js';
import { exportRanker } from './ranker/export-ranker.js';
import type { OnProgress } from './progress.js';
import { fitRanker } from './ranker/fit-ranker.js';
import { RANKER_SETTINGS, type RankerSettings } from './ranker/settings.js';
import { DEED_VALUES, type DeedValues, type ListStore } from './ranker/lists.js';
import type { ExportedRanker } from './ranker/ranker.js';
import { saveModel, type ModelFolder } from './save-model.js';
import type { SavedEncoder } from './task-encoders.js';

export interface MakeModelOptions {
  readonly train: ListStore;
  readonly validation: ListStore;
  readonly out: string;
  readonly seed: number;
  /** Weights to go on from: see `readExported`. */
  readonly start?: ExportedRanker | undefined;
  readonly values?: DeedValues;
  readonly settings?: RankerSettings;
  /** Of an encoder whose files are in the folder already. */
  readonly encoder?: SavedEncoder | undefined;
  /** What the manifest says beside what is known here. */
  readonly about: Pick<Manifest, 'name' | 'data' | 'licence' | 'statistics'> & { readonly trainedAt: string };
  readonly onProgress: OnProgress;
}

/** What came out of a ranker's fit. */
export interface MadeModel {
  readonly content: ModelFolder;
  readonly epochs: number;
  /** Of the validation lists. */
  readonly ndcg10: number;
}

/** Makes a folder that is no model until its manifest is written: what is half written is never taken for one. */
export async function prepareFolder(out: string): Promise<void> {
  await mkdir(out, { recursive: true });
  await rm(join(out, 'manifest.json'), { force: true });
}

/** Fits a ranker to lists and writes it as a model folder. */
export async function makeModel(options: MakeModelOptions): Promise<MadeModel> {
  const { train, validation, out, seed, start, values = DEED_VALUES, settings = RANKER_SETTINGS, about, onProgress } = options;
  await mkdir(out, { recursive: true });
  const ranker = await fitRanker({
    train, validation, values, settings, seed, start, checkpointPath: `${out}.ranker-fit`,
    onProgress: ({ step, steps, epoch, ndcg10 }) => {
      onProgress({ stage: 'ranker', done: step, total: steps, note: `epoch ${epoch + 1}${ndcg10 === undefined ? '' : `, validation NDCG@10 ${ndcg10.toFixed(4)}`}` });
    },
  });
  const onnx = exportRanker(ranker);
  const { epochs, ndcg10 } = ranker;
  const content: ModelFolder = {
    onnx, golden: goldenCases(validation), encoderGolden: options.encoder?.golden,
    manifest: {
      ...about, version: sha256(sha256(onnx) + JSON.stringify(options.encoder?.manifest.sha256 ?? '')).slice(0, 12), userFeatures: [...USER_FEATURES], itemFeatures: [...ITEM_FEATURES],
      unused: ITEM_FEATURES.filter((_, column) => !ranker.columns.item.includes(column)),
      metrics: { validation: { ndcg10: Math.round(ndcg10 * 1e4) / 1e4, lists: validation.size }, epochs },
      ...options.encoder === undefined ? {} : { encoder: options.encoder.manifest },
    },
  };
  await prepareFolder(out);
  await saveModel(out, content);
  await measureDistribution(out, train);
  return { content, epochs, ndcg10 };
}
