/** @returns groups of values by a key, in order of first appearance */
export function groupBy<T, K>(values: readonly T[], keyOf: (value: T) => K): [key: K, group: T[]][] {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return [...groups];
}
