import type { Random } from '../../util/random.js';

/** Draws items in proportion to how often they occurred, plus one. */
export class NegativeSampler {
  /** Sums of the weights up to and with each item. */
  readonly #sums: Float64Array;
  /** log of each item's chance. */
  readonly logs: Float32Array;

  constructor(counts: Uint32Array) {
    this.#sums = new Float64Array(counts.length);
    let sum = 0;
    for (let item = 0; item < counts.length; item++) this.#sums[item] = sum += counts[item]! + 1;
    this.logs = Float32Array.from(counts, (count) => Math.log((count + 1) / sum));
  }

  draw(random: Random): number {
    const target = random() * this.#sums.at(-1)!;
    let [low, high] = [0, this.#sums.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sums[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
