import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noCounts, readArchive } from '../../archive/reader.js';
import { AppError } from '../../errors.js';
import { readManifest } from '../../ranking/manifest.js';
import { isSameModel, ModelRegistry } from '../../ranking/model-registry.js';
import { hash48 } from '../../util/hash.js';
import type { DeedValues } from '../ranker/lists.js';
import { archiveEnd } from './judged-lists.js';
import { tryModel, type Trial } from './promote.js';

const DAY_MS = 86_400_000;

export const RETRAIN_RULE = {
  /** The latest part of the log is kept for the judgement, ms: nothing of it is trained on. */
  heldOutMs: DAY_MS,
  /** Fewer shoppers or items before it teach nothing that would hold for others. */
  shoppersMin: 50, itemsMin: 20,
} as const;

export interface RetrainTask {
  readonly archiveDir: string;
  readonly modelsDir: string;
  readonly modelDir: string;
  readonly eventsMin: number;
  readonly values: DeedValues;
  /** For the journal. */
  readonly by: string;
  readonly seed: number;
}

/** Trains on the archive's events before a time and writes a model folder. */
export type Train = (options: {
  readonly archiveDir: string;
  readonly until: number;
  readonly out: string;
  /** Folder of the model in service, to start from. */
  readonly from: string;
  readonly seed: number;
  readonly values: DeedValues;
}) => Promise<void>;

export type RetrainReply =
  /** Nothing was trained, and why. */
  | { readonly skipped: string }
  /** With what went wrong in trainings before it or after it. */
  | ({ readonly model: string; readonly faults?: readonly string[] } & Trial);

interface Survey { readonly events: number; readonly shoppers: number; readonly items: number }

/**
 * Trains anew on the archive without its latest day, and judges the result on that day. A model that does not pass is
 * noted as refused, with the reason; one that does is left to its shadowing.
 * @param trainings tried one after another, until one gives a model that passes
 * @returns what came of the last training that came to a verdict
 * @throws what the trainings throw when none did: the serving model stays
 */
export async function retrain(task: RetrainTask, trainings: readonly Train[], clock: () => number): Promise<RetrainReply> {
  const until = await archiveEnd(task.archiveDir) - RETRAIN_RULE.heldOutMs;
  const before = await survey(task.archiveDir, until);
  const missing = lacking(before, task.eventsMin);
  if (missing !== undefined) return { skipped: missing };
  const registry = new ModelRegistry(task.modelsDir, task.modelDir, clock);
  const faults: string[] = [];
  let reply: RetrainReply | undefined;
  for (const train of trainings) {
    try {
      reply = await attempt(registry, task, train, { until, events: before.events });
      if ('verdict' in reply && reply.verdict.promote) break;
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (reply === undefined) throw new Error(faults.join('; then '));
  return 'verdict' in reply && faults.length > 0 ? { ...reply, faults } : reply;
}

async function attempt(registry: ModelRegistry, task: RetrainTask, train: Train, { until, events }: { until: number; events: number }): Promise<RetrainReply> {
  const serving = await registry.servingFolder();
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-train-'));
  // What a training keeps beside its model, to go on after a stop, goes with the folder.
  const out = join(folder, 'model');
  try {
    await train({ archiveDir: task.archiveDir, until, out, from: serving, seed: task.seed, values: task.values });
    const served = await readManifest(serving).catch(() => undefined);
    if (served !== undefined && isSameModel(served, await readManifest(out))) return { skipped: 'training gave the serving model again' };
    const model = await registry.add(out, { by: task.by, why: `trained on ${events} events up to ${new Date(until).toISOString()}` });
    return { model, ...await judged(registry, model, task, until) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function judged(registry: ModelRegistry, model: string, { archiveDir, by, values }: RetrainTask, since: number): Promise<Trial> {
  try {
    const trial = await tryModel(registry, model, archiveDir, { since, values });
    if (!trial.verdict.promote) await registry.refuse(model, { by, why: trial.verdict.why });
    return trial;
  } catch (error) {
    if (error instanceof AppError && error.code === 'model_refused') await registry.refuse(model, { by, why: error.message });
    throw error;
  }
}

async function survey(dir: string, until: number): Promise<Survey> {
  const shoppers = new Set<number>();
  const items = new Set<number>();
  let events = 0;
  for await (const { at, shopper, itemId } of readArchive(dir, noCounts())) {
    if (at >= until) continue;
    events += 1;
    // Enough to know that there are enough.
    if (shoppers.size < RETRAIN_RULE.shoppersMin) shoppers.add(hash48(shopper));
    if (itemId !== undefined && items.size < RETRAIN_RULE.itemsMin) items.add(hash48(itemId));
  }
  return { events, shoppers: shoppers.size, items: items.size };
}

/** @returns what is too few to train on */
function lacking({ events, shoppers, items }: Survey, eventsMin: number): string | undefined {
  const { shoppersMin, itemsMin } = RETRAIN_RULE;
  if (events < eventsMin) return `${events} events before the latest day are fewer than the ${eventsMin} that training needs`;
  if (shoppers < shoppersMin) return `${shoppers} shoppers are fewer than the ${shoppersMin} that training needs`;
  if (items < itemsMin) return `${items} items are fewer than the ${itemsMin} that training needs`;
  return undefined;
}
