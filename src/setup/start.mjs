// `npm start`: everything the engine needs, then the engine, until a signal or its own end.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { prepare } from './prepare.mjs';
import { bringUpRedis } from './redis.mjs';
import { exitCode, ROOT, say } from './shell.mjs';

/** The engine drains its requests and jobs within this; after it, it is killed. */
const DRAIN_MS_MAX = 30_000;

/** Ctrl-C under npm arrives twice, from the terminal and from npm: within this it is one wish. */
const SAME_WISH_MS = 1_000;

/** Runs the engine to its end and returns its exit code. `workers`: api processes; else API_PROCESSES says. */
export async function start({ workers } = {}) {
  const stop = stopSignal();
  await prepare();
  if (stop.isAsked()) return 0;
  let isRedisLost = false;
  const redis = await bringUpRedis({
    onLost() {
      isRedisLost = true;
      stop.ask('SIGTERM');
    },
  });
  try {
    const code = stop.isAsked() ? 0 : await runEngine({ redis, stop, workers });
    return isRedisLost ? 1 : code;
  } finally {
    await redis.stop();
  }
}

async function runEngine({ redis, stop, workers }) {
  const { DEMO = '1', ROLE = 'both', API_PROCESSES = '1' } = process.env;
  // In a process group of its own: a signal reaches it once, from here, and a kill takes its worker along.
  const engine = spawn(process.execPath, ['--enable-source-maps', '--max-semi-space-size=64', join('dist', 'src', 'main.js')], {
    cwd: ROOT,
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, DEMO, ROLE, API_PROCESSES: workers ?? API_PROCESSES, REDIS_URL: redis.url },
  });
  const ended = exitCode(engine);
  process.on('SIGUSR2', () => engine.kill('SIGUSR2'));
  redis.note(engine.pid);
  const kill = () => signalGroup(engine.pid, 'SIGKILL');
  let timer;
  stop.onAsk((signal, isRepeated) => {
    if (isRepeated) {
      kill();
      return;
    }
    engine.kill(signal);
    timer = setTimeout(() => {
      say(`the engine has not drained within ${DRAIN_MS_MAX / 1000} s; killing it`);
      kill();
    }, DRAIN_MS_MAX);
  });
  try {
    return await ended;
  } finally {
    clearTimeout(timer);
    kill(); // whatever of its group is still there
  }
}

/** One wish to stop, from a signal or from us, at any time; a second Ctrl-C after a while means at once. */
function stopSignal() {
  let asked;
  let listener = () => {};
  const ask = (signal) => {
    if (asked === undefined) {
      asked = { signal, at: Date.now() };
      listener(signal, false);
    } else if (signal === 'SIGINT' && Date.now() - asked.at > SAME_WISH_MS) {
      listener(signal, true);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => ask(signal === 'SIGHUP' ? 'SIGTERM' : signal));
  return {
    ask,
    isAsked: () => asked !== undefined,
    onAsk(next) {
      listener = next;
      if (asked !== undefined) next(asked.signal, false);
    },
  };
}

function signalGroup(pid, name) {
  try {
    process.kill(-pid, name);
  } catch {
    // none of it is left
  }
}
