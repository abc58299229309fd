import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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

const incrementOf = (folder: string, version: string, number: number): string => join(folder, `${version}+${number}.inc.gz`);

/** Keeps what changed of a version, as it was published. */
export async function archiveIncrement(dir: string, version: string, number: number, bytes: Uint8Array, now: number): Promise<void> {
  const folder = folderOf(dir, 'statistics', now);
  await mkdir(folder, { recursive: true });
  await writeFile(incrementOf(folder, version, number), await promisify(gzip)(bytes, { level: GZIP_LEVEL }));
}

/** Lets the increments go of all versions but these: they are many, and few ask for the older ones. */
export async function forgetIncrements(dir: string, kept: readonly string[]): Promise<void> {
  for (const folder of await foldersOf(dir)) {
    for (const file of await readdir(folder)) {
      const [version, rest] = file.split('+');
      if (rest !== undefined && !kept.includes(version!)) await rm(join(folder, file), { force: true });
    }
  }
}

/** @returns undefined when that increment is not (any more) there */
export async function readArchivedIncrement(dir: string, version: string, number: number): Promise<Buffer | undefined> {
  const packed = await firstOf(await foldersOf(dir), (folder) => incrementOf(folder, version, number));
  return packed === undefined ? undefined : promisify(gunzip)(packed);
}

const foldersOf = async (dir: string): Promise<string[]> => (await listDays(dir, 'statistics')).map(({ name }) => join(dir, name));

async function firstOf(folders: readonly string[], pathIn: (folder: string) => string): Promise<Buffer | undefined> {
  for (const folder of folders) {
    const bytes = await readFile(pathIn(folder)).catch(() => undefined);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

/** @returns undefined when that version is not (any more) there */
export async function readArchivedStatistics(dir: string, version: string): Promise<Buffer | undefined> {
  const packed = await firstOf(await foldersOf(dir), (folder) => fileOf(folder, version));
  return packed === undefined ? undefined : promisify(gunzip)(packed);
}
