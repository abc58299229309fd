import { randomBytes } from 'node:crypto';
import { connectRedis, untilReady } from '../src/redis/client.js';
import { PARTITIONS } from '../src/redis/keys.js';
import { BATCH_EVENTS } from './sizes.js';

/** What the parent asks for, and gets. */
export interface IngestFloorPlan {
  readonly profiles: number;
  readonly profileBytes: number;
  readonly eventBytes: number;
  /** Pipelines under way at once. */
  readonly lanes: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}
export interface IngestFloorResult {
  readonly eventsPerSecond: number;
  readonly eventsPerCpuSecond: number;
}

/**
 * The floor of ingestion, a process of its own: the engine's Redis client pipelines a bare SET of a profile and an XADD of
 * an event, a batch at a time, and nothing else. Keys and values are made beforehand; values are as large as real ones.
 */
async function run(redisUrl: string, plan: IngestFloorPlan): Promise<IngestFloorResult> {
  const redis = connectRedis(redisUrl, 'commands', { timeoutMs: 10_000, name: 'ingest-floor' });
  await untilReady(redis, 10_000);
  const streams = Array.from({ length: PARTITIONS }, (_, partition) => `floor:{p${partition}}:events`);
  const profiles = Array.from({ length: plan.profiles }, (_, index) => `floor:{p${index % PARTITIONS}}:profile:s${index}`);
  const value = randomBytes(plan.profileBytes);
  const event = 'e'.repeat(plan.eventBytes);
  let events = 0;
  let until = Infinity;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      const pipeline = redis.pipeline();
      for (let i = 0; i < BATCH_EVENTS; i++) {
        // A large prime steps through all shoppers in no order.
        next = (next + 7919) % plan.profiles;
        pipeline.set(profiles[next]!, value);
        pipeline.xadd(streams[next % PARTITIONS]!, '*', 'e', event);
      }
      await pipeline.exec();
      events += BATCH_EVENTS;
    }
  };
  const lanes = Promise.all(Array.from({ length: plan.lanes }, lane));
  await new Promise((resolve) => { setTimeout(resolve, plan.warmupSeconds * 1000); });
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const before = events;
  until = startedAt + plan.seconds * 1000;
  await lanes;
  const { user, system } = process.cpuUsage(cpu);
  const done = events - before;
  const result = { eventsPerSecond: done / ((performance.now() - startedAt) / 1000), eventsPerCpuSecond: done / ((user + system) / 1e6) };
  for (const stream of streams) await redis.unlink(stream);
  redis.disconnect();
  return result;
}

process.on('message', (plan: IngestFloorPlan) => {
  run(process.argv[2] ?? '', plan).then((result) => process.send?.(result), (error: unknown) => {
    process.stderr.write(`${String(error instanceof Error ? error.stack : error)}\n`);
    process.exit(1);
  });
});
process.on('disconnect', () => { process.exit(0); });
