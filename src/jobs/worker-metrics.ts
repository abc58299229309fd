import { Gauge, type Registry } from 'prom-client';
import type { RedisClient } from '../redis/client.js';
import type { DriftStore } from '../redis/drift-store.js';
import { PARTITIONS, type Keys } from '../redis/keys.js';
import type { ClaimKeeper } from './claim-keeper.js';
import type { JobRegistry } from './registry.js';
import type { StreamConsumer } from './stream-consumer.js';
import { groupLag } from './streams.js';
import type { Trimming } from './trimming.js';

interface Sources {
  /** By name: `archive`, `trending`, `triggers` behind the events, `impressions`. */
  readonly consumers: Readonly<Record<string, Pick<StreamConsumer<unknown>, 'counts'>>>;
  readonly registry: Pick<JobRegistry, 'counts'>;
  readonly trimming: Pick<Trimming, 'trimmed'>;
  readonly claims: Pick<ClaimKeeper, 'counts'>;
}

/** What a worker counts, read when it is asked for. */
export function workerMetrics(metrics: Registry, { consumers, registry, trimming, claims }: Sources): void {
  for (const what of ['handled', 'failures', 'skipped'] as const) {
    gauge(metrics, `rivulet_stream_${what}`, `Stream entries ${what} (failures: batches) since the start`, 'consumer', (set) => {
      for (const [name, { counts }] of Object.entries(consumers)) set(name, counts[what]);
    });
  }
  gauge(metrics, 'rivulet_stream_trimmed', 'Stream entries dropped behind all groups since the start', 'by', (set) => { set('worker', trimming.trimmed); });
  gauge(metrics, 'rivulet_claims', 'Claims looked at by the sweep (swept) and entries of ledgers followed, since the start', 'what', (set) => {
    for (const what of ['swept', 'followed'] as const) set(what, claims.counts[what]);
  });
  gauge(metrics, 'rivulet_jobs', 'Jobs since the start', 'outcome', (set) => {
    for (const outcome of ['done', 'failed', 'stalled'] as const) set(outcome, registry.counts[outcome]);
  });
}

/** How far the groups are behind the events, over all workers: any process can tell. */
export function lagMetrics(metrics: Registry, redis: RedisClient, keys: Keys): void {
  const streams = Array.from({ length: PARTITIONS }, (_, i) => keys.events(i));
  gauge(metrics, 'rivulet_stream_lag', 'Events that a group has not acknowledged yet', 'group', async (set) => {
    for (const group of ['archive', 'trending', 'triggers', 'segments', 'growth', 'risk', 'claims', 'statistics']) set(group, await groupLag(redis, streams, group).catch(() => Number.NaN));
  });
}

/** How far wallets are behind claims: any process can tell. */
export function claimLagMetrics(metrics: Registry, redis: RedisClient, keys: Keys, openIds: () => Promise<readonly string[]>): void {
  gauge(metrics, 'rivulet_claim_ledger_lag', 'Ledger entries of all offers that no worker has followed yet', 'of', async (set) => {
    const lag = async (): Promise<number> => {
      const lengths = await Promise.all((await openIds()).map((id) => redis.xlen(keys.offer(id).ledger)));
      return lengths.reduce((sum, length) => sum + length, 0);
    };
    set('claims', await lag().catch(() => Number.NaN));
  });
}

/** How far live traffic is from where the serving model was trained; none while no worker has measured it. */
export function driftMetrics(metrics: Registry, drift: Pick<DriftStore, 'read'>): void {
  gauge(metrics, 'rivulet_drift_psi', 'Population stability index of a feature, or of the score, against training: above 0.1 moderate, above 0.25 strong', 'column', async (set) => {
    const measured = await drift.read().catch(() => undefined);
    for (const [column, index] of measured?.indexes ?? []) set(column, index);
  });
}

type Collect = (set: (label: string, value: number) => void) => Promise<void> | void;

function gauge(metrics: Registry, name: string, help: string, label: string, collect: Collect): void {
  const made: Gauge = new Gauge({
    name, help, labelNames: [label], registers: [metrics], collect: () => collect((of, value) => { made.set({ [label]: of }, value); }),
  });
}
