import { Gauge, type Registry } from 'prom-client';
import type { JobRegistry } from './registry.js';
import type { StreamConsumer } from './stream-consumer.js';
import type { Trimming } from './trimming.js';

interface Sources {
  /** By name: `archive`, `trending`, `triggers` behind the events, `impressions`. */
  readonly consumers: Readonly<Record<string, Pick<StreamConsumer<unknown>, 'counts'>>>;
  readonly registry: Pick<JobRegistry, 'counts'>;
  readonly trimming: Pick<Trimming, 'trimmed'>;
  /** Entries that a group behind the events has not acknowledged. */
  readonly lag: (group: string) => Promise<number>;
}

/** What a worker counts, read when it is asked for. */
export function workerMetrics(registry: Registry, { consumers, registry: jobs, trimming, lag }: Sources): void {
  const gauge = (name: string, help: string, label: string, collect: (set: (of: string, value: number) => void) => Promise<void> | void): void => {
    const made: Gauge = new Gauge({ name, help, labelNames: [label], registers: [registry], collect: () => collect((of, value) => { made.set({ [label]: of }, value); }) });
  };
  const names = Object.keys(consumers);
  for (const what of ['handled', 'failures', 'skipped'] as const) {
    gauge(`rivulet_stream_${what}`, `Stream entries ${what} (failures: batches) since the start`, 'consumer', (set) => {
      for (const name of names) set(name, consumers[name]!.counts[what]);
    });
  }
  gauge('rivulet_stream_lag', 'Events that a group has not acknowledged yet, over all workers', 'group', async (set) => {
    for (const name of names.filter((name) => name !== 'impressions')) set(name, await lag(name).catch(() => Number.NaN));
  });
  gauge('rivulet_stream_trimmed', 'Stream entries dropped behind all groups since the start', 'by', (set) => { set('worker', trimming.trimmed); });
  gauge('rivulet_jobs', 'Jobs since the start', 'outcome', (set) => {
    for (const outcome of ['done', 'failed', 'stalled'] as const) set(outcome, jobs.counts[outcome]);
  });
}
