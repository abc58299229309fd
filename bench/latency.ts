import { build, type Histogram } from 'hdr-histogram-js';

/** Times of a load, ms. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

const MICROSECONDS_MAX = 120_000_000;

/** Three significant digits from a microsecond up. */
export const makeHistogram = (): Histogram => build({
  bitBucketSize: 32, lowestDiscernibleValue: 1, highestTrackableValue: MICROSECONDS_MAX, numberOfSignificantValueDigits: 3, autoResize: false, useWebAssembly: false,
});

export function record(histogram: Histogram, ms: number): void {
  histogram.recordValue(Math.min(MICROSECONDS_MAX, Math.max(1, Math.round(ms * 1000))));
}

export function latencyOf(histogram: Histogram): Latency {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000;
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: histogram.maxValue / 1000 };
}
