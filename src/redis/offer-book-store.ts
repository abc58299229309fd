import type { Offer } from '../domain/offer.js';
import { countMaxOf, packLimits } from './claim-limits.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

const OFFER_BOOK_LIMITS = {
  /** Audit entries kept of an offer; the oldest go. */
  auditMax: 10_000,
} as const;

/** What is out and what came of it, of one offer. */
export interface OfferUsage {
  /** Claims held, claimed or redeemed. */
  readonly count: number;
  /** What they have reserved or come to, minor units. */
  readonly moneyMinor: number;
  readonly redeemed: number;
  readonly spentMinor: number;
}

/** Who changed what of an offer, and when. */
export interface AuditEntry {
  readonly at: number;
  readonly by: string;
  readonly action: 'create' | 'change' | 'activate' | 'pause' | 'archive';
  readonly version: number;
  /** Fields that changed, before and after; a field that was or is absent is null. */
  readonly changes: Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>;
}

export type WriteOfferResult =
  | { readonly kind: 'written' }
  /** Somebody else wrote first. */
  | { readonly kind: 'changed'; readonly version: number }
  | { readonly kind: 'budget_missing' }
  /** The budget would be below what is out. */
  | { readonly kind: 'below'; readonly moneyMinor: number; readonly count: number };

/** Version and usage of an offer, undefined when there is none. */
export interface OfferPulse { readonly version: number; readonly usage: OfferUsage }

interface Scripts {
  changeOffer(state: string, audit: string, expected: number, offer: string, limits: Buffer, money: number, count: number, entry: string, kept: number): Promise<number[]>;
}

/** Definitions of offers: each in its own slot beside what is claimed of it, with an index of their ids. */
export class OfferBookStore {
  readonly #redis: RedisClient;
  readonly #scripts: Scripts;
  readonly #keys: Keys;

  constructor(redis: RedisClient, keys: Keys) {
    redis.defineCommand('changeOffer', { numberOfKeys: 2, lua: readScript('change-offer') });
    this.#redis = redis;
    this.#scripts = redis as unknown as Scripts;
    this.#keys = keys;
  }

  /**
   * Writes a definition when its version is still the one before. The indexes are written first: an offer that is in
   * them and nowhere else does no harm, one that were missing would never be swept.
   */
  async write(offer: Offer, entry: AuditEntry): Promise<WriteOfferResult> {
    const { offers, openOffers, offerNotices } = this.#keys;
    await Promise.all([this.#redis.zadd(offers, 0, offer.id), this.#redis.zadd(openOffers, 0, offer.id)]);
    const { state, audit } = this.#keys.offer(offer.id);
    const [result, first = 0, second = 0] = await this.#scripts.changeOffer(
      state, audit, offer.version - 1, JSON.stringify(offer), packLimits(offer), offer.budget.moneyMinor, countMaxOf(offer), JSON.stringify(entry), OFFER_BOOK_LIMITS.auditMax,
    );
    if (result === 2) return { kind: 'changed', version: first };
    if (result === 3) return { kind: 'budget_missing' };
    if (result === 4) return { kind: 'below', moneyMinor: first, count: second };
    await this.#redis.publish(offerNotices, offer.id).catch(() => { /* Followers also look by themselves. */ });
    return { kind: 'written' };
  }

  async read(id: string): Promise<Offer | undefined> {
    const text = await this.#redis.hget(this.#keys.offer(id).state, 'offer');
    return text === null ? undefined : JSON.parse(text) as Offer;
  }

  /** How offers stand, in one go. */
  async pulses(ids: readonly string[]): Promise<(OfferPulse | undefined)[]> {
    const states = await Promise.all(ids.map((id) => this.#redis.hmget(this.#keys.offer(id).state, 'version', 'count', 'money', 'redeemed', 'spent')));
    return states.map(([version, count, money, redeemed, spent]) => (version === null || version === undefined ? undefined : {
      version: Number(version), usage: { count: Number(count), moneyMinor: Number(money), redeemed: Number(redeemed), spentMinor: Number(spent) },
    }));
  }

  /** Ids in order of the alphabet. @param after the last one of the page before, '' to begin */
  ids(after: string, limit: number): Promise<string[]> {
    return this.#redis.zrange(this.#keys.offers, after === '' ? '-' : `(${after}`, '+', 'BYLEX', 'LIMIT', 0, limit);
  }

  /** Ids of all offers that have anything left to do. */
  openIds(): Promise<string[]> {
    return this.#redis.zrange(this.#keys.openOffers, '0', '-1');
  }

  countOpen(): Promise<number> {
    return this.#redis.zcard(this.#keys.openOffers);
  }

  /** Lets an offer go of which nothing is left to do; it stays readable and listed. */
  async close(id: string): Promise<void> {
    await this.#redis.zrem(this.#keys.openOffers, id);
  }

  /** Entries, newest first. @param before id of the last one of the page before; undefined to begin */
  async audit(id: string, before: string | undefined, limit: number): Promise<{ id: string; entry: AuditEntry }[]> {
    const rows = await this.#redis.xrevrange(this.#keys.offer(id).audit, before === undefined ? '+' : `(${before}`, '-', 'COUNT', limit);
    return rows.map(([entryId, fields]) => ({ id: entryId, entry: JSON.parse(fields[1]!) as AuditEntry }));
  }
}
