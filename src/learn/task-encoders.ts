import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadEncoder, type Encoder } from '../encoder/encoder.js';
import type { EncoderGolden, EncoderManifest } from '../ranking/manifest.js';
import type { Clock } from '../util/clock.js';
import { itemAttributes } from './encoder/attributes.js';
import { fitResumably } from './encoder/fit-resumable.js';
import type { EncoderFit, FitOptions } from './encoder/fit.js';
import { saveEncoder } from './encoder/save.js';
import type { OnProgress } from './progress.js';
import type { Split, Task } from './task.js';

/** Fewer known events than this teach an encoder nothing that statistics do not say. */
const EVENTS_MIN = 2000;

export interface SavedEncoder { readonly manifest: EncoderManifest; readonly golden: EncoderGolden }

/** The encoders of a task, loaded as the engine loads them. */
export interface TaskEncoders {
  /** Fitted on what is known at the first split the ranker learns from, so that no list tells what it was learnt from. */
  readonly fit: Encoder;
  /** Fitted on what is known at the test, as many epochs; in the model's folder. */
  readonly serving: Encoder;
  readonly saved: SavedEncoder;
  readonly epochs: number;
}

export interface FitEncodersOptions {
  /** The model's folder. */
  readonly out: string;
  readonly seed: number;
  readonly clock: Clock;
  readonly onProgress: OnProgress;
}

/** Fits both encoders; none where there is too little to learn from. */
export async function fitEncoders(task: Task, { out, seed, clock, onProgress }: FitEncodersOptions): Promise<TaskEncoders | undefined> {
  const [earliest] = task.fits;
  if (earliest === undefined || earliest.known.reduce((sum, count) => sum + count, 0) < EVENTS_MIN) return undefined;
  const { interactions, excludeHistory } = task;
  const attributes = itemAttributes(task.items);
  const fit = (stage: string, { known }: Split, options: Pick<FitOptions, 'questions' | 'settings'>): Promise<EncoderFit> => fitResumably(`${out}.${stage.replaceAll(' ', '-')}`, {
    interactions, known, attributes, excludeHistory, seed, clock, ...options,
    onEpoch: ({ epoch, epochsMax, ndcg, secondsLeft }) => {
      onProgress({ stage, done: epoch, total: epochsMax, note: `${ndcg === undefined ? '' : `NDCG ${ndcg.toFixed(4)}, `}${Math.ceil(secondsLeft)} s at most` });
    },
  });
  const first = await fit('encoder', earliest, { questions: task.validation.questions });
  const { settings, bestEpoch: epochs } = first;
  const last = await fit('encoder again', task.test, { questions: [], settings: { ...settings, epochsMax: epochs } });
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-encoder-'));
  try {
    const ofFit = await saveEncoder(folder, first, interactions.itemIds, attributes);
    const saved = await saveEncoder(out, last, interactions.itemIds, attributes);
    return {
      fit: await loadEncoder(folder, ofFit.manifest, ofFit.golden), serving: await loadEncoder(out, saved.manifest, saved.golden), saved, epochs,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Whether what is known at one split is known at another too: what was learnt at the one may then be used at the other. */
export const isWithin = (known: Uint32Array, other: Uint32Array): boolean => known.every((count, shopper) => count <= other[shopper]!);
