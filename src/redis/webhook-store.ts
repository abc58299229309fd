import type { DeadDelivery, Webhook } from '../domain/webhook.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

const WEBHOOK_STORE_LIMITS = {
  /** Dead deliveries kept of an endpoint; the oldest go. */
  deadMax: 1000,
} as const;

/** Where in the list of dead deliveries one is. */
export type DeadPosition = Pick<DeadDelivery, 'at' | 'messageId'>;

/** Endpoints of webhooks, and what could not be handed to them. */
export class WebhookStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  async all(): Promise<Webhook[]> {
    const stored = await this.redis.hvals(this.keys.webhooks);
    return stored.map((json) => JSON.parse(json) as Webhook).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  async read(id: string): Promise<Webhook | undefined> {
    const json = await this.redis.hget(this.keys.webhooks, id);
    return json === null ? undefined : JSON.parse(json) as Webhook;
  }

  async put(webhook: Webhook): Promise<void> {
    await this.redis.hset(this.keys.webhooks, webhook.id, JSON.stringify(webhook));
  }

  /** With what waits in its dead letters. @returns whether there was one */
  async remove(id: string): Promise<boolean> {
    const removed = await this.redis.hdel(this.keys.webhooks, id);
    await this.redis.del(this.keys.webhookDead(id), this.keys.webhookDeadTimes(id));
    return removed === 1;
  }

  /** Notes what was given up; noting it again changes nothing but the time. */
  async bury(id: string, dead: DeadDelivery): Promise<void> {
    const [times, bodies] = [this.keys.webhookDeadTimes(id), this.keys.webhookDead(id)];
    await this.redis.multi().hset(bodies, dead.messageId, JSON.stringify(dead)).zadd(times, dead.at, dead.messageId).exec();
    const tooMany = await this.redis.zrange(times, '0', String(-1 - WEBHOOK_STORE_LIMITS.deadMax));
    await this.unearth(id, tooMany);
  }

  /** Dead deliveries, the latest first. @param after the last one of the page before */
  async dead(id: string, after: DeadPosition | undefined, limit: number): Promise<DeadDelivery[]> {
    const times = this.keys.webhookDeadTimes(id);
    if (after === undefined) return this.#bodies(id, await this.redis.zrange(times, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, limit));
    const { at, messageId } = after;
    // Many may die in one millisecond: an endpoint that is gone refuses all that is tried.
    const [same, earlier] = await Promise.all([
      this.redis.zrange(times, String(at), String(at), 'BYSCORE', 'REV'), this.redis.zrange(times, `(${at}`, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, limit),
    ]);
    return this.#bodies(id, [...same.filter((one) => one < messageId), ...earlier].slice(0, limit));
  }

  async deadOne(id: string, messageId: string): Promise<DeadDelivery | undefined> {
    return (await this.#bodies(id, [messageId]))[0];
  }

  async unearth(id: string, messageIds: readonly string[]): Promise<void> {
    if (messageIds.length === 0) return;
    await this.redis.multi().hdel(this.keys.webhookDead(id), ...messageIds).zrem(this.keys.webhookDeadTimes(id), ...messageIds).exec();
  }

  /** Forgets an erased shopper. */
  async forget(shopper: string): Promise<void> {
    for (const { id } of await this.all()) {
      const dead = (await this.redis.hvals(this.keys.webhookDead(id))).map((json) => JSON.parse(json) as DeadDelivery);
      await this.unearth(id, dead.filter((one) => one.shopper === shopper).map(({ messageId }) => messageId));
    }
  }

  async #bodies(id: string, messageIds: readonly string[]): Promise<DeadDelivery[]> {
    if (messageIds.length === 0) return [];
    const stored = await this.redis.hmget(this.keys.webhookDead(id), ...messageIds);
    return stored.flatMap((json) => (json === null ? [] : [JSON.parse(json) as DeadDelivery]));
  }
}
