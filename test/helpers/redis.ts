import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A private Redis of one test file: real, on a free loopback port, with an empty folder of its own. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** The folder of its files, removed by `stop`. */
  readonly dir: string;
  /** Process id; another one after `restart`. */
  readonly pid: number;
  /** Ends it and removes its files. Calling it again does nothing. */
  stop(): Promise<void>;
  /** Sends a signal. A deadly one (SIGKILL, SIGTERM) is waited for; SIGSTOP and SIGCONT only sent. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and files, ending it first (SIGTERM) when it runs. */
  restart(): Promise<void>;
}

export interface TestRedisOptions {
  /** Keep the data over `kill` and `restart` in an append-only file. Default false. */
  readonly appendOnly?: boolean;
  readonly appendFsync?: 'always' | 'everysec' | 'no';
  /** More settings, as in redis.conf: `{ 'maxmemory': '10mb' }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

const READY_MS_MAX = 20_000;
const START_TRIES_MAX = 5;

/**
 * Runs a Redis that cannot outlive the test, however that ends: the pipe on descriptor 3 closes with this process,
 * and the watcher beside Redis then kills it.
 */
const GUARDED = '{ cat <&3 >/dev/null; kill -9 $$; } 2>/dev/null & exec "$0" "$@"';

export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'rivulet-redis-'));
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return testRedis({ port, dir, options, child: await launch(port, dir, options) });
    } catch (error) {
      // Another process may have taken the port in between.
      if (attempt === START_TRIES_MAX) throw error;
    }
  }
}

interface Parts {
  readonly port: number;
  readonly dir: string;
  readonly options: TestRedisOptions;
  child: ChildProcess;
}

function testRedis(parts: Parts): TestRedis {
  const { port, dir, options } = parts;
  let isStopped = false;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return pidOf(parts.child);
    },
    async stop() {
      if (isStopped) return;
      isStopped = true;
      await end(parts.child, 'SIGKILL');
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
    async kill(signal) {
      if (signal === 'SIGKILL' || signal === 'SIGTERM') await end(parts.child, signal);
      else process.kill(pidOf(parts.child), signal);
    },
    async restart() {
      await end(parts.child, 'SIGTERM');
      parts.child = await launch(port, dir, options);
    },
  };
}

async function launch(port: number, dir: string, options: TestRedisOptions): Promise<ChildProcess> {
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir,
    save: '',
    appendonly: options.appendOnly === true ? 'yes' : 'no',
    appendfsync: options.appendFsync ?? 'everysec',
    'maxmemory-policy': 'noeviction',
    logfile: join(dir, 'redis.log'),
    ...options.settings,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const program = process.env['REDIS_SERVER'] ?? 'redis-server';
  const child = spawn('sh', ['-c', GUARDED, program, ...args], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  await once(child, 'spawn');
  const guard = child.stdio[3];
  child.once('exit', () => guard?.destroy());
  // A test that forgets to stop it still ends.
  child.unref();
  if (guard !== null && guard !== undefined && 'unref' in guard && typeof guard.unref === 'function') guard.unref();
  const deadline = Date.now() + READY_MS_MAX;
  while (!(await answersPing(port))) {
    if (hasEnded(child)) throw new Error(`${program} ended at once; its log is in ${dir}`);
    if (Date.now() > deadline) {
      await end(child, 'SIGKILL');
      throw new Error(`${program} did not answer within ${READY_MS_MAX} ms`);
    }
    await new Promise((done) => setTimeout(done, 10));
  }
  // The answer may have come from a stranger on that port, while ours failed to bind.
  if (hasEnded(child)) throw new Error(`${program} ended at once; its log is in ${dir}`);
  return child;
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.ref();
  child.kill(signal);
  child.kill('SIGCONT'); // a paused process hears SIGTERM only then
  await ended;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('Redis did not start');
  return child.pid;
}

/** True once it serves: while it loads its files, PING gets an error. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (isReady: boolean): void => {
      socket.destroy();
      resolve(isReady);
    };
    socket.setTimeout(1_000, () => answer(false));
    socket.once('error', () => answer(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => answer(data.toString().startsWith('+PONG')));
  });
}

/** A loopback port that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
