/** A ridge logistic regression by Newton's method: the baseline that any network has to beat. */
export interface Logistic {
  logit(features: ArrayLike<number>): number;
}

/** Pull towards zero of the standardised weights, in examples. */
const RIDGE = 1;
const STEPS = 25;

export function fitLogistic(rows: readonly ArrayLike<number>[], labels: ArrayLike<number>): Logistic {
  const width = rows[0]!.length;
  const mean = Float64Array.from({ length: width }, (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  const deviation = Float64Array.from({ length: width }, (_, i) => Math.sqrt(rows.reduce((sum, row) => sum + (row[i]! - mean[i]!) ** 2, 0) / rows.length) || Infinity);
  const standard = (features: ArrayLike<number>): Float64Array => Float64Array.from({ length: width + 1 }, (_, i) => (i === width ? 1 : (features[i]! - mean[i]!) / deviation[i]!));
  const inputs = rows.map(standard);
  const weights = new Float64Array(width + 1);
  const dot = (x: Float64Array): number => x.reduce((sum, value, i) => sum + value * weights[i]!, 0);
  for (let step = 0; step < STEPS; step++) {
    const gradient = weights.map((weight, i) => (i === width ? 0 : RIDGE * weight));
    const hessian = Array.from(gradient, (_, i) => Float64Array.from(gradient, (__, j) => (i === j && i < width ? RIDGE : 0)));
    inputs.forEach((x, n) => {
      const p = 1 / (1 + Math.exp(-dot(x)));
      for (let i = 0; i <= width; i++) {
        gradient[i]! += (p - labels[n]!) * x[i]!;
        for (let j = 0; j <= width; j++) hessian[i]![j]! += p * (1 - p) * x[i]! * x[j]!;
      }
    });
    solve(hessian, gradient).forEach((change, i) => { weights[i]! -= change; });
  }
  return { logit: (features) => dot(standard(features)) };
}

/** Gauss–Jordan with pivots; both arguments are overwritten. */
function solve(matrix: Float64Array[], right: Float64Array): Float64Array {
  const size = right.length;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column + 1; row < size; row++) if (Math.abs(matrix[row]![column]!) > Math.abs(matrix[pivot]![column]!)) pivot = row;
    [matrix[column], matrix[pivot]] = [matrix[pivot]!, matrix[column]!];
    [right[column], right[pivot]] = [right[pivot]!, right[column]!];
    const lead = matrix[column]![column]! || 1e-12;
    for (let row = 0; row < size; row++) {
      if (row === column) continue;
      const factor = matrix[row]![column]! / lead;
      if (factor === 0) continue;
      for (let i = column; i < size; i++) matrix[row]![i]! -= factor * matrix[column]![i]!;
      right[row]! -= factor * right[column]!;
    }
  }
  return right.map((value, i) => value / (matrix[i]![i]! || 1e-12));
}
