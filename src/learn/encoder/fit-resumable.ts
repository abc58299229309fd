import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { readCheckpoint, writeCheckpoint } from '../graph/checkpoint-file.js';
import { fitEncoder, type EncoderFit, type EpochMetrics, type FitOptions } from './fit.js';

/** Time between two checkpoints, ms: what a stop can cost. */
const CHECKPOINT_EVERY_MS = 20_000;

interface About {
  /** Of the options: a checkpoint of other data or settings is not gone on from. */
  readonly of: string;
  readonly epochs: readonly EpochMetrics[];
}

/** `fitEncoder` with a file that holds its state until it is done: started again after a stop, it goes on from there. */
export async function fitResumably(path: string, options: Omit<FitOptions, 'checkpoint'>): Promise<EncoderFit> {
  const { clock, onEpoch } = options;
  const of = fingerprint(options);
  const found = await readCheckpoint(path);
  const about = found?.about as About | undefined;
  const checkpoint = found !== undefined && about?.of === of ? { epochs: about.epochs, state: found.checkpoint } : undefined;
  let writtenAt = clock();
  const fit = await fitEncoder({
    ...options, ...(checkpoint === undefined ? {} : { checkpoint }),
    onEpoch: async (progress, copy) => {
      await onEpoch?.(progress, copy);
      if (clock() - writtenAt < CHECKPOINT_EVERY_MS || progress.secondsLeft === 0) return;
      writtenAt = clock();
      const { epochs, state } = copy();
      await writeCheckpoint(path, { of, epochs } satisfies About, state);
    },
  });
  await rm(path, { force: true });
  return fit;
}

/** Of all that a fit depends on. */
function fingerprint({ interactions, known, attributes, questions, excludeHistory, seed, settings }: Omit<FitOptions, 'checkpoint'>): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of [interactions.item, interactions.offsets, interactions.at, known, attributes.index, attributes.keys]) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.update(JSON.stringify([questions, excludeHistory, seed, settings])).digest('hex');
}
