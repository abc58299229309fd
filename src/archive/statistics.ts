import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { replaceFile } from '../util/atomic-file.js';
import { folderOf, listDays } from './files.js';

/** The fastest level: half the size already. */
const GZIP_LEVEL = 1;

const fileOf = (folder: string, version: string): string => join(folder, `${version}.bin.gz`);

/** Keeps the statistics of a version, as they were published, for a replay of what was ranked by them. */
export async function archiveStatistics(dir: string, version: string, bytes: Uint8Array, now: number): Promise<void> {
  const folder = folderOf(dir, 'statistics', now);
  await mkdir(folder, { recursive: true });
  await replaceFile(fileOf(folder, version), await promisify(gzip)(bytes, { level: GZIP_LEVEL }));
}

/** @returns undefined when that version is not (any more) there */
export async function readArchivedStatistics(dir: string, version: string): Promise<Buffer | undefined> {
  for (const { name } of await listDays(dir, 'statistics')) {
    const packed = await readFile(fileOf(join(dir, name), version)).catch(() => undefined);
    if (packed !== undefined) return promisify(gunzip)(packed);
  }
  return undefined;
}
