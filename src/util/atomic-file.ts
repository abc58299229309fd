import { randomUUID } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pause } from './pause.js';

const LOCK_LIMITS = {
  /** A lock is held for milliseconds; one this old was left by a crash, ms. */
  staleMs: 10_000,
  waitMs: 15_000, pollMs: 20,
} as const;

/** Replaces a file: a reader sees the old content or the new, and so does whoever comes after a crash. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const beside = `${path}.${randomUUID()}.new`;
  const handle = await open(beside, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, path);
  await syncFolder(dirname(path));
}

/** A new or renamed file is safe only when its folder's entry is, too. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Does the work while no other process holds the same lock.
 * @param path file that is the lock: made by whoever holds it
 * @throws Error when somebody holds it for longer than anybody should
 */
export async function whileLocked<T>(path: string, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + LOCK_LIMITS.waitMs;
  while (!(await tryLock(path))) {
    if (performance.now() > until) throw new Error(`${path} is held by another process.`);
    const made = await stat(path).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > LOCK_LIMITS.staleMs) await rm(path, { force: true });
    else await pause(LOCK_LIMITS.pollMs);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
