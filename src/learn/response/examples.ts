/**
 * What was shown to whom, and whether they converted: for each example the features of the shopper, those of the row (an offer, or none)
 * and a label. They lie one after another in memory that doubles as it fills.
 */
export class ResponseExamples {
  #users: Float32Array = new Float32Array(0);
  #rows: Float32Array = new Float32Array(0);
  #labels: Float32Array = new Float32Array(0);
  #size = 0;

  constructor(readonly userWidth: number, readonly rowWidth: number) {}

  get size(): number {
    return this.#size;
  }

  /** Share of those that converted. */
  get rate(): number {
    return this.labels.reduce((sum, label) => sum + label, 0) / Math.max(1, this.#size);
  }

  /** [size × userWidth] */
  get users(): Float32Array {
    return this.#users.subarray(0, this.#size * this.userWidth);
  }

  /** [size × rowWidth] */
  get rows(): Float32Array {
    return this.#rows.subarray(0, this.#size * this.rowWidth);
  }

  /** 0 or 1, or anything between. */
  get labels(): Float32Array {
    return this.#labels.subarray(0, this.#size);
  }

  /** @returns its index */
  add(user: Float32Array, row: Float32Array, label: number): number {
    if (this.#size === this.#labels.length) this.#grow();
    this.#size += 1;
    this.set(this.#size - 1, user, row, label);
    return this.#size - 1;
  }

  /** Replaces an example. */
  set(index: number, user: Float32Array, row: Float32Array, label: number): void {
    this.#users.set(user.subarray(0, this.userWidth), index * this.userWidth);
    this.#rows.set(row.subarray(0, this.rowWidth), index * this.rowWidth);
    this.#labels[index] = label;
  }

  label(index: number, label: number): void {
    this.#labels[index] = label;
  }

  /** Copies of those that are asked for. */
  pick(indexes: Iterable<number>): ResponseExamples {
    const picked = new ResponseExamples(this.userWidth, this.rowWidth);
    for (const i of indexes) {
      picked.add(this.#users.subarray(i * this.userWidth, (i + 1) * this.userWidth), this.#rows.subarray(i * this.rowWidth, (i + 1) * this.rowWidth), this.#labels[i]!);
    }
    return picked;
  }

  #grow(): void {
    const capacity = Math.max(256, 2 * this.#size);
    const enlarge = (from: Float32Array, width: number): Float32Array => {
      const to = new Float32Array(capacity * width);
      to.set(from);
      return to;
    };
    this.#users = enlarge(this.#users, this.userWidth);
    this.#rows = enlarge(this.#rows, this.rowWidth);
    this.#labels = enlarge(this.#labels, 1);
  }
}

/** Indexes from … until before …, each of them that fits. */
export function* range(from: number, until: number, fits: (index: number) => boolean = () => true): Generator<number> {
  for (let i = from; i < until; i++) if (fits(i)) yield i;
}
