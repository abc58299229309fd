import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../util/atomic-file.js';
import type { Clock } from '../util/clock.js';
import { folderOf, hourOf, slotClosedAt, slotStart, type ArchiveKind } from './files.js';

interface OpenFile { readonly handle: FileHandle; readonly slot: number }

/** Tries of one append, each into a later hour: only a machine that sleeps for hours on end needs more than two. */
const APPEND_TRIES = 3;

/** Appends lines to the archive; what `append` has resolved for is on the disk. One instance per consumer. */
export class ArchiveWriter {
  readonly #dir: string;
  readonly #consumer: string;
  readonly #clock: Clock;
  readonly #files = new Map<ArchiveKind, OpenFile>();
  /** Numbers the files of this consumer, so that a file with a half-written line is never written again. */
  #opened = 0;

  /** @param consumer unique among all that write now or ever wrote to the folder */
  constructor(dir: string, consumer: string, clock: Clock) {
    this.#dir = dir;
    this.#consumer = consumer.replace(/[^\w-]/gu, '_');
    this.#clock = clock;
  }

  /** @throws what the disk throws; some of the lines may then be there, so send them all again */
  async append(kind: ArchiveKind, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    for (let attempt = 1; attempt <= APPEND_TRIES; attempt++) {
      const { handle, slot } = await this.#file(kind);
      try {
        await handle.appendFile(bytes);
        await handle.datasync();
      } catch (error) {
        await this.#close(kind);
        throw error;
      }
      // In time: whoever rewrites the file has not begun to read it. Else the lines may be lost, and are written again.
      if (this.#clock() < slotClosedAt(slot)) return;
    }
    throw new Error('The archive cannot be written within its hour: the clock runs away.');
  }

  async close(): Promise<void> {
    for (const kind of this.#files.keys()) await this.#close(kind);
  }

  async #file(kind: ArchiveKind): Promise<OpenFile> {
    const slot = slotStart(this.#clock());
    const current = this.#files.get(kind);
    if (current?.slot === slot) return current;
    await this.#close(kind);
    const folder = folderOf(this.#dir, kind, slot);
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${hourOf(slot)}-${this.#consumer}.${this.#opened++}.ndjson`);
    const file = { handle: await open(path, 'a'), slot };
    this.#files.set(kind, file);
    await syncFolder(folder);
    await syncFolder(dirname(folder));
    return file;
  }

  async #close(kind: ArchiveKind): Promise<void> {
    const file = this.#files.get(kind);
    this.#files.delete(kind);
    await file?.handle.close();
  }
}
