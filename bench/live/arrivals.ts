/** Times at which viewers had what was sent to all of them, ms from when it was asked for. */
export interface ArrivalTimes {
  readonly first: number;
  readonly p50: number;
  readonly p99: number;
  readonly last: number;
}

/** Who has it, and since when. */
export class Arrivals {
  readonly #times: Float64Array;
  readonly #startedAt: number;
  #count = 0;
  #done: () => void = () => { /* Nobody waits. */ };

  /** @param startedAt ms of `performance.now()` */
  constructor(viewers: number, startedAt: number) {
    this.#times = new Float64Array(viewers).fill(Infinity);
    this.#startedAt = startedAt;
  }

  get count(): number {
    return this.#count;
  }

  note(viewer: number, at: number): void {
    if (this.#times[viewer] !== Infinity) return;
    this.#times[viewer] = at - this.#startedAt;
    this.#count += 1;
    if (this.#count === this.#times.length) this.#done();
  }

  /** Resolves when everybody has it, or after `ms`. */
  async ended(ms: number): Promise<void> {
    if (this.#count === this.#times.length) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#done = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Of those who have it. */
  times(): ArrivalTimes {
    const sorted = this.#times.filter(Number.isFinite).toSorted();
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
    return { first: sorted[0] ?? NaN, p50: at(0.5), p99: at(0.99), last: at(1) };
  }
}
