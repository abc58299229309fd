import { crc32 } from 'node:zlib';
import type { StatisticsData } from './statistics.js';

/**
 * Statistics as bytes, so that every process gets them by copying memory: a head of 24 bytes (magic, format, items,
 * pairs, CRC-32 of the rest, zero), then the arrays one after another, each aligned. Little endian, like all machines
 * that run this.
 */
const MAGIC = 0x54_53_56_52; // "RVST"
const FORMAT = 3;
export const STATISTICS_HEAD_BYTES = 24;

/** How the sources use it, as doubles: recent items, recency exponent, again. */
const USE_DOUBLES = 3;
/** Bytes of the arrays: use; keys 8, popularity 4, lasting 4, first day 4 and offset 4 an item (and one offset more), target 4 and weight 4 a pair. */
const bodyBytes = (items: number, pairs: number): number => USE_DOUBLES * 8 + items * 24 + 4 + pairs * 8;

export function encodeStatistics(data: StatisticsData): Buffer {
  const items = data.keys.length;
  const pairs = data.targets.length;
  const bytes = new Uint8Array(new ArrayBuffer(STATISTICS_HEAD_BYTES + bodyBytes(items, pairs)));
  let at = STATISTICS_HEAD_BYTES;
  const { recentItems, recencyExponent, again } = data.use;
  for (const array of [Float64Array.of(recentItems, recencyExponent, again), data.keys, data.popularity, data.lasting, data.firstDay, data.offsets, data.targets, data.weights]) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  new Uint32Array(bytes.buffer, 0, 6).set([MAGIC, FORMAT, items, pairs, crc32(bytes.subarray(STATISTICS_HEAD_BYTES)), 0]);
  return Buffer.from(bytes.buffer);
}

/** Puts statistics together from chunks as they arrive, so that no step takes long. */
export class StatisticsDecoder {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #filled = 0;
  #crc = 0;

  /** @param length bytes in all */
  constructor(length: number) {
    this.#bytes = new Uint8Array(new ArrayBuffer(length));
  }

  /** @throws Error when more comes than was announced */
  push(chunk: Uint8Array): void {
    if (this.#filled + chunk.length > this.#bytes.length) throw new Error('statistics: more bytes than announced');
    this.#bytes.set(chunk, this.#filled);
    const body = chunk.subarray(Math.max(0, STATISTICS_HEAD_BYTES - this.#filled));
    this.#crc = crc32(body, this.#crc);
    this.#filled += chunk.length;
  }

  /** @throws Error that says what does not fit */
  finish(): StatisticsData {
    const { buffer } = this.#bytes;
    if (this.#filled !== buffer.byteLength || this.#filled < STATISTICS_HEAD_BYTES) throw new Error(`statistics: ${this.#filled} of ${buffer.byteLength} bytes`);
    const [magic, format, items = 0, pairs = 0, crc] = new Uint32Array(buffer, 0, 6);
    if (magic !== MAGIC || format !== FORMAT) throw new Error(`statistics: not of format ${FORMAT}`);
    if (this.#filled !== STATISTICS_HEAD_BYTES + bodyBytes(items, pairs)) throw new Error('statistics: length does not fit the head');
    if (crc !== this.#crc) throw new Error('statistics: checksum does not fit');
    let at = STATISTICS_HEAD_BYTES;
    const place = (bytes: number): number => {
      at += bytes;
      return at - bytes;
    };
    const [recentItems = 0, recencyExponent = 0, again = 0] = new Float64Array(buffer, place(USE_DOUBLES * 8), USE_DOUBLES);
    return {
      use: { recentItems, recencyExponent, again },
      keys: new Float64Array(buffer, place(items * 8), items),
      popularity: new Float32Array(buffer, place(items * 4), items),
      lasting: new Float32Array(buffer, place(items * 4), items),
      firstDay: new Float32Array(buffer, place(items * 4), items),
      offsets: new Uint32Array(buffer, place(items * 4 + 4), items + 1),
      targets: new Uint32Array(buffer, place(pairs * 4), pairs),
      weights: new Float32Array(buffer, place(pairs * 4), pairs),
    };
  }
}
