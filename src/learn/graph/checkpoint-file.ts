import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Checkpoint } from './training-graph.js';

const MAGIC = 'RVCK';
const HEAD_BYTES = 8;

interface Head {
  /** What the caller says of it: whose training this is, and how far it got. */
  readonly about: unknown;
  readonly step: number;
  readonly arrays: readonly (readonly [name: string, length: number])[];
}

/**
 * Replaces the file as a whole: four letters, the length of the head, the head as JSON, then the arrays' float32 numbers
 * one after another, little endian.
 */
export async function writeCheckpoint(path: string, about: unknown, { step, arrays }: Checkpoint): Promise<void> {
  const head: Head = { about, step, arrays: [...arrays].map(([name, { length }]) => [name, length]) };
  const json = Buffer.from(JSON.stringify(head));
  const start = Buffer.alloc(HEAD_BYTES);
  start.write(MAGIC, 'latin1');
  start.writeUInt32LE(json.length, MAGIC.length);
  const parts = [...arrays.values()].map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
  await writeFile(`${path}.part`, [start, json, ...parts]);
  await rename(`${path}.part`, path);
}

/** @returns undefined when there is no such file, or it is none of ours or cut short: a training then begins anew */
export async function readCheckpoint(path: string): Promise<{ about: unknown; checkpoint: Checkpoint } | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined || bytes.length < HEAD_BYTES || bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined;
  let at = HEAD_BYTES + bytes.readUInt32LE(MAGIC.length);
  const head = parseHead(bytes.toString('utf8', HEAD_BYTES, at));
  if (head === undefined || bytes.length !== at + head.arrays.reduce((sum, [, length]) => sum + 4 * length, 0)) return undefined;
  const arrays = new Map<string, Float32Array>();
  for (const [name, length] of head.arrays) {
    // A copy: the bytes need not lie where four-byte numbers may.
    arrays.set(name, new Float32Array(Uint8Array.prototype.slice.call(bytes, at, at + 4 * length).buffer));
    at += 4 * length;
  }
  return { about: head.about, checkpoint: { step: head.step, arrays } };
}

function parseHead(json: string): Head | undefined {
  try {
    return JSON.parse(json) as Head;
  } catch {
    return undefined;
  }
}
