import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ROLES } from '../../src/config.js';
import { startRedis, type TestRedis } from './redis.js';

/** A process of the engine, as an operator runs it, with a Redis of its own or a given one. */
export interface Engine {
  /** e.g. `http://127.0.0.1:41234`; of a worker, which does not listen, an empty string. */
  readonly url: string;
  readonly redis: TestRedis;
  readonly pid: number;
  readonly proc: ChildProcess;
  /** The latest lines of its output. */
  output(): string;
  /** Sends a signal. A deadly one (SIGKILL, SIGTERM, SIGINT) is waited for; SIGSTOP and SIGCONT only sent. @returns the exit code */
  kill(signal: NodeJS.Signals): Promise<number | null>;
  /** Ends it at once, and its Redis where it brought one. Calling it again does nothing. */
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** Settings beside the defaults of `src/config.ts`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Shared with others, who stop it; without, it gets one of its own. */
  readonly redis?: TestRedis;
  /** Default `api`. */
  readonly role?: (typeof ROLES)[number];
  /** Options of Node itself, e.g. `--cpu-prof`. */
  readonly nodeArgs?: readonly string[];
}

/**
 * Settings for tests of what an engine answers, not of how it bears delays: on a machine that stands still for seconds at times whatever is
 * late would be answered with less, and say so.
 */
export const PATIENT = { REDIS_TIMEOUT_MS: '10000', RECOMMEND_DEADLINE_MS: '20000', DECISION_DEADLINE_MS: '20000' } as const;

const ROOT = join(import.meta.dirname, '..', '..', '..');
const MAIN = join(ROOT, 'dist', 'src', 'main.js');
const READY_MS_MAX = 40_000;
const OUTPUT_CHARS_MAX = 20_000;
const ADDRESS = /^\s*API\s+(http\S+)\/v1\s*$/mu;
/** Of the surroundings only what a program needs to run at all: a test must not depend on the settings of its shell. */
const KEPT = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LD_LIBRARY_PATH'];

/** Ends the engine when this process is gone, however that came: the pipe on descriptor 3 closes with it. */
const GUARDED = '{ cat <&3 >/dev/null; kill -9 $$; } 2>/dev/null & exec "$0" "$@"';

/** Starts a process of the engine and waits until it is ready. */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const redis = options.redis ?? await startRedis();
  try {
    return await launch(redis, options);
  } catch (error) {
    if (options.redis === undefined) await redis.stop();
    throw error;
  }
}

async function launch(redis: TestRedis, options: EngineOptions): Promise<Engine> {
  const role = options.role ?? 'api';
  const env: Record<string, string> = {};
  for (const name of KEPT) if (process.env[name] !== undefined) env[name] = process.env[name];
  Object.assign(env, { ROLE: role, HOST: '127.0.0.1', PORT: '0', REDIS_URL: redis.url, DATA_DIR: join(redis.dir, 'data'), LOG_LEVEL: 'warn' }, options.env);
  const args = ['-c', GUARDED, process.execPath, '--enable-source-maps', '--max-semi-space-size=64', ...options.nodeArgs ?? [], MAIN];
  const proc = spawn('sh', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [proc.stdout, proc.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => { output = (output + text).slice(-OUTPUT_CHARS_MAX); });
  }
  await once(proc, 'spawn');
  const pid = proc.pid!;
  const kill = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (hasEnded(proc)) return proc.exitCode;
    const ended = signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' ? once(proc, 'exit') : undefined;
    proc.kill(signal);
    await ended;
    return proc.exitCode;
  };
  const stop = async (): Promise<void> => {
    await kill('SIGKILL');
    endGroup(pid);
    proc.stdio[3]?.destroy();
    if (options.redis === undefined) await redis.stop();
  };
  try {
    const url = await untilReady(proc, role, () => output);
    return { url, redis, pid, proc, output: () => output, kill, stop };
  } catch (error) {
    await kill('SIGKILL');
    endGroup(pid);
    proc.stdio[3]?.destroy();
    throw error;
  }
}

/** @returns the address it printed, once `/health/ready` says yes there */
async function untilReady(proc: ChildProcess, role: string, output: () => string): Promise<string> {
  const deadline = Date.now() + READY_MS_MAX;
  for (;;) {
    if (hasEnded(proc)) throw new Error(`The engine ended at once (${proc.exitCode ?? proc.signalCode}):\n${output()}`);
    if (Date.now() > deadline) throw new Error(`The engine was not ready within ${READY_MS_MAX} ms:\n${output()}`);
    if (role === 'worker') {
      // A worker has no address; it is given the moment in which a broken one would end.
      await pause(1000);
      if (!hasEnded(proc)) return '';
      continue;
    }
    const url = ADDRESS.exec(output())?.[1];
    if (url !== undefined && await isReady(url)) return url;
    await pause(20);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch {
    return false;
  }
}

/** Ends the processes that it started: they would drain for many seconds, without their Redis, and hold its output open. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // None is left.
  }
}

const hasEnded = (proc: ChildProcess): boolean => proc.exitCode !== null || proc.signalCode !== null;
