import type { RiskChange, RiskState } from '../domain/risk.js';
import type { StreamRecord } from '../domain/record.js';
import type { RedisClient } from './client.js';
import { PARTITIONS, partitionOf, type Keys } from './keys.js';
import { readScript } from './profile-store.js';

const RISK_STORE_LIMITS = {
  /** Changes by operators kept of a shopper. */
  changesMax: 100,
  /** Traces kept of a shopper, the latest, and their life, s. */
  tracesMax: 50, traceLifeS: 90 * 86_400,
} as const;

interface RiskScript {
  writeRisk(...args: (string | number)[]): Promise<number>;
}

export interface RiskWrite {
  readonly state: RiskState;
  readonly told: number;
  readonly change?: RiskChange | undefined;
  readonly records: readonly StreamRecord[];
}

/** What speaks for the abuse of shoppers, in their slots; who is flagged; what claims of shares have left behind. */
export class RiskStore {
  readonly #redis: RedisClient;
  readonly #scripts: RiskScript;
  readonly #keys: Keys;
  readonly #ttlS: number;

  constructor(redis: RedisClient, keys: Keys, { profileTtlS }: { profileTtlS: number }) {
    redis.defineCommand('writeRisk', { numberOfKeys: 5, lua: readScript('write-risk') });
    this.#redis = redis;
    this.#scripts = redis as unknown as RiskScript;
    this.#keys = keys;
    this.#ttlS = profileTtlS;
  }

  /** @returns JSON of a state, '' for none */
  async read(shopper: string): Promise<string> {
    return await this.#redis.get(this.#keys.risk(shopper)) ?? '';
  }

  /** @returns false when somebody else has written since it was read */
  async write(shopper: string, read: string, { state, told, change, records }: RiskWrite): Promise<boolean> {
    const keys = this.#keys;
    const names = [keys.risk(shopper), keys.standing(shopper), keys.flagged(partitionOf(shopper)), keys.eventsOf(shopper), keys.riskAudit(shopper)];
    return (await this.#scripts.writeRisk(
      ...names, read, JSON.stringify(state), this.#ttlS, told, state.isFlagged ? '1' : '0', shopper, change === undefined ? '' : JSON.stringify(change),
      RISK_STORE_LIMITS.changesMax, ...records.map((record) => JSON.stringify(record)),
    )) === 1;
  }

  async erase(shopper: string): Promise<void> {
    const keys = this.#keys;
    await Promise.all([
      this.#redis.del(keys.risk(shopper), keys.riskAudit(shopper), keys.riskTraces(shopper)),
      this.#redis.hdel(keys.standing(shopper), 'risk', 'flagged'),
      this.#redis.zrem(keys.flagged(partitionOf(shopper)), shopper),
    ]);
  }

  /** Newest first. */
  async changes(shopper: string): Promise<RiskChange[]> {
    const rows = await this.#redis.xrevrange(this.#keys.riskAudit(shopper), '+', '-', 'COUNT', RISK_STORE_LIMITS.changesMax);
    return rows.map(([, fields]) => JSON.parse(fields[1]!) as RiskChange);
  }

  /** All of them. */
  async flagged(): Promise<string[]> {
    const partitions = await Promise.all(Array.from({ length: PARTITIONS }, (_, i) => this.#redis.zrange(this.#keys.flagged(i), '0', '-1')));
    return partitions.flat();
  }

  /**
   * By partition and name: whoever is flagged all the while is listed once.
   * @param cursor what the last page gave, '' to begin. @returns the cursor of the next page, '' after the last
   */
  async flaggedPage(cursor: string, limit: number): Promise<{ shoppers: string[]; cursor: string }> {
    const last = cursor === '' ? undefined : Buffer.from(cursor, 'base64url').toString();
    const first = last === undefined ? 0 : partitionOf(last);
    const shoppers: string[] = [];
    for (let partition = first; partition < PARTITIONS; partition++) {
      const after = partition === first && last !== undefined ? `(${last}` : '-';
      shoppers.push(...await this.#redis.zrange(this.#keys.flagged(partition), after, '+', 'BYLEX', 'LIMIT', 0, limit - shoppers.length));
      if (shoppers.length === limit) return { shoppers, cursor: Buffer.from(shoppers.at(-1)!).toString('base64url') };
    }
    return { shoppers, cursor: '' };
  }

  /** Notes what a claim was made from. @param at ms */
  async noteTraces(shopper: string, traces: readonly string[], at: number): Promise<void> {
    if (traces.length === 0) return;
    const key = this.#keys.riskTraces(shopper);
    await Promise.all([
      this.#redis.zadd(key, ...traces.flatMap((trace) => [at, trace])),
      this.#redis.zremrangebyrank(key, 0, -1 - RISK_STORE_LIMITS.tracesMax),
      this.#redis.expire(key, RISK_STORE_LIMITS.traceLifeS),
    ]);
  }

  async traces(shopper: string): Promise<Set<string>> {
    return new Set(await this.#redis.zrange(this.#keys.riskTraces(shopper), '0', '-1'));
  }
}
