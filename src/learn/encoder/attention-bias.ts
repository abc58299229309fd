import type { Random } from '../../util/random.js';
import type { AdamOptions } from '../graph/adam.js';
import { Table } from '../graph/table.js';

/** What is added to the logit of an item that may not be looked at. */
export const HIDDEN = -1e9;
/** Gaps are told apart by half units of log1p(days), up to e⁸ days. */
export const GAP_SCALE = 2;
export const GAP_BUCKETS = 16;

const DAY_MS = 86_400_000;

/** A time gap as the serving graph takes it: log1p(days), 0 for what lies in the future. */
export const gapOf = (ms: number): number => Math.log1p(Math.max(0, ms) / DAY_MS);
export const bucketOf = (gap: number): number => Math.min(GAP_BUCKETS - 1, Math.floor(gap * GAP_SCALE));

/**
 * The attention's bias: how much less an item counts by its age among the shopper's distinct items (0: the latest) and by
 * the time since it. It is written into the logits [rows, L, L] from two small tables; pairs never written stay hidden.
 */
export class AttentionBias {
  readonly ages: Table;
  readonly gaps: Table;
  /** Of the batch: places of the pairs written, and what each was made of. */
  readonly #pairs: { at: Int32Array; age: Uint16Array; bucket: Uint8Array } = { at: new Int32Array(1024), age: new Uint16Array(1024), bucket: new Uint8Array(1024) };
  #count = 0;

  constructor(historyMax: number, random: Random) {
    this.ages = new Table(historyMax, 1, { deviation: 0, random });
    this.gaps = new Table(GAP_BUCKETS, 1, { deviation: 0, random });
  }

  write(out: Float32Array, at: number, age: number, bucket: number): void {
    out[at] = this.ages.values[age]! + this.gaps.values[bucket]!;
    const pair = this.#count++;
    if (pair === this.#pairs.at.length) this.#grow();
    this.#pairs.at[pair] = at;
    this.#pairs.age[pair] = age;
    this.#pairs.bucket[pair] = bucket;
  }

  /** Begins a batch: hides all pairs. */
  begin(out: Float32Array): void {
    out.fill(HIDDEN);
    this.#count = 0;
  }

  step(gradient: Float32Array, options: AdamOptions, step: number): void {
    const { at, age, bucket } = this.#pairs;
    for (let pair = 0; pair < this.#count; pair++) {
      this.ages.addGradient(age[pair]!, gradient, at[pair]!);
      this.gaps.addGradient(bucket[pair]!, gradient, at[pair]!);
    }
    this.ages.step(options, step);
    this.gaps.step(options, step);
  }

  #grow(): void {
    const pairs = this.#pairs;
    const length = 2 * pairs.at.length;
    const grow = <T extends Int32Array | Uint16Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    pairs.at = grow(pairs.at, new Int32Array(length));
    pairs.age = grow(pairs.age, new Uint16Array(length));
    pairs.bucket = grow(pairs.bucket, new Uint8Array(length));
  }
}
