// Type-check, lint, and every test on the compiled files. Each test file starts what it needs.
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listFiles } from './build.mjs';
import { ensureChromium } from './chromium.mjs';
import { TAP } from './dependencies.mjs';
import { prepare } from './prepare.mjs';
import { ensureRedisProgram } from './redis-program.mjs';
import { foreground, ROOT, run, say, SetupError } from './shell.mjs';
import { readTap, skippedLine, summaryLine } from './tap-summary.mjs';

const JOBS_MAX = 8;

/** Runs everything and returns the exit code; `choice` picks test files by parts of their paths. */
export async function test(choice) {
  const total = { passed: 0, failed: 0, skipped: [] };
  try {
    await prepare({ tests: true });
    const programs = { REDIS_SERVER: ensureRedisProgram(), CHROMIUM_PATH: ensureChromium() };
    if (!(await lint())) total.failed++;
    const result = await runTests(chooseTests(choice), programs);
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped.push(...result.skipped);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    total.failed++;
  }
  for (const skipped of total.skipped) console.log(skippedLine(skipped));
  console.log(summaryLine(total));
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

async function lint() {
  say('linting …');
  const oxlint = join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint');
  const args = ['--type-aware', '--deny-warnings', 'src', 'test', 'bench'];
  return (await run(process.execPath, [oxlint, ...args], { stdio: ['ignore', 2, 2] })) === 0;
}

/** `test/profile/fold.test.ts`, `profile/fold`, `fold` and the compiled file's path all choose the same file. */
function chooseTests(choice) {
  const all = listFiles('dist/test').filter((file) => file.endsWith('.test.js'));
  const parts = choice.map((part) => part.replace(/^(\.\/)?(dist\/)?/, '').replace(/\.[tj]s$/, ''));
  const chosen = parts.length === 0 ? all : all.filter((file) => parts.some((part) => file.includes(part)));
  if (chosen.length === 0) throw new SetupError(`no test file matches ${choice.join(' ') || 'dist/test/**/*.test.js'}`);
  return chosen;
}

async function runTests(files, env) {
  say(`running ${files.length} test ${files.length === 1 ? 'file' : 'files'} …`);
  const jobs = Math.min(JOBS_MAX, Math.max(2, cpus().length));
  const child = spawn(process.execPath, [TAP, '--reporter=tap', `--jobs=${jobs}`, ...files], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = foreground(child);
  const tap = readTap({ onFile: printFile });
  for await (const text of createInterface({ input: child.stdout })) tap.line(text);
  const code = await ended;
  const total = tap.total();
  if (code !== 0 && total.failed === 0) {
    say(`the test runner ended with exit code ${code}`);
    total.failed++;
  }
  return total;
}

function printFile({ name, passed, failed, skipped, duration, details }) {
  const counts = summaryLine({ passed, failed, skipped });
  console.log(
    `${failed === 0 ? 'ok    ' : 'FAILED'} ${name}: ${counts}${duration === undefined ? '' : ` (${duration})`}`,
  );
  if (failed > 0) console.log(details.join('\n'));
}
