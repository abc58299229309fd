import { appendFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer, HistoryEntry, Invocation } from './history.js';

/** Bytes, about, that are kept back of an offer's history before they are written. */
const CHUNK_CHARS = 64 * 1024;

/** Histories on disk, a file of NDJSON per offer: memory stays bounded however long clients go on, and each is checked by itself. */
export class HistoryFiles {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #waiting = new Map<string, string>();
  #ops = 0;

  /** @param now ms of a clock that never goes back, shared by all clients */
  constructor(folder: string, now: () => number = () => performance.now()) {
    this.#folder = folder;
    this.#now = now;
  }

  /** @returns the number of the try, for `end` */
  begin(what: Omit<Invocation, 'type' | 'op' | 'at'>): number {
    const op = this.#ops++;
    this.#write(what.offer, { type: 'invoke', op, at: this.#now(), ...what });
    return op;
  }

  end(offer: string, op: number, answer: Omit<Answer, 'op' | 'at'>): void {
    this.#write(offer, { op, at: this.#now(), ...answer });
  }

  /** All of an offer, in order. Only when nobody writes of it any more. */
  async read(offer: string): Promise<HistoryEntry[]> {
    this.#flush(offer);
    const text = await readFile(this.#file(offer), { encoding: 'utf8', flag: 'a+' });
    return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as HistoryEntry);
  }

  #write(offer: string, entry: HistoryEntry): void {
    const waiting = `${this.#waiting.get(offer) ?? ''}${JSON.stringify(entry)}\n`;
    this.#waiting.set(offer, waiting);
    if (waiting.length >= CHUNK_CHARS) this.#flush(offer);
  }

  #flush(offer: string): void {
    appendFileSync(this.#file(offer), this.#waiting.get(offer) ?? '');
    this.#waiting.delete(offer);
  }

  #file(offer: string): string {
    return join(this.#folder, `${offer}.ndjson`);
  }
}
