import type { Redis } from 'ioredis';
import type { OfferMessage } from '../domain/offer-message.js';
import type { ContactCaps, SendResult } from '../offers/contact-policy.js';
import type { Clock } from '../util/clock.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

const OFFER_STORE_LIMITS = {
  /** Offers kept per shopper; the oldest goes. As many as a profile remembers having been shown. */
  inboxMax: 8,
  /** Life of an inbox after the last offer, ms; no offer stands longer. */
  inboxMs: 30 * 86_400_000,
} as const;

const SEND_RESULTS = { 1: 'sent', 2: 'sent_before', 3: 'cooldown', 4: 'capped' } as const satisfies Record<number, SendResult>;

interface OfferScripts {
  sendOffer(...args: (string | number)[]): Promise<keyof typeof SEND_RESULTS>;
}

export interface ContactOptions {
  /** Over all offers and channels. */
  readonly caps: ContactCaps;
  readonly clock: Clock;
}

/** Offers on their way to shoppers: pushed to whoever is connected, and kept for the next subscription. */
export class OfferStore {
  readonly #redis: Redis;
  readonly #scripts: OfferScripts;
  readonly #keys: Keys;
  readonly #contact: ContactOptions;

  constructor(redis: Redis, keys: Keys, contact: ContactOptions) {
    this.#contact = contact;
    redis.defineCommand('sendOffer', { numberOfKeys: 5, lua: readScript('send-offer') });
    this.#redis = redis;
    this.#scripts = redis as unknown as OfferScripts;
    this.#keys = keys;
  }

  /**
   * Sends an offer once, however often it is tried: safe to repeat after a failure.
   * @param cooldownMs least time between two offers of this kind; 0 for none
   */
  async send(shopper: string, offer: OfferMessage, cooldownMs: number): Promise<SendResult> {
    const keys = this.#keys;
    const { caps, clock } = this.#contact;
    const onceMs = Math.max(cooldownMs, OFFER_STORE_LIMITS.inboxMs);
    const result = await this.#scripts.sendOffer(
      keys.once(shopper, `offer:${offer.id}`), keys.once(shopper, `cooldown:${offer.kind}`), keys.inbox(shopper), keys.push(shopper),
      keys.contacts(shopper), offer.id, onceMs, cooldownMs, JSON.stringify(offer), JSON.stringify({ type: 'offer', offer }), OFFER_STORE_LIMITS.inboxMax, OFFER_STORE_LIMITS.inboxMs,
      clock(), caps.perDayMax, caps.perWeekMax,
    );
    return SEND_RESULTS[result];
  }

  /** @returns what was sent and has not expired at `now` (ms), oldest first */
  async inbox(shopper: string, now: number): Promise<OfferMessage[]> {
    const kept = await this.#redis.lrange(this.#keys.inbox(shopper), 0, -1);
    return kept.map((json) => JSON.parse(json) as OfferMessage).filter((offer) => Date.parse(offer.expiresAt) > now).reverse();
  }

  /** Forgets an erased shopper. */
  async forget(shopper: string): Promise<void> {
    await Promise.all([this.#redis.del(this.#keys.inbox(shopper), this.#keys.contacts(shopper)), this.#redis.zrem(this.#keys.cartChangesOf(shopper), shopper)]);
  }

  /** Notes when a cart changed last (ms); an earlier change that comes late leaves it as it is. */
  async noteCartChange(shopper: string, at: number, forgetBefore: number): Promise<void> {
    const key = this.#keys.cartChangesOf(shopper);
    await Promise.all([this.#redis.zadd(key, 'GT', at, shopper), this.#redis.zremrangebyscore(key, '-inf', `(${forgetBefore}`)]);
  }

  /** @returns when the cart changed last, ms; undefined when that is long ago */
  async lastCartChange(shopper: string): Promise<number | undefined> {
    const at = await this.#redis.zscore(this.#keys.cartChangesOf(shopper), shopper);
    return at === null ? undefined : Number(at);
  }
}
