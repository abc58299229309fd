import type { Redis } from 'ioredis';
import { WEEK_MS, type Contact } from '../offers/contact-policy.js';
import type { Keys } from './keys.js';

/** Contacts remembered of a shopper: far more than any cap lets happen in a week. */
const CONTACTS_MAX = 64;

/** When each shopper was addressed last, over all channels. What is pushed is noted by the script that pushes: see `OfferStore`. */
export class ContactStore {
  constructor(private readonly redis: Redis, private readonly keys: Keys) {}

  /** @returns those of the last days, earliest first */
  async read(shopper: string): Promise<Contact[]> {
    const flat = await this.redis.zrange(this.keys.contacts(shopper), '0', '-1', 'WITHSCORES');
    const contacts: Contact[] = [];
    for (let i = 0; i < flat.length; i += 2) contacts.push({ id: flat[i]!, at: Number(flat[i + 1]) });
    return contacts;
  }

  /** Notes that a page showed the shopper something: what is there already cannot be taken back, so no cap is looked at. */
  async note(shopper: string, { id, at }: Contact): Promise<void> {
    const key = this.keys.contacts(shopper);
    await Promise.all([
      this.redis.zadd(key, at, id), this.redis.zremrangebyscore(key, '-inf', at - WEEK_MS),
      this.redis.zremrangebyrank(key, 0, -CONTACTS_MAX - 1), this.redis.pexpire(key, WEEK_MS),
    ]);
  }

  /** Forgets an erased shopper. */
  async forget(shopper: string): Promise<void> {
    await this.redis.del(this.keys.contacts(shopper));
  }
}
