import { BoundedMap } from './bounded-map.js';

/**
 * The latest values of many keys, in one block of memory that is written round and round. A Buffer for each would be a piece of memory
 * outside the heap, whose comings and goings have the garbage collector mark the whole heap every few seconds: at 2,000 profiles
 * a second that took a fifth of a process's CPU time.
 */
export class ByteCache {
  readonly #bytes: Buffer;
  /** Where each key's value begins, counted from the first byte ever written. */
  readonly #places: BoundedMap<string, { readonly at: number; readonly length: number }>;
  #written = 0;

  /**
   * @param max keys, at most
   * @param bytes of all values; of the oldest as much is forgotten as the newest need
   */
  constructor(max: number, bytes: number) {
    this.#bytes = Buffer.alloc(bytes);
    this.#places = new BoundedMap(max);
  }

  /** @returns a copy of the value, unless it was forgotten */
  get(key: string): Buffer | undefined {
    const place = this.#places.get(key);
    if (place === undefined || this.#written - place.at > this.#bytes.length) return undefined;
    const from = place.at % this.#bytes.length;
    return Buffer.from(this.#bytes.subarray(from, from + place.length));
  }

  /** Keeps a copy of the value; one that is longer than the whole memory is not kept. */
  set(key: string, value: Uint8Array): void {
    const { length } = this.#bytes;
    if (value.length > length) {
      this.delete(key);
      return;
    }
    const left = length - this.#written % length;
    // In one piece: what does not fit at the end begins anew.
    if (left < value.length) this.#written += left;
    this.#bytes.set(value, this.#written % length);
    this.#places.set(key, { at: this.#written, length: value.length });
    this.#written += value.length;
  }

  delete(key: string): void {
    this.#places.delete(key);
  }
}
