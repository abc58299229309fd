/**
 * What changed of some items since the statistics were published: each item's popularity and its neighbours, whole, so
 * that applying an increment twice, or only the later of two, gives the same.
 */
export interface StatisticsIncrement {
  readonly items: readonly ItemStatistics[];
}

export interface ItemStatistics {
  /** hash48 of the item. */
  readonly key: number;
  /** As in `StatisticsData`, as of the same moment. */
  readonly popularity: number;
  readonly lasting: number;
  readonly firstDay: number;
  /** hash48 of the neighbours, strongest first, and their weights. */
  readonly neighbors: Float64Array;
  readonly weights: Float64Array;
}

const FORMAT = 2;
/** Doubles of an item before its neighbours. */
const HEAD = 5;

/** As doubles: format, items; then of each item key, popularity, lasting, first day, neighbours, their keys, their weights. */
export function encodeIncrement({ items }: StatisticsIncrement): Buffer {
  const doubles = new Float64Array(items.reduce((length, { neighbors }) => length + HEAD + neighbors.length * 2, 2));
  doubles.set([FORMAT, items.length]);
  let at = 2;
  for (const { key, popularity, lasting, firstDay, neighbors, weights } of items) {
    doubles.set([key, popularity, lasting, firstDay, neighbors.length], at);
    doubles.set(neighbors, at + HEAD);
    doubles.set(weights, at + HEAD + neighbors.length);
    at += HEAD + neighbors.length * 2;
  }
  return Buffer.from(doubles.buffer);
}

/** @throws Error when the bytes are no increment */
export function decodeIncrement(bytes: Uint8Array): StatisticsIncrement {
  if (bytes.length % 8 !== 0 || bytes.length < 16) throw new Error(`statistics increment: ${bytes.length} bytes`);
  // A copy: the pool behind a small Buffer is not aligned for doubles.
  const doubles = new Float64Array(new Uint8Array(bytes).buffer);
  if (doubles[0] !== FORMAT) throw new Error(`statistics increment: not of format ${FORMAT}`);
  let at = 2;
  const items = Array.from({ length: doubles[1]! }, (): ItemStatistics => {
    const [key = 0, popularity = 0, lasting = 0, firstDay = 0, count = 0] = doubles.subarray(at, at + HEAD);
    const from = at + HEAD;
    at = from + count * 2;
    if (!(at <= doubles.length)) throw new Error('statistics increment: cut off');
    return { key, popularity, lasting, firstDay, neighbors: doubles.subarray(from, from + count), weights: doubles.subarray(from + count, at) };
  });
  return { items };
}
