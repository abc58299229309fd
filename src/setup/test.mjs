// Type-check, lint, and every test on the compiled files. Each test file starts what it needs.
import { join } from 'node:path';
import { listFiles } from './build.mjs';
import { ensureChromium } from './chromium.mjs';
import { prepare } from './prepare.mjs';
import { ensureRedisProgram } from './redis-program.mjs';
import { ROOT, run, say, SetupError } from './shell.mjs';
import { skippedLine, slowestLine, summaryLine } from './tap-summary.mjs';
import { runFiles } from './test-files.mjs';

/** Runs everything and returns the exit code; `choice` picks test files by parts of their paths. */
export async function test(choice) {
  const total = { passed: 0, failed: 0, skipped: [] };
  try {
    await prepare();
    const programs = { REDIS_SERVER: ensureRedisProgram(), CHROMIUM_PATH: ensureChromium() };
    if (!(await lint())) total.failed++;
    for (const file of await runTests(chooseTests(choice), programs)) {
      total.passed += file.passed;
      total.failed += file.failed;
      total.skipped.push(...file.skipped);
    }
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

async function runTests(names, env) {
  say(`running ${names.length} test ${names.length === 1 ? 'file' : 'files'} …`);
  const files = [];
  await runFiles(names, {
    env,
    onFile: (file) => {
      files.push(file);
      printFile(file);
    },
  });
  if (files.length > 1) console.log(slowestLine(files));
  return files;
}

function printFile({ failed, name, seconds, details, ...counts }) {
  console.log(`${failed === 0 ? 'ok    ' : 'FAILED'} ${name}: ${summaryLine({ failed, ...counts })} (${seconds.toFixed(1)} s)`);
  if (failed > 0) console.log(details.join('\n'));
}
