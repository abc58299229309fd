import type { MetricObjectWithValues, MetricValue } from 'prom-client';

/** A process's metrics as they travel: `Registry.getMetricsAsJSON()`. */
export type MetricsJson = readonly MetricObjectWithValues<MetricValue<string>>[];

/** What a process tells the primary. */
export type ToPrimary =
  /** It serves; `url` of an api process is where it listens. */
  | { readonly type: 'ready'; readonly url?: string }
  /** It would like the metrics of all. */
  | { readonly type: 'ask_metrics'; readonly id: number }
  | { readonly type: 'metrics'; readonly id: number; readonly metrics: MetricsJson };

/** What the primary tells a process. */
export type FromPrimary =
  /** Another one has taken its place: drain and end, while the engine as a whole stays ready. */
  | { readonly type: 'retire' }
  | { readonly type: 'read_metrics'; readonly id: number }
  | { readonly type: 'all_metrics'; readonly id: number; readonly metrics: readonly MetricsJson[] };
