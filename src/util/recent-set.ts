/**
 * Remembers what was added lately, in bounded memory: at least the last `min` numbers, at most twice as many.
 * Two generations: when the younger is full it becomes the older one, which is forgotten whole.
 */
export class RecentSet {
  #young = new Set<number>();
  #old = new Set<number>();

  constructor(readonly min: number) {}

  has(value: number): boolean {
    return this.#young.has(value) || this.#old.has(value);
  }

  add(value: number): void {
    this.#young.add(value);
    if (this.#young.size < this.min) return;
    this.#old = this.#young;
    this.#young = new Set();
  }
}
