import { PRICE_LEVELS } from '../profile/profile.js';

/** Buckets per doubling of the price: a level is then exact to 4.4 %. */
const PER_OCTAVE = 16;
const BUCKETS = 48 * PER_OCTAVE;

/**
 * Quintiles of the catalog's prices from a histogram over log price: a function of the prices alone, whatever the
 * order in which items came, and cheap to keep current (one bucket a change, one pass over the buckets a reading).
 */
export class PriceLevels {
  readonly #counts = new Uint32Array(BUCKETS);
  readonly #levels = new Uint8Array(BUCKETS);
  #total = 0;
  #stale = false;

  /** @param delta +1 when an item with this price came, −1 when it went */
  change(priceMinor: number, delta: 1 | -1): void {
    this.#counts[bucketOf(priceMinor)]! += delta;
    this.#total += delta;
    this.#stale = true;
  }

  /** @returns 0 (cheapest fifth) … 4 */
  levelOf(priceMinor: number): number {
    return this.levels()[bucketOf(priceMinor)]!;
  }

  /** The level of every bucket of `bucketOf`, current until a price changes. */
  levels(): Uint8Array {
    if (this.#stale) this.#rebuild();
    return this.#levels;
  }

  #rebuild(): void {
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const middle = below + this.#counts[bucket]! / 2;
      this.#levels[bucket] = this.#total === 0 ? 0 : Math.min(PRICE_LEVELS - 1, Math.floor((middle / this.#total) * PRICE_LEVELS));
      below += this.#counts[bucket]!;
    }
    this.#stale = false;
  }
}

/** Bucket of a price on the log scale. */
export const bucketOf = (priceMinor: number): number =>
  Math.min(BUCKETS - 1, Math.floor(Math.log2(1 + priceMinor) * PER_OCTAVE));
