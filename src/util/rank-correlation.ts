/**
 * Spearman's rank correlation of two equally long lists of scores. Ties get their mean rank; where all of one list are the
 * same it is 0.
 */
export function rankCorrelation(a: Float32Array, b: Float32Array): number {
  const x = ranks(a);
  const y = ranks(b);
  const middle = (a.length - 1) / 2;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < x.length; i++) {
    xy += (x[i]! - middle) * (y[i]! - middle);
    xx += (x[i]! - middle) ** 2;
    yy += (y[i]! - middle) ** 2;
  }
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

function ranks(values: Float32Array): Float64Array {
  const order = Uint32Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const result = new Float64Array(values.length);
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    // NaN equals nothing, not even itself.
    to = Math.max(to, from + 1);
    for (let i = from; i < to; i++) result[order[i]!] = (from + to - 1) / 2;
  }
  return result;
}
