import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { DEFAULT_STATISTICS, type StatisticsSettings } from '../candidates/statistics-settings.js';
import type { Lease } from '../redis/lease.js';
import { LATE, within } from '../util/deadline.js';
import { backoffMs } from '../util/pause.js';
import { Rounds } from '../util/rounds.js';
import type { LiveStatisticsEvent } from './live-statistics.js';

export const LIVE_STATISTICS_PROCESS_LIMITS = {
  /** A worker that fell silent is succeeded after this; it is looked after so often, ms. */
  leaseMs: 6000, everyMs: 1000,
  /** Pause after a failure: doubles from … to …, ms. */
  retryFromMs: 500, retryToMs: 30_000,
  /** Time the process gets to write its last checkpoint, ms. */
  stopMs: 5000,
  /** Heap of the process, MB; its counts are bounded by STATISTICS_LIMITS and mostly outside of it. */
  heapMb: 3072,
} as const;

export interface LiveStatisticsTask {
  readonly archiveDir: string;
  readonly redisUrl: string;
  readonly keyPrefix: string;
  readonly settings: StatisticsSettings;
}

export type LiveStatisticsReport = LiveStatisticsEvent | { readonly kind: 'failed'; readonly message: string };

interface Options {
  readonly task: Omit<LiveStatisticsTask, 'settings'>;
  /** Those of the model that serves, looked up again and again: when they change, all is counted anew. */
  readonly settings: () => Promise<StatisticsSettings>;
  readonly lease: Lease;
  readonly log: Logger;
}

interface Counting {
  readonly child: ChildProcess;
  readonly settings: StatisticsSettings;
  readonly ended: Promise<void>;
}

/**
 * Keeps a process at counting while this worker holds the lease, of all workers one. A process of its own, because a
 * publication computes for as long as there are items, and this one has locks to renew.
 */
export class LiveStatisticsProcess {
  readonly #options: Options;
  readonly #rounds: Rounds;
  #counting: Counting | undefined;
  /** In a row; a publication ends the row. */
  #failures = 0;
  #startAt = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#rounds = new Rounds({
      everyMs: LIVE_STATISTICS_PROCESS_LIMITS.everyMs, round: () => this.#round(),
      onError: (error) => { options.log.debug({ err: error }, 'statistics could not be looked after'); },
    });
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.#end();
    await this.#options.lease.release();
  }

  async #round(): Promise<void> {
    const { lease, settings } = this.#options;
    if (!(await lease.take(LIVE_STATISTICS_PROCESS_LIMITS.leaseMs))) await this.#end();
    // A model that cannot be read just now changes nothing.
    else await this.#keep(await settings().catch(() => this.#counting?.settings ?? DEFAULT_STATISTICS));
  }

  async #keep(settings: StatisticsSettings): Promise<void> {
    if (this.#counting !== undefined && JSON.stringify(this.#counting.settings) !== JSON.stringify(settings)) await this.#end();
    if (this.#counting === undefined && performance.now() >= this.#startAt) this.#counting = this.#launch(settings);
  }

  #launch(settings: StatisticsSettings): Counting {
    const { task, log } = this.#options;
    const { heapMb, retryFromMs, retryToMs } = LIVE_STATISTICS_PROCESS_LIMITS;
    const path = fileURLToPath(new URL('./live-statistics-child.js', import.meta.url));
    const child = fork(path, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [`--max-old-space-size=${heapMb}`] });
    child.on('message', (message) => { this.#hear(message as LiveStatisticsReport); });
    const ended = new Promise<void>((resolve) => {
      const end = (): void => {
        this.#counting = undefined;
        this.#failures += 1;
        this.#startAt = performance.now() + backoffMs(this.#failures, retryFromMs, retryToMs);
        resolve();
      };
      child.once('close', end);
      child.on('error', (error) => {
        log.warn({ err: error }, 'statistics process');
        // What never began does not close.
        if (child.pid === undefined) end();
      });
    });
    child.send({ ...task, settings } satisfies LiveStatisticsTask, () => { /* A failure ends the process, too. */ });
    return { child, settings, ended };
  }

  #hear(report: LiveStatisticsReport): void {
    const { log } = this.#options;
    if (report.kind === 'failed') log.warn({ failures: this.#failures + 1, reason: report.message }, 'statistics stopped; they are resumed');
    else log.info(report, 'statistics');
    if (report.kind === 'published') this.#failures = 0;
  }

  /** Asks the process to write its checkpoint and end, and ends it when it does not. */
  async #end(): Promise<void> {
    const counting = this.#counting;
    if (counting === undefined) return;
    counting.child.send('stop', () => { /* It is gone. */ });
    if ((await within(counting.ended, LIVE_STATISTICS_PROCESS_LIMITS.stopMs)) === LATE) counting.child.kill('SIGKILL');
    await counting.ended;
    this.#failures = 0;
    this.#startAt = 0;
  }
}
