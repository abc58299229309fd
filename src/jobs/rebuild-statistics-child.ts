import { setPriority } from 'node:os';
import { noCounts, readArchive } from '../archive/reader.js';
import { archiveStatistics } from '../archive/statistics.js';
import { StatisticsBuilder } from '../candidates/build-statistics.js';
import { connectRedis, untilReady } from '../redis/client.js';
import { makeKeys } from '../redis/keys.js';
import { StatisticsStore } from '../redis/statistics-store.js';
import type { RebuildReply, RebuildTask } from './rebuild-statistics.js';

/** The process behind `rebuildStatistics`: does one task, replies, and is ended by whoever asked. */
const CHILD_LIMITS = { redisTimeoutMs: 10_000, niceness: 10 } as const;

process.once('message', (task: RebuildTask) => {
  rebuild(task).then(reply, (error: unknown) => { reply({ error: error instanceof Error ? error.message : String(error) }); });
});
process.once('disconnect', () => { process.exit(0); });

async function rebuild({ archiveDir, redisUrl, keyPrefix }: RebuildTask): Promise<RebuildReply> {
  // Requests come first where cores are few.
  setPriority(CHILD_LIMITS.niceness);
  const startedAt = performance.now();
  const counts = noCounts();
  const builder = new StatisticsBuilder();
  for await (const event of readArchive(archiveDir, counts)) builder.add(event);
  const data = builder.build();
  const redis = connectRedis(redisUrl, 'commands', { timeoutMs: CHILD_LIMITS.redisTimeoutMs, name: 'rivulet-statistics' });
  try {
    await untilReady(redis, CHILD_LIMITS.redisTimeoutMs);
    const version = await new StatisticsStore(redis, makeKeys(keyPrefix)).write(data, Date.now, (name, bytes) => archiveStatistics(archiveDir, name, bytes, Date.now()));
    return { version, items: data.keys.length, pairs: data.targets.length, counts, ms: Math.round(performance.now() - startedAt) };
  } finally {
    redis.disconnect();
  }
}

function reply(message: RebuildReply): void {
  process.send?.(message);
}
