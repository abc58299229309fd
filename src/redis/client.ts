import { Redis } from 'ioredis';

/** Waits and sizes of a connection. */
const CONNECTION_LIMITS = {
  connectMs: 2000,
  /** Pause between attempts to reconnect: doubles from … to …, ms. */
  retryFromMs: 20,
  retryToMs: 500,
} as const;

/** What a connection is for. */
export type Purpose =
  /** Requests: answers in time or not at all; nothing is queued while Redis is away, nothing is sent twice. */
  | 'commands'
  /** Blocking reads and subscriptions: waits for Redis to come back, without a limit per command. */
  | 'listening';

/**
 * With `maxRetriesPerRequest: 0` a command whose reply was lost is rejected and not sent again: the default would
 * execute a write twice. A command that timed out may still have been executed: it is unknown, and the caller's ids
 * make another try safe.
 */
export function connectRedis(url: string, purpose: Purpose, options: { timeoutMs: number; name: string }): Redis {
  const shared = {
    connectionName: options.name,
    connectTimeout: CONNECTION_LIMITS.connectMs,
    retryStrategy: (attempt: number): number => Math.min(CONNECTION_LIMITS.retryToMs, CONNECTION_LIMITS.retryFromMs * 2 ** attempt),
  };
  const redis = purpose === 'commands'
    ? new Redis(url, { ...shared, maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: options.timeoutMs, enableAutoPipelining: true })
    : new Redis(url, { ...shared, maxRetriesPerRequest: null });
  redis.on('error', () => { /* Reconnecting is under way; the commands that failed tell their callers. */ });
  return redis;
}

/** Resolves when the connection is usable. */
export async function untilReady(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      redis.off('ready', ready);
      reject(new Error(`Redis did not answer within ${timeoutMs} ms.`));
    }, timeoutMs);
    const ready = (): void => {
      clearTimeout(timer);
      resolve();
    };
    redis.once('ready', ready);
  });
}
