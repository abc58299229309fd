import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { EventInput } from '../domain/event.js';

/** Told while a log is read. */
export interface LogListener {
  readonly onBytes?: (bytes: number) => void;
  readonly onSkipped?: (line: number, why: string) => void;
}

/** Longest line, characters; the API takes no event that needs as much. */
const LINE_CHARS_MAX = 1 << 20;

/**
 * One event per line, as the API takes them; the engine itself says what is wrong with one. A line that is not a JSON
 * object is skipped and told.
 */
export async function* readEvents(text: Readable, { onSkipped }: LogListener): AsyncGenerator<EventInput> {
  let line = 0;
  for await (const content of lines(text)) {
    line += 1;
    if (content.trim() === '') continue;
    const event = parse(content);
    if (event === undefined) onSkipped?.(line, 'not a JSON object');
    else yield event;
  }
}

function parse(content: string): EventInput | undefined {
  try {
    const value: unknown = JSON.parse(content);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as EventInput : undefined;
  } catch {
    return undefined;
  }
}

async function* lines(text: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of text as AsyncIterable<Buffer>) {
    const parts = (rest + decoder.write(chunk)).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
    // What is this long is no event: it is cut, and so will not parse.
    if (rest.length > LINE_CHARS_MAX) rest = rest.slice(0, LINE_CHARS_MAX);
  }
  if (rest !== '') yield rest;
}
