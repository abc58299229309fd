import { rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { readCheckpoint, writeCheckpoint } from '../graph/checkpoint-file.js';
import type { Checkpoint, TrainingGraph } from '../graph/training-graph.js';
import type { ExportedRanker, FitRankerOptions } from './ranker.js';
import type { RankerSettings } from './settings.js';
import type { RankerJudge } from './judge.js';
import type { Passes } from './passes.js';

/** Where a run is after an epoch, beside its weights: what its checkpoint says. */
interface Standing {
  /** Of the lists and settings: a checkpoint of others is not gone on from. */
  readonly of: string;
  readonly epoch: number;
  readonly best: { readonly ndcg10: number; readonly epoch: number; readonly step: number };
}

/** Names of the best epoch's arrays in a checkpoint begin with this. */
const BEST = 'best/';

/**
 * Steps through epochs until the validation lists are ranked no better; the graph is left with the weights of the best.
 * With a path, each epoch leaves a checkpoint there, and a run that was stopped goes on from it.
 */
export async function runEpochs(
  graph: TrainingGraph, passes: Passes, judge: RankerJudge, options: FitRankerOptions, settings: RankerSettings,
): Promise<{ epochs: number; ndcg10: number }> {
  const { start, onProgress, checkpointPath } = options;
  const perEpoch = Math.max(passes.stepsPerPass, settings.stepsMin);
  const steps = settings.epochsMax * perEpoch;
  const of = fingerprint(options, settings);
  const resumed = checkpointPath === undefined ? undefined : await resume(graph, checkpointPath, of);
  passes.skip((resumed?.epoch ?? 0) * perEpoch);
  // What was given to go on from is kept when training makes it no better.
  let best = resumed?.best ?? { ndcg10: start === undefined ? -1 : (await judge.quality()).ndcg10, epoch: 0, state: graph.checkpoint() };
  let epoch = resumed?.epoch ?? 0;
  for (; epoch < settings.epochsMax && epoch - best.epoch <= settings.patience; epoch++) {
    for (let step = 0; step < perEpoch; step++) {
      passes.fillNext();
      await graph.step(passes.batch.feeds(), settings.rateDecay ** epoch);
      onProgress({ step: epoch * perEpoch + step + 1, steps, epoch, ndcg10: best.ndcg10 < 0 ? undefined : best.ndcg10 });
    }
    const { ndcg10 } = await judge.quality();
    if (ndcg10 > best.ndcg10) best = { ndcg10, epoch, state: graph.checkpoint() };
    if (checkpointPath !== undefined) await keep(checkpointPath, graph.checkpoint(), best.state, { of, epoch: epoch + 1, best: { ndcg10: best.ndcg10, epoch: best.epoch, step: best.state.step } });
  }
  graph.restore(best.state);
  if (checkpointPath !== undefined) await rm(checkpointPath, { force: true });
  return { epochs: epoch, ndcg10: best.ndcg10 };
}

function keep(path: string, { step, arrays }: Checkpoint, best: Checkpoint, standing: Standing): Promise<void> {
  const named = [...best.arrays].map(([name, values]) => [BEST + name, values] as const);
  return writeCheckpoint(path, standing, { step, arrays: new Map([...arrays, ...named]) });
}

async function resume(graph: TrainingGraph, path: string, of: string): Promise<{ epoch: number; best: { ndcg10: number; epoch: number; state: Checkpoint } } | undefined> {
  const found = await readCheckpoint(path);
  const standing = found?.about as Standing | undefined;
  if (found === undefined || standing?.of !== of) return undefined;
  const { step, arrays } = found.checkpoint;
  const best = new Map([...arrays].filter(([name]) => name.startsWith(BEST)).map(([name, values]) => [name.slice(BEST.length), values]));
  graph.restore({ step, arrays });
  return { epoch: standing.epoch, best: { ...standing.best, state: { step: standing.best.step, arrays: best } } };
}

/** Of all that a run depends on. */
function fingerprint({ seed, train, validation, start, values }: FitRankerOptions, settings: RankerSettings): string {
  return JSON.stringify([seed, settings, values, train.checksum(), validation.checksum(), start === undefined ? 'anew' : checksum(start)]);
}

const checksum = ({ userFeatures, itemFeatures, tensors }: ExportedRanker): number =>
  [...tensors.values()].reduce((sum, { buffer }) => crc32(new Uint8Array(buffer), sum), crc32(JSON.stringify([userFeatures, itemFeatures])));
