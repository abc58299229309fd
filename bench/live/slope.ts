/** A line through points by least squares. */
export interface Line {
  /** Change of y for one of x. */
  readonly slope: number;
  readonly mean: number;
}

export function fitLine(points: readonly { readonly x: number; readonly y: number }[]): Line {
  const meanOf = (read: (point: { x: number; y: number }) => number): number => points.reduce((sum, point) => sum + read(point), 0) / points.length;
  const [meanX, mean] = [meanOf(({ x }) => x), meanOf(({ y }) => y)];
  const spread = meanOf(({ x }) => (x - meanX) ** 2);
  return { slope: spread === 0 ? 0 : meanOf(({ x, y }) => (x - meanX) * (y - mean)) / spread, mean };
}
