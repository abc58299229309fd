import type { Comparison } from '../learn/models/compare.js';
import type { RetrainReply, RetrainTask } from '../learn/models/retrain.js';
import type { ModelRegistry, RegistryState } from '../ranking/model-registry.js';
import type { Lease } from '../redis/lease.js';
import type { ShadowCounts, ShadowStore } from '../redis/shadow-store.js';
import type { Clock } from '../util/clock.js';
import type { JobRegistry, Processors } from './registry.js';
import { runChild } from './run-child.js';

export const RETRAIN = 'retrain';
export const JUDGE_SHADOW = 'judge-shadow';

export const RETRAIN_LIMITS = {
  /** A training that fell silent is succeeded after this, ms. */
  leaseMs: 30_000,
  /** A training that takes longer is ended, ms. */
  timeoutMs: 60 * 60_000,
  /** Heap of the process, MB; it ends itself when all its memory exceeds `retrain-child`'s bound. */
  heapMb: 3072,
  /** Between looks at a shadow, ms. */
  judgeEveryMs: 5000,
} as const;

/**
 * The rule by which a shadow may serve: it was asked `shadowRequests` times, or shadowed for `shadowMs`, whichever came
 * first, and in that time never failed or was dropped as slow, did not give all items one score in more than 1 % of the
 * requests, and did not take twice as long as the serving model.
 */
const SHADOW_RULE = { constantMax: 0.01, slowerFactor: 2, slowerMs: 0.3 } as const;

export interface RetrainOptions {
  readonly task: RetrainTask;
  /** The program that does a task: see `retrain-child`. */
  readonly program: URL;
  readonly models: ModelRegistry;
  readonly shadows: Pick<ShadowStore, 'read' | 'clear'>;
  readonly jobs: Pick<JobRegistry, 'add'>;
  /** One training at a time among all workers. */
  readonly newLease: () => Lease;
  readonly shadowRequests: number;
  readonly shadowMs: number;
  readonly judgeEveryMs?: number;
  readonly clock: Clock;
  readonly onDone: (what: {
    readonly outcome: string; readonly model?: string; readonly why: string; readonly comparison?: Comparison;
    /** What went wrong in other trainings of the round. */
    readonly faults?: readonly string[];
  }) => void;
}

/** The jobs that train, shadow and promote. A failure is reported, and the next round tries again: the serving model stays. */
export function retrainJobs(options: RetrainOptions): Processors {
  return {
    [RETRAIN]: async (_data, signal) => { await options.newLease().whileHeld(RETRAIN_LIMITS.leaseMs, () => round(options, signal)); },
    [JUDGE_SHADOW]: () => judgeShadow(options),
  };
}

async function round(options: RetrainOptions, signal: AbortSignal): Promise<void> {
  const { models, shadows, task, onDone } = options;
  const { shadow, startedBy } = await shadowOf(models);
  // One that was left over by a crash is judged first.
  if (startedBy === task.by) return judgeLater(options);
  if (shadow !== null) {
    onDone({ outcome: 'skipped', why: `${shadow.model} shadows by the hand of ${startedBy}` });
    return;
  }
  const reply = await runChild<RetrainReply>(options.program, task, RETRAIN_LIMITS, signal);
  if ('error' in reply) onDone({ outcome: 'failed', why: reply.error });
  else if ('skipped' in reply) onDone({ outcome: 'skipped', why: reply.skipped });
  else {
    const { model, verdict: { promote, why }, comparison, faults } = reply;
    if (promote) {
      await shadows.clear(model);
      await models.shadow(model, { by: task.by, why });
    }
    onDone({ outcome: promote ? 'shadowed' : 'refused', model, why, comparison, ...faults === undefined ? {} : { faults } });
    if (promote) await judgeLater(options);
  }
}

const judgeLater = ({ jobs, clock, judgeEveryMs = RETRAIN_LIMITS.judgeEveryMs }: RetrainOptions): Promise<void> =>
  jobs.add(JUDGE_SHADOW, {}, { jobId: `${JUDGE_SHADOW} ${clock()}`, delayMs: judgeEveryMs });

async function judgeShadow(options: RetrainOptions): Promise<void> {
  const { models, shadows, task, clock, shadowRequests, shadowMs, onDone } = options;
  const { shadow, startedBy, why } = await shadowOf(models);
  // Ended by hand, or begun by hand: not ours to decide.
  if (shadow === null || startedBy !== task.by) return;
  const counts = await shadows.read(shadow.model);
  const fault = shadowFault(counts);
  if (fault === undefined && counts.requests < shadowRequests && clock() - Date.parse(shadow.since) < shadowMs) return judgeLater(options);
  const seen = `${counts.requests} requests shadowed`;
  if (fault === undefined) {
    await models.promote(shadow.model, { by: task.by, why: `${why}; ${seen}` });
  } else await models.refuse(shadow.model, { by: task.by, why: `${fault}; ${seen}` });
  onDone({ outcome: fault === undefined ? 'promoted' : 'refused', model: shadow.model, why: fault ?? seen });
}

/** The model that shadows, who let it, and why. */
async function shadowOf(models: ModelRegistry): Promise<{ shadow: RegistryState['shadow']; startedBy: string | undefined; why: string }> {
  const { shadow, journal } = await models.state();
  const start = journal.findLast((entry) => entry.model === shadow?.model && entry.action === 'shadow');
  return { shadow, startedBy: start?.by, why: start?.why ?? '' };
}

/** @returns what was wrong with how a shadow scored live requests. Pure. */
export function shadowFault({ requests, dropped, servingMs, shadowMs, constant }: ShadowCounts): string | undefined {
  const { constantMax, slowerFactor, slowerMs } = SHADOW_RULE;
  if (dropped > 0) return 'as a shadow it failed or was slow';
  if (requests === 0) return undefined;
  if (constant / requests > constantMax) return 'as a shadow it gave all items the same score';
  const [serving, own] = [servingMs / requests, shadowMs / requests];
  if (own > Math.max(serving * slowerFactor, serving + slowerMs)) return `as a shadow it took ${own.toFixed(2)} ms a request, the serving model ${serving.toFixed(2)}`;
  return undefined;
}
