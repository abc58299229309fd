import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

export const WALLET_LIMITS = {
  /** Claims of a wallet; the oldest go. The claims themselves stay in their offers. */
  claimsMax: 500,
  /** Life of a wallet after the last claim, ms: longer than any claim is kept. */
  lifeMs: 500 * 86_400_000,
} as const;

const NOTHING_TAKEN: ReadonlyMap<string, number> = new Map();

export interface WalletEntry {
  readonly claimId: string;
  /** When it was claimed, ms. */
  readonly at: number;
}

/** Which claims a shopper has, in the shopper's slot: an index. What a claim is, its offer says. */
export class WalletStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  /** Notes claims; noting one again changes nothing. */
  async add(shopper: string, entries: readonly WalletEntry[]): Promise<void> {
    const key = this.keys.wallet(shopper);
    await Promise.all([
      this.redis.zadd(key, ...entries.flatMap(({ claimId, at }) => [at, claimId])),
      this.redis.zremrangebyrank(key, 0, -1 - WALLET_LIMITS.claimsMax),
      this.redis.pexpire(key, WALLET_LIMITS.lifeMs),
    ]);
  }

  /** Newest first. */
  async read(shopper: string): Promise<WalletEntry[]> {
    const rows = await this.redis.zrange(this.keys.wallet(shopper), '0', '-1', 'REV', 'WITHSCORES');
    return rows.flatMap((claimId, i) => (i % 2 === 0 ? [{ claimId, at: Number(rows[i + 1]) }] : []));
  }

  /**
   * @returns places under the caps that a shopper has taken, by offer: as the offers that the wallet names count them, so that claims that were given
   *   back or expired are none
   */
  async taken(shopper: string): Promise<ReadonlyMap<string, number>> {
    const claimIds = await this.redis.zrange(this.keys.wallet(shopper), '0', '-1');
    if (claimIds.length === 0) return NOTHING_TAKEN;
    const offers = [...new Set(claimIds.map((claimId) => claimId.slice(0, claimId.indexOf('.'))))];
    const counts = await Promise.all(offers.map((id) => this.redis.hget(this.keys.offer(id).state, `u:${shopper}`)));
    return new Map(offers.map((id, i) => [id, Number(counts[i] ?? 0)]));
  }

  async remove(shopper: string, claimIds: readonly string[]): Promise<void> {
    if (claimIds.length > 0) await this.redis.zrem(this.keys.wallet(shopper), ...claimIds);
  }

  async erase(shopper: string): Promise<void> {
    await this.redis.del(this.keys.wallet(shopper));
  }
}
