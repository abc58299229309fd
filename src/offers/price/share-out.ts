/**
 * Shares an amount out in proportion to weights, by the method of largest remainders: every share is the exact one
 * rounded down or up, and together they are the amount. Of equal remainders the earlier weight's goes first.
 * @param amount whole, 0 ≤ amount ≤ sum of the weights
 * @param weights whole and not negative; amount × weight must be exact in BigInt only, so any size will do
 */
export function shareOut(amount: number, weights: readonly number[]): number[] {
  const total = BigInt(weights.reduce((sum, weight) => sum + weight, 0));
  if (amount === 0 || total === 0n) return weights.map(() => 0);
  const exact = weights.map((weight) => BigInt(amount) * BigInt(weight));
  const shares = exact.map((product) => Number(product / total));
  let left = amount - shares.reduce((sum, share) => sum + share, 0);
  const byRemainder = exact.map((product, i) => ({ i, remainder: product % total }))
    .toSorted((a, b) => (a.remainder === b.remainder ? a.i - b.i : a.remainder > b.remainder ? -1 : 1));
  for (const { i } of byRemainder) {
    if (left === 0) break;
    shares[i]! += 1;
    left -= 1;
  }
  return shares;
}
