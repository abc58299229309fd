import { AggregatorRegistry, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Degradation } from './domain/recommendation.js';
import type { MetricsJson } from './processes/messages.js';

/** Everything the api process counts. One per process; `/metrics` shows those of all. */
export interface Metrics {
  /** Of this process. */
  readonly registry: Registry;
  /** Of the store: any process can tell, so that they are not added up. */
  readonly common: Registry;
  readonly onReply: (elapsedMs: number, degraded: readonly Degradation[]) => void;
  readonly onFolded: (events: number, unknownItems: number) => void;
  readonly onRecommendFault: () => void;
  /** A value read whenever metrics are collected. Over several processes the sum, or what is named. */
  readonly gauge: (name: string, help: string, read: () => number, overProcesses?: 'sum' | 'max') => void;
}

export function makeMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({ name: 'rivulet_api_processes', help: 'Api processes that these metrics are of', registers: [registry] }).set(1);
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
    common: new Registry(),
    onReply: (elapsedMs, rungs) => {
      replies.observe(elapsedMs / 1000);
      for (const rung of rungs) degraded.inc({ rung });
    },
    onFolded: (count, unknownItems) => {
      events.inc(count);
      if (unknownItems > 0) unknown.inc(unknownItems);
    },
    onRecommendFault: () => faults.inc(),
    gauge: (name, help, read, aggregator = 'sum') => {
      const gauge: Gauge = new Gauge({ name, help, aggregator, registers: [registry], collect: () => gauge.set(read()) });
    },
  };
}

/** @param ofAll where there are other processes: what each of them counts. @returns text for Prometheus */
export async function metricsText({ registry, common }: Metrics, ofAll: () => Promise<readonly MetricsJson[]> = () => Promise.resolve([])): Promise<string> {
  const all = await ofAll();
  const counted = all.length === 0 ? registry : AggregatorRegistry.aggregate([...all]);
  return `${await counted.metrics()}\n${await common.metrics()}`;
}
