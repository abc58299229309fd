import { asAppError } from '../errors.js';
import { parseJson } from './json.js';

/** Lines parsed before other requests get their turn. */
const LINES_PER_TURN = 500;

export interface Line {
  readonly index: number;
  readonly value?: unknown;
  /** What is wrong with a line that is not JSON. */
  readonly fault?: string;
}

/** Parses newline-delimited JSON; empty lines are skipped, a bad line is told by its index. Yields to the event loop. */
export async function* parseNdjson(text: string): AsyncGenerator<Line> {
  let index = 0;
  for (let from = 0; from < text.length;) {
    let to = text.indexOf('\n', from);
    if (to < 0) to = text.length;
    const line = text.slice(from, to).trim();
    from = to + 1;
    if (line === '') continue;
    yield parseLine(line, index++);
    if (index % LINES_PER_TURN === 0) await new Promise(setImmediate);
  }
}

function parseLine(line: string, index: number): Line {
  try {
    return { index, value: parseJson(line, 'line') };
  } catch (error) {
    return { index, fault: asAppError(error).message };
  }
}
