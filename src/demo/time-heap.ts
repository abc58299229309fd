/** A binary heap that gives back the earliest entry; among equal times, the one that was pushed first. */
export class TimeHeap<T> {
  readonly #nodes: { readonly at: number; readonly order: number; readonly value: T }[] = [];
  #pushed = 0;

  push(at: number, value: T): void {
    const nodes = this.#nodes;
    const node = { at, order: this.#pushed++, value };
    let hole = nodes.push(node) - 1;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!isBefore(node, nodes[parent]!)) break;
      nodes[hole] = nodes[parent]!;
      hole = parent;
    }
    nodes[hole] = node;
  }

  pop(): { readonly at: number; readonly value: T } | undefined {
    const nodes = this.#nodes;
    const top = nodes[0];
    const last = nodes.pop();
    if (top === undefined || last === undefined || nodes.length === 0) return top;
    let hole = 0;
    for (let child = 1; child < nodes.length; child = 2 * hole + 1) {
      if (child + 1 < nodes.length && isBefore(nodes[child + 1]!, nodes[child]!)) child += 1;
      if (!isBefore(nodes[child]!, last)) break;
      nodes[hole] = nodes[child]!;
      hole = child;
    }
    nodes[hole] = last;
    return top;
  }
}

const isBefore = (a: { at: number; order: number }, b: { at: number; order: number }): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);
