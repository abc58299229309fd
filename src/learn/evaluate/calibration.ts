const BINS = 10;

export interface CalibrationReport {
  /** What the probabilities are of. */
  readonly of: string;
  /** Expected calibration error: mean distance of what was said from what came, over the items shown. */
  readonly error: number;
  /** Of the bins that are not empty. */
  readonly bins: readonly { readonly from: number; readonly to: number; readonly items: number; readonly said: number; readonly came: number }[];
}

/**
 * Whether scores can be read as chances (Guo et al., ICML 2017: ten bins). A listwise model says which item of a list it
 * will be, not whether any: so a list's scores are taken as a softmax, over lists that hold something wanted.
 */
export class Calibration {
  readonly #items = new Float64Array(BINS);
  readonly #said = new Float64Array(BINS);
  readonly #came = new Float64Array(BINS);

  /** @param scores of a list's items  @param wanted whether each was */
  add(scores: readonly number[], wanted: readonly boolean[]): void {
    const hits = wanted.filter(Boolean).length;
    if (hits === 0) return;
    const most = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    weights.forEach((weight, i) => {
      const said = weight / total;
      const bin = Math.min(BINS - 1, Math.floor(said * BINS));
      this.#items[bin]! += 1;
      this.#said[bin]! += said;
      this.#came[bin]! += wanted[i] === true ? 1 / hits : 0;
    });
  }

  report(): CalibrationReport {
    const total = this.#items.reduce((sum, items) => sum + items, 0);
    let error = 0;
    const bins = Array.from(this.#items, (items, bin) => {
      error += Math.abs(this.#said[bin]! - this.#came[bin]!) / Math.max(1, total);
      return { from: bin / BINS, to: (bin + 1) / BINS, items, said: this.#said[bin]! / Math.max(1, items), came: this.#came[bin]! / Math.max(1, items) };
    });
    return { of: 'softmax over the list shown, given that it holds what was wanted', error, bins: bins.filter(({ items }) => items > 0) };
  }
}
