import { setPriority } from 'node:os';
import { join } from 'node:path';
import { archiveIncrement, archiveStatistics, forgetIncrements } from '../archive/statistics.js';
import { connectRedis, untilReady } from '../redis/client.js';
import { makeKeys, PARTITIONS } from '../redis/keys.js';
import { StatisticsStore } from '../redis/statistics-store.js';
import type { LiveStatisticsReport, LiveStatisticsTask } from './live-statistics-process.js';
import { LiveStatistics } from './live-statistics.js';

/** The process behind `LiveStatisticsProcess`: counts until it is told to stop, or whoever started it is gone. */
const CHILD_LIMITS = { redisTimeoutMs: 10_000, niceness: 10 } as const;

const stopping = new AbortController();
process.on('message', (message: LiveStatisticsTask | 'stop') => {
  if (message === 'stop') stopping.abort();
  else void count(message);
});
process.once('disconnect', () => { process.exit(0); });

async function count({ archiveDir, redisUrl, keyPrefix, settings }: LiveStatisticsTask): Promise<void> {
  // Requests come first where cores are few.
  setPriority(CHILD_LIMITS.niceness);
  try {
    const redis = connectRedis(redisUrl, 'commands', { timeoutMs: CHILD_LIMITS.redisTimeoutMs, name: 'rivulet-statistics' });
    const listening = connectRedis(redisUrl, 'listening', { timeoutMs: 0, name: 'rivulet-statistics-reads' });
    await untilReady(redis, CHILD_LIMITS.redisTimeoutMs);
    const keys = makeKeys(keyPrefix);
    await new LiveStatistics({
      redis, listening, store: new StatisticsStore(redis, keys), streams: Array.from({ length: PARTITIONS }, (_, i) => keys.events(i)),
      archiveDir, statePath: join(archiveDir, 'statistics.state'), settings, clock: Date.now,
      onEvent: report,
      onVersion: async (version, bytes, before) => {
        await archiveStatistics(archiveDir, version, bytes, Date.now());
        await forgetIncrements(archiveDir, before === undefined ? [] : [before]);
      },
      onIncrement: (version, number, bytes) => archiveIncrement(archiveDir, version, number, bytes, Date.now()),
    }).run(stopping.signal);
    process.exit(0);
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  }
}

function report(message: LiveStatisticsReport): void {
  process.send?.(message);
}
