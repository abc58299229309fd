import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ArchiveCounts } from '../archive/reader.js';
import type { Lease } from '../redis/lease.js';
import { pause } from '../util/pause.js';

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

export interface RebuildTask {
  readonly archiveDir: string;
  readonly redisUrl: string;
  readonly keyPrefix: string;
}

export type RebuildReply =
  | { readonly version: string; readonly items: number; readonly pairs: number; readonly counts: ArchiveCounts; readonly ms: number }
  | { readonly error: string };

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
  const reply = await runChild(task, signal);
  onDone(reply);
  if ('error' in reply) throw new Error(`Statistics were not rebuilt: ${reply.error}`);
}

function runChild(task: RebuildTask, signal: AbortSignal): Promise<RebuildReply> {
  const path = fileURLToPath(new URL('./rebuild-statistics-child.js', import.meta.url));
  const child = fork(path, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [`--max-old-space-size=${REBUILD_LIMITS.heapMb}`] });
  return new Promise<RebuildReply>((resolve) => {
    const end = (reply: RebuildReply): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      child.kill('SIGKILL');
      resolve(reply);
    };
    const abort = (): void => { end({ error: STOPPED }); };
    const timer = setTimeout(() => { end({ error: `not done within ${REBUILD_LIMITS.timeoutMs} ms` }); }, REBUILD_LIMITS.timeoutMs);
    signal.addEventListener('abort', abort);
    child.once('message', (message) => { end(message as RebuildReply); });
    child.once('error', (error) => { end({ error: error.message }); });
    child.once('exit', (code, by) => { end({ error: `its process ended with ${by ?? `exit code ${code}`}` }); });
    child.send(task, (error) => { if (error !== null) end({ error: error.message }); });
    if (signal.aborted) abort();
  });
}
