import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline, Transform, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { EventInput } from '../domain/event.js';
import type { Item } from '../domain/item.js';
import { AppError } from '../errors.js';
import { readEvents, type LogListener } from './ndjson-log.js';
import { readRetailEvents, readRetailItems } from './online-retail.js';

/** A log of real events, read as a stream: memory does not grow with it. */
export interface Log {
  /** Of the files as they are on disk; with `onBytes` this gives the progress. */
  readonly bytes: number;
  /** What the events are about, put before them; empty where the log says nothing of it. */
  readonly items: () => Promise<Item[]>;
  /** In the order of the log. @param on told of bytes read, and of lines that are no event */
  readonly events: (on: LogListener) => AsyncGenerator<EventInput>;
}

const NDJSON = /\.(?:ndjson|jsonl)(?:\.gz)?$/u;
const CSV = /\.csv(?:\.gz)?$/u;

/**
 * Opens a log by its name: `.ndjson` or `.jsonl` (events as `POST /v1/events` takes them), a `.csv` of online-retail's
 * transactions, each plain or `.gz`; or a folder with either.
 * @throws AppError `invalid_request` that says what was expected
 */
export async function openLog(path: string): Promise<Log> {
  const files = await filesOf(path);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (files.every((file) => NDJSON.test(file))) {
    return { bytes, items: () => Promise.resolve([]), events: (on) => inTurn(files, (file) => readEvents(open(file, on), on)) };
  }
  const [file] = files;
  return {
    bytes,
    items: () => readRetailItems(open(file!, {})),
    events: (on) => readRetailEvents(open(file!, on)),
  };
}

async function filesOf(path: string): Promise<string[]> {
  const expected = 'a .ndjson, .jsonl or .csv file (or .gz of it), or a folder with such files';
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    throw new AppError('invalid_request', `${path} cannot be read; expected ${expected}.`, { cause: error });
  }
  const names = isFolder ? (await readdir(path)).toSorted().map((name) => join(path, name)) : [path];
  const tables = names.filter((name) => CSV.test(name));
  const events = names.filter((name) => NDJSON.test(name));
  if (events.length > 0) return events;
  if (tables.length === 1) return tables;
  throw new AppError('invalid_request', `${basename(path)} is not a log that is known; expected ${expected}.`);
}

/** An error anywhere, or a reader who has seen enough, ends all of it. */
function open(file: string, { onBytes }: LogListener): Readable {
  const counter = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      onBytes?.(chunk.length);
      done(null, chunk);
    },
  });
  const ended = (): void => { /* whoever reads the last of the streams is told */ };
  return file.endsWith('.gz') ? pipeline(createReadStream(file), counter, createGunzip(), ended) : pipeline(createReadStream(file), counter, ended);
}

async function* inTurn(files: readonly string[], read: (file: string) => AsyncGenerator<EventInput>): AsyncGenerator<EventInput> {
  for (const file of files) yield* read(file);
}
