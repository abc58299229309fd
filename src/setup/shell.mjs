// What every set-up step needs: where the project is, a way to say something, a way to run a program.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants as access, statSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** A set-up step that cannot go on: the message says what the person can do; no stack is shown. */
export class SetupError extends Error {}

/** Progress goes to stderr, so that the stdout of what we run stays its own. */
export function say(message) {
  process.stderr.write(`rivulet: ${message}\n`);
}

/** Folders a package manager installs into that are sometimes missing from PATH (cron, sudo, GUI shells). */
const EXTRA_FOLDERS = ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/opt/homebrew/bin'];

/** The first of `names` that is an executable file on the PATH, as a full path. */
export function findProgram(names, path = process.env.PATH ?? '') {
  const folders = [...path.split(delimiter).filter(Boolean), ...EXTRA_FOLDERS];
  for (const name of names) {
    for (const folder of folders) {
      if (isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

export function isExecutable(file) {
  try {
    accessSync(file, access.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Runs a program to its end with its output kept: `{ok, output}`; never throws. */
export function capture(program, args, options = {}) {
  const limits = { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
  const result = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8', ...limits, ...options });
  return { ok: result.status === 0, output: `${result.stdout ?? ''}${result.stderr ?? ''}` };
}

/** Runs a program in the foreground and resolves with its exit code. */
export function run(program, args, options = {}) {
  return foreground(spawn(program, args, { cwd: ROOT, stdio: 'inherit', ...options }));
}

/**
 * Stays alive until a foreground child is done, and resolves with its exit code. The terminal delivers Ctrl-C to the
 * child itself, so SIGINT is only survived; SIGTERM comes to this process alone and is passed on.
 */
export async function foreground(child) {
  const survive = () => {};
  const forward = () => child.kill('SIGTERM');
  process.on('SIGINT', survive);
  process.on('SIGTERM', forward);
  try {
    return await exitCode(child);
  } finally {
    process.off('SIGINT', survive);
    process.off('SIGTERM', forward);
  }
}

/** Resolves with a child's exit code; one that a signal ended has 128 + its number, as in a shell. */
export function exitCode(child) {
  return new Promise((resolvePromise, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolvePromise(code ?? 128 + constants.signals[signal]));
  });
}

export function delay(ms) {
  return new Promise((done) => setTimeout(done, ms));
}
