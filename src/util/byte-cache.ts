import { BoundedMap } from './bounded-map.js';

/** Where a value lies: counted from the first byte ever written; what there is room for, and how long the value is. */
interface Place {
  readonly at: number;
  readonly room: number;
  length: number;
}

/**
 * The latest values of many keys, in one block of memory that is written round and round. A Buffer for each would be a piece of memory
 * outside the heap, whose comings and goings have the garbage collector mark the whole heap every few seconds: at 2,000 profiles
 * a second that took a fifth of a process's CPU time. A value of a known key goes where the last one was, so that a few busy keys
 * neither push out all the others nor touch the whole block.
 */
export class ByteCache {
  readonly #bytes: Buffer;
  readonly #places: BoundedMap<string, Place>;
  #written = 0;

  /**
   * @param max keys, at most
   * @param bytes of all values, and of an eighth more each, which they may grow by; of the oldest as much is forgotten as the newest need
   */
  constructor(max: number, bytes: number) {
    this.#bytes = Buffer.alloc(bytes);
    this.#places = new BoundedMap(max);
  }

  /** @returns a copy of the value, unless it was forgotten */
  get(key: string): Buffer | undefined {
    const place = this.#places.get(key);
    if (place === undefined || this.#ageOf(place) > this.#bytes.length) return undefined;
    const from = place.at % this.#bytes.length;
    return Buffer.from(this.#bytes.subarray(from, from + place.length));
  }

  /** Keeps a copy of the value; one that is longer than the whole memory is not kept. */
  set(key: string, value: Uint8Array): void {
    if (value.length > this.#bytes.length) {
      this.delete(key);
      return;
    }
    const known = this.#places.get(key);
    // What would soon be forgotten moves to the front.
    const place = known !== undefined && value.length <= known.room && this.#ageOf(known) * 2 <= this.#bytes.length ? known : this.#append(value.length);
    place.length = value.length;
    this.#bytes.set(value, place.at % this.#bytes.length);
    this.#places.set(key, place);
  }

  delete(key: string): void {
    this.#places.delete(key);
  }

  #append(valueLength: number): Place {
    const { length } = this.#bytes;
    const room = Math.min(length, valueLength + (valueLength >> 3));
    const left = length - this.#written % length;
    // In one piece: what does not fit at the end begins anew.
    if (left < room) this.#written += left;
    const at = this.#written;
    this.#written += room;
    return { at, room, length: valueLength };
  }

  /** Bytes written since a place was given away. */
  #ageOf({ at }: Place): number {
    return this.#written - at;
  }
}
