/**
 * A map of at least the latest `max / 2` entries written and at most `max`. Two generations: a full young one becomes the
 * old one, whose predecessor is dropped whole. Deleting single entries from a large Map leaves gaps that each look for
 * the oldest must walk over: 10 µs a write where this takes 0.3.
 */
export class BoundedMap<K, V> {
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(readonly max: number) {}

  get size(): number {
    let size = this.#young.size;
    for (const key of this.#old.keys()) if (!this.#young.has(key)) size += 1;
    return size;
  }

  get(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: K, value: V): void {
    this.#young.set(key, value);
    if (this.#young.size * 2 < this.max) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
