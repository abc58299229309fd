import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

const SHADOW_LIMITS = {
  /** Between writes of what a process has counted, ms. */
  flushMs: 1000,
  /** A count that nobody adds to is forgotten after this, s. */
  keptS: 7 * 86_400,
} as const;

/** Requests scored by the serving model and by its shadow, over all processes; the rest are sums over them. */
export interface ShadowCounts {
  readonly requests: number;
  /** Processes in which the shadow failed or was slow, and was dropped. */
  readonly dropped: number;
  readonly servingMs: number;
  readonly shadowMs: number;
  /** Requests for which it gave all items the same score. */
  readonly constant: number;
  /** Rank correlation with the serving model. */
  readonly correlation: number;
}

const FIELDS = ['requests', 'dropped', 'servingMs', 'shadowMs', 'constant', 'correlation'] as const satisfies readonly (keyof ShadowCounts)[];

/** How shadow models do beside the serving one: each process adds what it saw, the worker reads the sum. */
export class ShadowStore {
  readonly #waiting = new Map<string, Record<keyof ShadowCounts, number>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  /** Counted now, written soon. @param model label of the shadow */
  add(model: string, counts: Partial<ShadowCounts>): void {
    const sums = this.#waiting.get(model) ?? zeros();
    this.#waiting.set(model, sums);
    for (const field of FIELDS) sums[field] += counts[field] ?? 0;
    this.#timer ??= setTimeout(() => void this.flush(), SHADOW_LIMITS.flushMs);
  }

  /** Never rejects: counts that Redis does not take are lost. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [model, sums] of waiting) {
      const key = this.keys.shadow(model);
      const write = this.redis.multi();
      for (const field of FIELDS) if (sums[field] !== 0) write.hincrbyfloat(key, field, sums[field]);
      await write.expire(key, SHADOW_LIMITS.keptS).exec().catch(() => { /* Counts of a second or so. */ });
    }
  }

  async read(model: string): Promise<ShadowCounts> {
    const found = await this.redis.hgetall(this.keys.shadow(model));
    const counts = zeros();
    for (const field of FIELDS) counts[field] = Number(found[field] ?? 0);
    return counts;
  }

  /** Begins anew. */
  async clear(model: string): Promise<void> {
    await this.redis.del(this.keys.shadow(model));
  }
}

const zeros = (): Record<keyof ShadowCounts, number> => ({ requests: 0, dropped: 0, servingMs: 0, shadowMs: 0, constant: 0, correlation: 0 });
