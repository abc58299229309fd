// Runs test files, each by a Node of its own that prints TAP. tap's own runner would put module hooks into every
// process, also into the engines that the tests start, and all of them would take twice as long to load.
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { foreground, ROOT } from './shell.mjs';
import { readTap } from './tap-summary.mjs';

const JOBS_MAX = 8;
/** Seconds a file may take before its tests are told that they hang, and those it then gets to say so. */
const FILE_S_MAX = 400;
const LAST_WORDS_S = 20;
/** Whole engines under load and faults: each has several busy processes, so they run after all others, and few at once. Beside others all took half as long again. */
const HEAVY = /(^|\/)test\/(fault|bench|e2e)\//;
const HEAVY_JOBS_MAX = 2;
/** Files that train or replay take longest: they begin, so that no lane is left with one of them at the end. */
const LONG = /(^|\/)test\/(learn|replay)\//;
/** Exit codes of SIGINT and SIGTERM: somebody wants the whole run to end. */
const STOPPED = [130, 143];

/** Runs the files with `env` beside the environment and calls `onFile` with what `readTap` says of each, as they end. */
export async function runFiles(files, { env, onFile }) {
  const heavy = files.filter((file) => HEAVY.test(file));
  const light = files.filter((file) => !HEAVY.test(file)).toSorted((a, b) => Number(LONG.test(b)) - Number(LONG.test(a)));
  const lane = async (queue) => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, env);
      if (STOPPED.includes(result.code)) heavy.length = light.length = 0;
      onFile(result);
    }
  };
  const run = (queue, count) => Promise.all(Array.from({ length: count }, () => lane(queue)));
  // One more than cores: most files wait for something half of their time.
  await run(light, Math.min(JOBS_MAX, cpus().length + 1));
  await run(heavy, HEAVY_JOBS_MAX);
}

async function runFile(name, env) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--enable-source-maps', name], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env, TAP_TIMEOUT: String(FILE_S_MAX) },
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), (FILE_S_MAX + LAST_WORDS_S) * 1000);
  const ended = foreground(child);
  const tap = readTap(name);
  for await (const text of createInterface({ input: child.stdout })) tap.line(text);
  const code = await ended;
  clearTimeout(deadline);
  return { ...tap.end(code), code, seconds: (performance.now() - startedAt) / 1000 };
}
