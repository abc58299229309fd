import type { ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import { AppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { backoffMs } from '../util/pause.js';
import type { FromPrimary, ToPrimary } from './messages.js';

export const KEPT_LIMITS = {
  /** Pause before a dead process is started again, ms: doubles with each death, from … to …; long life begins anew. */
  restartFromMs: 250,
  restartToMs: 10_000,
  /** Time a replacement gets to say that it is ready, ms. */
  readyMs: 120_000,
  /** Beyond its drain a process gets this long to end before it is killed, ms. */
  endMs: 5000,
} as const;

export interface KeptProcessOptions {
  /** In the log: `api`, `worker`. */
  readonly name: string;
  readonly fork: () => ChildProcess;
  /** Told of each generation when it is ready. */
  readonly onReady: (child: ChildProcess) => void;
  /** Time it has to finish what is under way, ms. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A child process that is kept: started again when it dies, replaced without a gap, drained at the end. */
export class KeptProcess {
  readonly #options: KeptProcessOptions;
  /** All of its generations that have not ended yet. */
  readonly #alive = new Set<ChildProcess>();
  #current: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #deaths = 0;
  #isStopped = false;

  constructor(options: KeptProcessOptions) {
    this.#options = options;
  }

  /** @returns where it listens, once it is ready. @throws when it ended before that; it is started again all the same */
  async start(): Promise<string | undefined> {
    this.#current = this.#fork();
    return untilReady(this.#current);
  }

  /**
   * Puts a new process in its place: the new one is ready before the old one drains.
   * @throws when the new one does not get ready; then the old one stays
   */
  async replace(): Promise<void> {
    const next = this.#fork();
    const tooLate = setTimeout(() => next.kill('SIGKILL'), KEPT_LIMITS.readyMs);
    try {
      await untilReady(next);
    } finally {
      clearTimeout(tooLate);
    }
    const old = this.#current;
    this.#current = next;
    clearTimeout(this.#restart);
    const retire: FromPrimary = { type: 'retire' };
    // One that is gone already has nothing to be told.
    if (old !== undefined) await this.#end(old, () => { old.send(retire, () => { /* it ends */ }); });
  }

  /** Drains and ends all of it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#restart);
    await Promise.all([...this.#alive].map((child) => this.#end(child, () => { child.kill('SIGTERM'); })));
  }

  #fork(): ChildProcess {
    const { clock, log, name } = this.#options;
    const child = this.#options.fork();
    const startedAt = clock();
    const onGone = (why: object): void => {
      if (!this.#alive.delete(child) || this.#isStopped || this.#current !== child) return;
      this.#deaths = clock() - startedAt > KEPT_LIMITS.restartToMs ? 1 : this.#deaths + 1;
      const restartInMs = backoffMs(this.#deaths, KEPT_LIMITS.restartFromMs, KEPT_LIMITS.restartToMs);
      log.error({ ...why, pid: child.pid, restartInMs }, `${name} died`);
      this.#restart = setTimeout(() => { this.#current = this.#fork(); }, restartInMs);
    };
    this.#alive.add(child);
    child.on('message', ({ type }: ToPrimary) => { if (type === 'ready') this.#options.onReady(child); });
    child.once('exit', (code, signal) => { onGone({ code, signal }); });
    // Of one that could not even be started there is no exit.
    child.on('error', (error) => { if (child.pid === undefined) onGone({ err: error }); });
    return child;
  }

  async #end(child: ChildProcess, ask: () => void): Promise<void> {
    if (!this.#alive.has(child)) return;
    const ended = new Promise((resolve) => { child.once('exit', resolve); });
    const kill = setTimeout(() => child.kill('SIGKILL'), this.#options.drainMs + KEPT_LIMITS.endMs);
    ask();
    await ended;
    clearTimeout(kill);
  }
}

function untilReady(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: ToPrimary): void => {
      if (message.type !== 'ready') return;
      child.off('message', onMessage);
      resolve(message.url);
    };
    child.on('message', onMessage);
    child.once('error', reject);
    child.once('exit', (code, signal) => { reject(new AppError('internal', `A process of the engine ended before it was ready (${code ?? signal}); what it said is above.`)); });
  });
}
