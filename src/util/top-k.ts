/**
 * The best of many scores, by a heap of the best so far whose root is the least of them: most scores only meet one
 * comparison. Reused from search to search, so that nothing is allocated.
 */
export class TopK {
  readonly scores: Float32Array;
  /** Number of the candidate with each score. */
  readonly candidates: Int32Array;
  #wanted = 0;
  #size = 0;

  /** @param most candidates that are ever wanted */
  constructor(most: number) {
    this.scores = new Float32Array(most);
    this.candidates = new Int32Array(most);
  }

  /** Forgets everything. */
  begin(wanted: number): void {
    this.#wanted = Math.min(wanted, this.scores.length);
    this.#size = 0;
  }

  /** Offers candidates `first`, `first + 1`, … with their scores. */
  offer(scores: Float32Array, count: number, first: number): void {
    let i = 0;
    for (; i < count && this.#size < this.#wanted; i++) this.#rise(this.#size++, scores[i]!, first + i);
    if (this.#size === 0) return;
    for (let least = this.scores[0]!; i < count; i++) {
      if (scores[i]! <= least) continue;
      this.#sink(this.#size, scores[i]!, first + i);
      least = this.scores[0]!;
    }
  }

  /** Puts `scores` and `candidates` in order, best first. @returns how many there are */
  sort(): number {
    // Each time the least of those left goes behind them.
    for (let left = this.#size - 1; left > 0; left--) {
      const score = this.scores[0]!;
      const candidate = this.candidates[0]!;
      this.#sink(left, this.scores[left]!, this.candidates[left]!);
      this.scores[left] = score;
      this.candidates[left] = candidate;
    }
    return this.#size;
  }

  /** Puts an entry in at the end of the heap. */
  #rise(end: number, score: number, candidate: number): void {
    let at = end;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.scores[parent]! <= score) break;
      this.#move(parent, at);
      at = parent;
    }
    this.scores[at] = score;
    this.candidates[at] = candidate;
  }

  /** Replaces the root of a heap of `size` by an entry. */
  #sink(size: number, score: number, candidate: number): void {
    let at = 0;
    for (let child = 1; child < size; child = at * 2 + 1) {
      if (child + 1 < size && this.scores[child + 1]! < this.scores[child]!) child += 1;
      if (this.scores[child]! >= score) break;
      this.#move(child, at);
      at = child;
    }
    this.scores[at] = score;
    this.candidates[at] = candidate;
  }

  #move(from: number, to: number): void {
    this.scores[to] = this.scores[from]!;
    this.candidates[to] = this.candidates[from]!;
  }
}
