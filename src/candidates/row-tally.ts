/** Scores of catalog rows summed up over one request; reused from request to request, cleared by what was met. */
export class RowTally {
  #scores = new Float32Array(1024);
  readonly #met: number[] = [];

  /** @param rows of the catalog */
  begin(rows: number): void {
    for (const row of this.#met) this.#scores[row] = 0;
    this.#met.length = 0;
    if (this.#scores.length < rows) this.#scores = new Float32Array(rows * 2);
  }

  /** @param score above 0 */
  add(row: number, score: number): void {
    if (this.#scores[row] === 0) this.#met.push(row);
    this.#scores[row]! += score;
  }

  get(row: number): number {
    return this.#scores[row]!;
  }

  /** The rows with the highest scores, best first. */
  best(limit: number): number[] {
    const scores = this.#scores;
    const best: number[] = [];
    for (const row of this.#met) {
      const score = scores[row]!;
      if (best.length === limit) {
        if (score <= scores[best[limit - 1]!]!) continue;
        best.pop();
      }
      let place = best.push(row) - 1;
      while (place > 0 && scores[best[place - 1]!]! < score) best[place] = best[--place]!;
      best[place] = row;
    }
    return best;
  }
}
