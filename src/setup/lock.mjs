// A lock file that names its owner, so that one left behind by a crash is seen and taken over.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { capture, delay } from './shell.mjs';

/**
 * Takes the lock, or returns the living owner's record: `{lock}` or `{owner}`. A record is `{pid, command, …}`;
 * `previous` is the record of a dead owner, for whoever wants to clean up after it.
 */
export function takeLock(file) {
  mkdirSync(dirname(file), { recursive: true });
  const previous = readRecord(file);
  if (previous !== undefined) {
    if (previous.pid !== process.pid && commandLine(previous.pid) === previous.command) return { owner: previous };
    rmSync(file, { force: true });
  }
  const record = { pid: process.pid, command: commandLine(process.pid) };
  try {
    writeFileSync(file, JSON.stringify(record), { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return { owner: readRecord(file) ?? { pid: 0 } }; // somebody was quicker
  }
  return {
    previous,
    lock: {
      /** Adds facts to the record, e.g. the pids of the children that must not outlive us. */
      note: (facts) => writeFileSync(file, JSON.stringify({ ...record, ...facts })),
      release: () => rmSync(file, { force: true }),
    },
  };
}

/** Runs `body` while holding the lock, after waiting for any other holder. */
export async function whileLocked(file, body, onWait) {
  let taken = takeLock(file);
  if (taken.lock === undefined) onWait();
  while (taken.lock === undefined) {
    await delay(200);
    taken = takeLock(file);
  }
  try {
    return await body();
  } finally {
    taken.lock.release();
  }
}

function readRecord(file) {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8'));
    return Number.isInteger(record?.pid) ? record : undefined;
  } catch {
    return undefined;
  }
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The command line of a process, or '' when there is none: pids are reused, so a number alone proves nothing. */
export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return capture('ps', ['-o', 'args=', '-p', String(pid)]).output;
  }
}

/** Ends a process that a crashed owner left behind: asks, waits, insists. */
export async function endProcess(pid, waitMs) {
  const deadline = Date.now() + waitMs;
  signal(pid, 'SIGTERM');
  while (isAlive(pid) && Date.now() < deadline) await delay(50);
  if (isAlive(pid)) signal(pid, 'SIGKILL');
}

export function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // already gone
  }
}
