import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import type { StatisticsState } from '../candidates/build-statistics.js';
import type { StatisticsSettings } from '../candidates/statistics-settings.js';
import { replaceFile } from '../util/atomic-file.js';

/** Raised when the meaning of the content changes: an older file is then counted anew, not read. */
const FORMAT = 2;
const CRC_BYTES = 4;

/** The counts behind the published statistics, and which entries of the event streams are in them. */
export interface StatisticsCheckpoint {
  readonly settings: StatisticsSettings;
  /** Of each partition, the id of the last entry counted. */
  readonly positions: readonly string[];
  readonly counts: StatisticsState;
  readonly published: Publication;
}

/** A version that was published whole, and what followed. */
export interface Publication {
  readonly version: string;
  readonly wholeBytes: number;
  /** Increments so far, and bytes of all of them. */
  readonly increments: number;
  readonly incrementBytes: number;
}

/** Replaces the checkpoint: whoever reads sees the old one or the new. */
export async function saveCheckpoint(path: string, checkpoint: StatisticsCheckpoint): Promise<void> {
  const content = serialize({ format: FORMAT, ...checkpoint });
  const sum = Buffer.alloc(CRC_BYTES);
  sum.writeUInt32LE(crc32(content));
  await mkdir(dirname(path), { recursive: true });
  await replaceFile(path, Buffer.concat([sum, content]));
}

/** @returns undefined when there is none, or none that can be read */
export async function loadCheckpoint(path: string): Promise<StatisticsCheckpoint | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined || bytes.length < CRC_BYTES) return undefined;
  const content = bytes.subarray(CRC_BYTES);
  if (bytes.readUInt32LE(0) !== crc32(content)) return undefined;
  const { format, ...checkpoint } = deserialize(content) as StatisticsCheckpoint & { format: number };
  return format === FORMAT ? checkpoint : undefined;
}
