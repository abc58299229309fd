import { fork, type ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { Clock } from '../util/clock.js';
import { KeptProcess } from './kept-process.js';
import { MetricsExchange } from './metrics-exchange.js';

/** The processes of an engine. */
export interface Processes {
  /** Where they listen. */
  readonly url: string;
  /** Replaces one after the other; asked again meanwhile, it is still the same restart. */
  restart(): Promise<void>;
  /** Drains and ends all. */
  close(): Promise<void>;
}

export interface ProcessesOptions {
  readonly config: Pick<Config, 'apiProcesses' | 'role' | 'drainMs'>;
  /** The file that all processes run. */
  readonly main: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The worker, in a process of its own, so that heavy work never holds up a request. */
export function keptWorker({ config, main, clock, log }: ProcessesOptions, onReady: (child: ChildProcess) => void = () => { /* Nobody asks. */ }): KeptProcess {
  const start = (): ChildProcess => fork(main, [], { env: { ...process.env, ROLE: 'worker' }, serialization: 'advanced' });
  return new KeptProcess({ name: 'worker', fork: start, onReady, drainMs: config.drainMs, clock, log });
}

/**
 * Starts the api processes, and the worker where the role is both, and resolves when the api serves. This process
 * itself serves nothing: it starts again what dies.
 * @throws when one of them cannot start
 */
export async function startProcesses(options: ProcessesOptions): Promise<Processes> {
  const { config, main, clock, log } = options;
  // The processes take connections from one listener as each gets to it. Dealing them out in turn here would cost a hop
  // each, and one dealt to a process that has just been killed would hang for ever: no other would ever get it.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: main, serialization: 'advanced' });
  const exchange = new MetricsExchange();
  const forkApi = (): ChildProcess => cluster.fork({ ROLE: 'api' }).process;
  const onReady = (child: ChildProcess): void => { exchange.join(child); };
  const apis = Array.from({ length: config.apiProcesses }, () => new KeptProcess({ name: 'api', fork: forkApi, onReady, drainMs: config.drainMs, clock, log }));
  const worker = config.role === 'both' ? keptWorker(options, onReady) : undefined;
  const all = worker === undefined ? apis : [...apis, worker];
  const close = async (): Promise<void> => { await Promise.all(all.map((kept) => kept.stop())); };
  try {
    const [url = ''] = await Promise.all(apis.map((api) => api.start()));
    worker?.start().catch(() => { /* it is started again */ });
    let restarting: Promise<void> | undefined;
    return {
      url, close,
      restart: () => restarting ??= replaceAll(all, log).finally(() => { restarting = undefined; }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function replaceAll(all: readonly KeptProcess[], log: Logger): Promise<void> {
  log.info({ processes: all.length }, 'restarting one after the other');
  try {
    for (const kept of all) await kept.replace();
    log.info('restarted');
  } catch (error) {
    log.error({ err: error }, 'the new process did not get ready; the rest stays as it is');
  }
}
