/** How evenly clients came back. */
export interface Spread {
  readonly count: number;
  /** From the first to the last, s; at least that of a bucket. */
  readonly seconds: number;
  /** Most in any one second, by the mean of a second. */
  readonly peakByMean: number;
}

const BUCKET_MS = 1000;

/** Splits times, ms in order, wherever nobody came for so long: each process that leaves makes a wave of its own. */
export function wavesOf(times: readonly number[], quietMs: number): number[][] {
  const waves: number[][] = [];
  let last = -Infinity;
  for (const time of times) {
    if (time - last > quietMs) waves.push([]);
    waves.at(-1)!.push(time);
    last = time;
  }
  return waves;
}

/** @param times ms, in order */
export function spreadOf(times: readonly number[]): Spread {
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return { count: 0, seconds: 0, peakByMean: 0 };
  let peak = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! >= BUCKET_MS) from += 1;
    peak = Math.max(peak, to - from + 1);
  }
  const seconds = Math.max(last - first, BUCKET_MS) / 1000;
  return { count: times.length, seconds, peakByMean: peak / (times.length / seconds) };
}
