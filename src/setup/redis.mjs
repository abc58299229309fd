// The engine's own Redis: a private child on a free loopback port, its data under ./.data/redis, stopped with us.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { commandLine, endProcess, takeLock } from './lock.mjs';
import { ensureRedisProgram } from './redis-program.mjs';
import { delay, ROOT, say, SetupError } from './shell.mjs';

export const REDIS_FOLDER = resolve(ROOT, process.env.DATA_DIR || '.data', 'redis');

/** Loading a large append-only file takes a while; a Redis that answers nothing for this long is broken. */
const READY_MS_MAX = 120_000;
const STOP_MS_MAX = 20_000;
const RESTARTS_MAX = 5;
const RESTARTS_WINDOW_MS = 60_000;

/** `{url, stop()}`: the Redis named by REDIS_URL, which is not ours to stop, or a private one. */
export async function bringUpRedis({ onLost }) {
  const given = process.env.REDIS_URL;
  if (given !== undefined && given !== '') return { url: given, note() {}, async stop() {} };
  return startPrivateRedis({ program: ensureRedisProgram(), folder: REDIS_FOLDER, onLost });
}

/**
 * Starts a private Redis and keeps it up: one that dies unasked is started again on the same port and data.
 * `onLost` is called when it keeps dying. Two Redis servers must never write one append-only file, hence the lock.
 */
export async function startPrivateRedis({ program, folder, onLost }) {
  const { lock, owner, previous } = takeLock(join(folder, 'lock.json'));
  if (lock === undefined) {
    throw new SetupError(
      `Rivulet already runs here (process ${owner.pid}), on the data in ${folder}.\n` +
        '  Stop it first, or give this one a Redis of its own with REDIS_URL.',
    );
  }
  try {
    await endLeftovers(previous);
    mkdirSync(folder, { recursive: true });
    return await superviseRedis({ program, folder, port: await freePort(), lock, onLost });
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function superviseRedis({ program, folder, port, lock, onLost }) {
  let child;
  let isStopping = false;
  const deaths = [];
  const facts = { redisPort: port };

  const launch = async () => {
    let isReady = false;
    let hasEnded = false;
    child = spawnRedis(program, folder, port);
    child.once('error', (error) => say(error.message));
    child.once('exit', () => {
      hasEnded = true;
      if (isReady && !isStopping) restart();
    });
    lock.note(Object.assign(facts, { redisPid: child.pid }));
    await untilReady({ port, folder, hasEnded: () => hasEnded || child.pid === undefined });
    isReady = true;
  };

  const restart = () => {
    const now = Date.now();
    deaths.push(now);
    if (deaths.filter((at) => now - at < RESTARTS_WINDOW_MS).length > RESTARTS_MAX) {
      say('Redis keeps dying; giving up.');
      onLost();
      return;
    }
    say('Redis ended unexpectedly; starting it again on the same data.');
    launch().catch((error) => {
      say(error.message);
      if (!isStopping) onLost();
    });
  };

  await launch();
  return {
    url: `redis://127.0.0.1:${port}`,
    /** Remembers the engine's own pid beside ours, for the start after a crash. */
    note: (enginePid) => lock.note(Object.assign(facts, { enginePid })),
    async stop() {
      isStopping = true;
      if (child.exitCode === null && child.signalCode === null) await endProcess(child.pid, STOP_MS_MAX);
      lock.release();
    },
  };
}

function spawnRedis(program, folder, port) {
  const settings = {
    bind: '127.0.0.1',
    port,
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    save: '',
    daemonize: 'no',
    logfile: join(folder, 'redis.log'),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // In a process group of its own: Ctrl-C in a terminal must reach the engine first, and Redis only once it drained.
  return spawn(program, args, { cwd: folder, stdio: 'ignore', detached: true });
}

async function untilReady({ port, folder, hasEnded }) {
  const log = join(folder, 'redis.log');
  const deadline = Date.now() + READY_MS_MAX;
  while (Date.now() < deadline) {
    const isUp = await answersPing(port);
    if (hasEnded()) throw new SetupError(`Redis did not start; its log is in ${log}`);
    if (isUp) return;
    await delay(25);
  }
  throw new SetupError(`Redis did not answer within ${READY_MS_MAX / 1000} s; its log is in ${log}`);
}

/** True once Redis has loaded its data: while loading it answers PING with an error. */
function answersPing(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (isReady) => {
      socket.destroy();
      resolve(isReady);
    };
    socket.setTimeout(1_000, () => answer(false));
    socket.once('error', () => answer(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => answer(data.toString().startsWith('+PONG')));
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** After a crash of ours (kill -9, power button on the terminal) its children may still run: end them in order. */
async function endLeftovers(record) {
  const { enginePid, redisPid, redisPort } = record ?? {};
  if (Number.isInteger(enginePid) && commandLine(enginePid).includes('main.js')) {
    say('ending an engine that an earlier start left behind …');
    await endProcess(enginePid, STOP_MS_MAX);
  }
  if (Number.isInteger(redisPid) && commandLine(redisPid).includes(`:${redisPort}`)) {
    say('ending a Redis that an earlier start left behind …');
    await endProcess(redisPid, STOP_MS_MAX);
  }
}
