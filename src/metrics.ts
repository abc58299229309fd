import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Degradation } from './domain/recommendation.js';

/** Everything the api process counts. One per process; exported at `/metrics`. */
export interface Metrics {
  readonly registry: Registry;
  readonly onReply: (elapsedMs: number, degraded: readonly Degradation[]) => void;
  readonly onFolded: (events: number, unknownItems: number) => void;
  readonly onRecommendFault: () => void;
  /** A value read whenever metrics are collected. */
  readonly gauge: (name: string, help: string, read: () => number) => void;
}

export function makeMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const replies = new Histogram({
    name: 'rivulet_recommendation_seconds', help: 'Time from request to ranked reply', registers: [registry],
    buckets: [0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 1],
  });
  const degraded = new Counter({ name: 'rivulet_recommendations_degraded_total', help: 'Replies by rung of the ladder', labelNames: ['rung'], registers: [registry] });
  const faults = new Counter({ name: 'rivulet_recommendation_faults_total', help: 'Rankings that failed and were stood in for', registers: [registry] });
  const events = new Counter({ name: 'rivulet_events_accepted_total', help: 'Events folded into profiles', registers: [registry] });
  const unknown = new Counter({ name: 'rivulet_events_unknown_item_total', help: 'Events whose item the catalog does not know', registers: [registry] });
  return {
    registry,
    onReply: (elapsedMs, rungs) => {
      replies.observe(elapsedMs / 1000);
      for (const rung of rungs) degraded.inc({ rung });
    },
    onFolded: (count, unknownItems) => {
      events.inc(count);
      if (unknownItems > 0) unknown.inc(unknownItems);
    },
    onRecommendFault: () => faults.inc(),
    gauge: (name, help, read) => {
      const gauge: Gauge = new Gauge({ name, help, registers: [registry], collect: () => gauge.set(read()) });
    },
  };
}
