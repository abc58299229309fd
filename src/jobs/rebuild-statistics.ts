import type { ArchiveCounts } from '../archive/reader.js';
import type { Lease } from '../redis/lease.js';
import { pause } from '../util/pause.js';
import { runChild, type ChildError } from './run-child.js';

export const REBUILD_STATISTICS = 'rebuild-statistics';

export const REBUILD_LIMITS = {
  /** Events that came before the job get this long to reach the archive, ms. */
  archivedMs: 10_000,
  pollMs: 250,
  /** A rebuild that fell silent is succeeded after this, ms. */
  leaseMs: 10_000,
  /** A rebuild that takes longer is ended, ms. */
  timeoutMs: 30 * 60_000,
  /** Heap of the process, MB: its maps are bounded by STATISTICS_LIMITS. */
  heapMb: 3072,
} as const;

const STOPPED = 'the worker stops; another takes it up';
const CHILD = new URL('./rebuild-statistics-child.js', import.meta.url);

export interface RebuildTask {
  readonly archiveDir: string;
  readonly redisUrl: string;
  readonly keyPrefix: string;
}

export type RebuildReply =
  | { readonly version: string; readonly items: number; readonly pairs: number; readonly counts: ArchiveCounts; readonly ms: number }
  | ChildError;

interface RebuildOptions {
  readonly task: RebuildTask;
  /** One rebuild at a time among all workers; another waits for it, because it may know of newer events. */
  readonly newLease: () => Lease;
  /** Entries not archived yet. */
  readonly archiveLag: () => Promise<number>;
  readonly onDone: (reply: RebuildReply) => void;
}

/**
 * Counts neighbours and popularity anew over the whole archive and swaps them in everywhere. The counting runs in a
 * process of its own: in ours it would hold up the renewal of the job's lock, and the job would run twice.
 */
export async function rebuildStatistics(options: RebuildOptions, signal: AbortSignal): Promise<void> {
  const lease = options.newLease();
  while (!(await lease.whileHeld(REBUILD_LIMITS.leaseMs, () => rebuild(options, signal)))) {
    await pause(REBUILD_LIMITS.pollMs, signal);
    if (signal.aborted) throw new Error(STOPPED);
  }
}

async function rebuild({ task, archiveLag, onDone }: RebuildOptions, signal: AbortSignal): Promise<void> {
  const until = performance.now() + REBUILD_LIMITS.archivedMs;
  while (!signal.aborted && performance.now() < until && (await archiveLag()) > 0) await pause(REBUILD_LIMITS.pollMs, signal);
  const reply = await runChild<RebuildReply>(CHILD, task, REBUILD_LIMITS, signal);
  onDone(reply);
  if ('error' in reply) throw new Error(`Statistics were not rebuilt: ${reply.error}`);
}
