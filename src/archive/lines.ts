import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { entryTime } from '../util/entry-id.js';

const CHUNK_BYTES = 256 * 1024;
/** A line longer than this is damage, not data. */
const LINE_CHARS_MAX = 4 * 1024 * 1024;

/** The lines of a file, a chunk's worth at a time. A last line without its end is given too: the reader will judge. */
export async function* lineBatches(path: string): AsyncGenerator<string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARS_MAX) rest = rest.slice(0, 64);
    if (lines.length > 0) yield lines;
  }
  if (rest !== '') yield [rest];
}

interface Cursor {
  readonly batches: AsyncGenerator<string[]>;
  lines: string[];
  next: number;
  /** Time of the line that is next, ms. */
  at: number;
}

/** The lines of several files of one hour together, in order of their entries' time as far as each file is in order. */
export async function* mergedLines(paths: readonly string[]): AsyncGenerator<string> {
  let cursors: Cursor[] = [];
  for (const path of paths) {
    const cursor = { batches: lineBatches(path), lines: [], next: 0, at: 0 };
    if (await advance(cursor)) cursors.push(cursor);
  }
  while (cursors.length > 0) {
    let first = cursors[0]!;
    for (const cursor of cursors) if (cursor.at < first.at) first = cursor;
    yield first.lines[first.next]!;
    first.next += 1;
    if (!(await advance(first))) cursors = cursors.filter((cursor) => cursor !== first);
  }
}

/** @returns whether there is a next line */
async function advance(cursor: Cursor): Promise<boolean> {
  if (cursor.next >= cursor.lines.length) {
    const { value, done } = await cursor.batches.next();
    if (done === true) return false;
    cursor.lines = value;
    cursor.next = 0;
  }
  cursor.at = timeOf(cursor.lines[cursor.next]!);
  return true;
}

/** Every line begins with `{"entry":"<ms>-<sequence>"`; a damaged one counts as old and goes first. */
function timeOf(line: string): number {
  const id = /^\{"entry":"(\d+-\d+)"/u.exec(line)?.[1];
  return id === undefined ? 0 : entryTime(id);
}
