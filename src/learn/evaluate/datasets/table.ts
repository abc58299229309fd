import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { AppError } from '../../../errors.js';

export const TABLE_LIMITS = {
  /** Longest line, characters; a longer one is corrupt. */
  lineCharsMax: 1 << 20,
  /** Share of lines that may be corrupt: more, and the file is not what it is taken for. */
  corruptShareMax: 0.05,
  /** A short file may have this many corrupt lines whatever their share. */
  corruptAlways: 10,
} as const;

/** Told while a table is read. */
export interface TableListener {
  readonly onSkipped?: ((file: string, line: number, why: string) => void) | undefined;
}

/** The names of a table's columns, read from its first line. */
export async function readHeader(path: string): Promise<string[]> {
  for await (const lines of lineBlocks(path)) if (lines[0] !== undefined) return fieldsOf(lines[0].replace(/^\uFEFF/u, '')) ?? [];
  return [];
}

/**
 * Streams a CSV table (plain or `.gz`, one record a line) and hands over each record's fields, in the order of `columns`.
 * A line that cannot be taken is skipped and told; too many of them refuse the file.
 * @param take returns why the record is corrupt, or nothing when it was taken
 * @throws AppError `invalid_request`
 */
export async function readTable(
  path: string, columns: readonly string[], take: (fields: readonly string[]) => string | undefined, { onSkipped }: TableListener = {},
): Promise<void> {
  const file = basename(path);
  let line = 0;
  let corrupt = 0;
  let places: number[] | undefined;
  let width = 0;
  for await (const lines of lineBlocks(path)) {
    for (const text of lines) {
      line += 1;
      if (text === '') continue;
      const fields = fieldsOf(text);
      if (places === undefined) {
        width = fields?.length ?? 0;
        places = placesOf(file, columns, fields ?? []);
        continue;
      }
      const why = fields?.length === width ? take(places.map((place) => fields[place]!)) : `not ${width} fields`;
      if (why === undefined) continue;
      corrupt += 1;
      onSkipped?.(file, line, why);
    }
  }
  if (corrupt > TABLE_LIMITS.corruptAlways && corrupt > line * TABLE_LIMITS.corruptShareMax) {
    throw new AppError('invalid_request', `${file}: ${corrupt} of ${line} lines are corrupt, more than ${TABLE_LIMITS.corruptShareMax * 100} %; is it the right file?`);
  }
}

function placesOf(file: string, columns: readonly string[], header: readonly string[]): number[] {
  const names = header.map((name) => name.replace(/^\uFEFF/u, ''));
  const missing = columns.filter((column) => !names.includes(column));
  if (missing.length > 0) throw new AppError('invalid_request', `${file} has no column ${missing.join(', ')}.`);
  return columns.map((column) => names.indexOf(column));
}

/** Splitting at commas is ten times faster than a CSV parser, and most lines have no quotes. */
function fieldsOf(text: string): string[] | undefined {
  if (text.length > TABLE_LIMITS.lineCharsMax) return undefined;
  if (!text.includes('"')) return text.split(',').map((field) => field.trim());
  try {
    return (parse(text, { trim: true }) as string[][])[0];
  } catch {
    return undefined;
  }
}

/** The lines of a file, as many together as a chunk holds. */
async function* lineBlocks(path: string): AsyncGenerator<string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    for await (const chunk of open(path) as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      // What is this long is no record: it is cut, and will not have its fields.
      rest = (lines.pop() ?? '').slice(0, TABLE_LIMITS.lineCharsMax + 1);
      yield lines.map(withoutReturn);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError('invalid_request', `${basename(path)} cannot be read to its end: ${why}.`, { cause: error });
  }
  if (rest !== '') yield [withoutReturn(rest)];
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);

function open(path: string): Readable {
  const bytes = createReadStream(path);
  return path.endsWith('.gz') ? pipeline(bytes, createGunzip(), () => { /* whoever reads is told */ }) : bytes;
}
