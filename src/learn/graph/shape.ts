/** A length, or the name of one that is known only when the graph runs. */
export type Dim = number | string;
export type Shape = readonly Dim[];

export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((length, i) => length === b[i]);

/** Elements of a shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) {
    if (typeof length === 'string') throw new Error(`the length ${length} must be a number here`);
    size *= length;
  }
  return size;
}

/** Shape of an operator that works element by element: shapes are aligned at their ends, and a length of 1 is stretched. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) throw new Error(`shapes ${showShape(a)} and ${showShape(b)} do not go together`);
    return left === 1 ? right : left;
  });
}
