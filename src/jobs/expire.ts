import type { Redis } from 'ioredis';
import { expireArchive } from '../archive/expire.js';
import type { Clock } from '../util/clock.js';

export const EXPIRE = 'expire';

/** A consumer without anything pending that was silent this long is gone for good, ms. */
const CONSUMER_GONE_MS = 86_400_000;

interface ExpireOptions {
  readonly dir: string;
  readonly days: number;
  readonly clock: Clock;
  readonly redis: Redis;
  /** Streams and the groups on them. */
  readonly streams: readonly string[];
  readonly onDone: (counts: { folders: number; consumers: number }) => void;
}

/** Deletes what is past its time: archive folders, and names of workers that no longer are. */
export function expire({ dir, days, clock, redis, streams, onDone }: ExpireOptions) {
  return async (): Promise<void> => {
    const folders = await expireArchive(dir, { days, now: clock() });
    let consumers = 0;
    for (const stream of streams) if ((await redis.exists(stream)) === 1) consumers += await forgetConsumers(redis, stream);
    onDone({ folders, consumers });
  };
}

async function forgetConsumers(redis: Redis, stream: string): Promise<number> {
  let forgotten = 0;
  for (const group of await rowsOf(redis.xinfo('GROUPS', stream))) {
    const name = String(group.get('name'));
    for (const consumer of await rowsOf(redis.xinfo('CONSUMERS', stream, name))) {
      if (Number(consumer.get('pending')) > 0 || Number(consumer.get('idle')) < CONSUMER_GONE_MS) continue;
      await redis.xgroup('DELCONSUMER', stream, name, String(consumer.get('name')));
      forgotten += 1;
    }
  }
  return forgotten;
}

async function rowsOf(reply: Promise<unknown>): Promise<Map<unknown, unknown>[]> {
  return ((await reply) as readonly (readonly unknown[])[]).map((fields) => {
    const row = new Map<unknown, unknown>();
    for (let i = 0; i < fields.length; i += 2) row.set(fields[i], fields[i + 1]);
    return row;
  });
}
