import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { VelocityStore } from '../redis/velocity-store.js';
import { NO_LIMITS, VelocityLimiter, type VelocityLimits } from '../risk/velocity.js';
import type { Clock } from '../util/clock.js';
import { Rounds } from '../util/rounds.js';

export const LIMITS_WIRE_LIMITS = {
  /** Between two times that processes tell each other what they have counted, ms. */
  tellEveryMs: 1000,
} as const;

/** What is limited over all processes; undefined where any number is allowed, which then costs nothing. */
export interface WiredLimits {
  /** By key or address, as `ip`. */
  readonly requests: VelocityLimiter | undefined;
  readonly claims: VelocityLimiter | undefined;
  readonly events: VelocityLimiter | undefined;
  stop(): Promise<void>;
}

export function wireLimits({ config, log, redis, keys, clock }: { config: Config; log: Logger; redis: RedisClient; keys: Keys; clock: Clock }): WiredLimits {
  const limiterOf = (limits: VelocityLimits): VelocityLimiter | undefined =>
    (Object.values(limits).every((limit) => limit === 0) ? undefined : new VelocityLimiter(limits, clock));
  const limiters = {
    requests: limiterOf({ ...NO_LIMITS, ip: config.requestsPerMinuteMax }), claims: limiterOf(config.claimsPerMinute), events: limiterOf(config.eventsPerMinute),
  };
  const counts = new VelocityStore(redis, keys);
  const telling = new Rounds({
    everyMs: LIMITS_WIRE_LIMITS.tellEveryMs,
    round: async () => { await Promise.all(Object.entries(limiters).map(([what, limiter]) => tell(counts, what, limiter))); },
    onError: (error) => { log.debug({ err: error }, 'counts of requests were not told to other processes'); },
  });
  telling.start();
  return { ...limiters, stop: () => telling.stop() };
}

async function tell(store: VelocityStore, what: string, limiter: VelocityLimiter | undefined): Promise<void> {
  await Promise.all((limiter?.takeUntold() ?? []).map(async (untold) => {
    limiter?.learn(untold.key, untold.minute, await store.add(what, untold));
  }));
}
