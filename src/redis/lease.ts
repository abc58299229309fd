import type { RedisClient } from './client.js';
import { readScript } from './profile-store.js';

interface LeaseScript {
  lease(key: string, owner: string, ttlMs: number): Promise<number>;
}

/**
 * A role that one process has at a time, for work that is merely wasted when done twice: a lease that ran out during a
 * long pause is not noticed before the next renewal.
 */
export class Lease {
  readonly #scripts: LeaseScript;

  /** @param owner unique among processes */
  constructor(redis: RedisClient, private readonly key: string, private readonly owner: string) {
    redis.defineCommand('lease', { numberOfKeys: 1, lua: readScript('lease') });
    this.#scripts = redis as unknown as LeaseScript;
  }

  /** Takes or renews it. @returns whether it is ours for that time */
  async take(ttlMs: number): Promise<boolean> {
    return (await this.#scripts.lease(this.key, this.owner, ttlMs)) === 1;
  }

  /** Never rejects: a lease that cannot be given back runs out by itself. */
  async release(): Promise<void> {
    await this.#scripts.lease(this.key, this.owner, 0).catch(() => { /* See above. */ });
  }

  /** Does the work when nobody else is at it, renewing meanwhile. @returns whether it was done */
  async whileHeld(ttlMs: number, work: () => Promise<void>): Promise<boolean> {
    if (!(await this.take(ttlMs))) return false;
    const renewal = setInterval(() => { this.take(ttlMs).catch(() => { /* The next renewal may succeed. */ }); }, ttlMs / 3);
    try {
      await work();
    } finally {
      clearInterval(renewal);
      await this.release();
    }
    return true;
  }
}
