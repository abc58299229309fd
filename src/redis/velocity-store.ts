import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

const VELOCITY_STORE_LIMITS = { lifeS: 120 } as const;

/** Counts by subject and minute over all processes. */
export class VelocityStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  /** @param what is counted, e.g. `claims`. @returns the total after adding to it */
  async add(what: string, { key, minute, count }: { readonly key: string; readonly minute: number; readonly count: number }): Promise<number> {
    const name = this.keys.velocity(`${what}:${key.replaceAll('}', '%7D')}:${minute}`);
    const [total] = await Promise.all([this.redis.incrby(name, count), this.redis.expire(name, VELOCITY_STORE_LIMITS.lifeS)]);
    return total;
  }
}
