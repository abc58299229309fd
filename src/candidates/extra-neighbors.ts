/** Places of a list grow by this many, so that a list that grows by one seldom moves. */
const LIST_STEP = 16;

/**
 * Neighbour lists that replace those the statistics came with, in two growing arrays. A list keeps its place while it
 * fits; the place it leaves stays empty until the next statistics.
 */
export class ExtraNeighbors {
  rows = new Int32Array(1024);
  weights = new Float32Array(1024);
  #used = 0;
  /** Where the list of a catalog row begins, and how many it has room for. */
  readonly #places = new Map<number, { from: number; room: number }>();

  /** Makes room for a row's list. @returns where it begins */
  place(row: number, count: number): number {
    const known = this.#places.get(row);
    if (known !== undefined && known.room >= count) return known.from;
    const room = Math.ceil(count / LIST_STEP) * LIST_STEP;
    const from = this.#used;
    this.#used += room;
    if (this.#used > this.rows.length) this.#grow();
    this.#places.set(row, { from, room });
    return from;
  }

  #grow(): void {
    const { rows, weights } = this;
    this.rows = new Int32Array(Math.max(this.#used, rows.length * 2));
    this.weights = new Float32Array(this.rows.length);
    this.rows.set(rows);
    this.weights.set(weights);
  }
}
