import { bestOf } from '../util/best-of.js';

/** Scores of catalog rows summed up over one request; reused from request to request, cleared by what was met. */
export class RowTally {
  #scores = new Float32Array(1024);
  readonly #met: number[] = [];
  #metScores = new Float32Array(1024);

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

  /** The rows with the highest scores, best first; of equal ones that met first. */
  best(limit: number): number[] {
    const met = this.#met;
    if (this.#metScores.length < met.length) this.#metScores = new Float32Array(met.length * 2);
    for (let i = 0; i < met.length; i++) this.#metScores[i] = this.#scores[met[i]!]!;
    const best = bestOf(this.#metScores, met.length, limit);
    for (let i = 0; i < best.length; i++) best[i] = met[best[i]!]!;
    return best;
  }
}
