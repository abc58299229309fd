import { WEEK_MS, type Contact } from '../offers/contact-policy.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

/** Contacts remembered of a shopper: far more than any cap lets happen in a week. */
const CONTACTS_MAX = 64;
const NOTE_LIMITS = {
  /** Notes wait for others for so long, ms … */
  gatherMs: 5,
  /** … or until they are so many. */
  waitingMax: 64,
} as const;

/** When each shopper was addressed last, over all channels. What is pushed is noted by the script that pushes: see `OfferStore`. */
export class ContactStore {
  readonly #waiting: (Contact & { readonly shopper: string })[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  /** @returns those of the last days, earliest first */
  async read(shopper: string): Promise<Contact[]> {
    const flat = await this.redis.zrange(this.keys.contacts(shopper), '0', '-1', 'WITHSCORES');
    const contacts: Contact[] = [];
    for (let i = 0; i < flat.length; i += 2) contacts.push({ id: flat[i]!, at: Number(flat[i + 1]) });
    return contacts;
  }

  /**
   * Notes that a page showed the shopper something: what is there already cannot be taken back, so no cap is looked at. Notes of a moment travel
   * together: one by one each costs a system call, a third of what a decision does.
   */
  note(shopper: string, contact: Contact): void {
    this.#waiting.push({ shopper, ...contact });
    if (this.#waiting.length >= NOTE_LIMITS.waitingMax) this.#flush();
    else this.#timer ??= setTimeout(() => { this.#flush(); }, NOTE_LIMITS.gatherMs);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { shopper, id, at } of this.#waiting.splice(0)) {
      const key = this.keys.contacts(shopper);
      Promise.all([
        this.redis.zadd(key, at, id), this.redis.zremrangebyscore(key, '-inf', at - WEEK_MS),
        this.redis.zremrangebyrank(key, 0, -CONTACTS_MAX - 1), this.redis.pexpire(key, WEEK_MS),
      ]).catch(() => { /* The caps then count one less. */ });
    }
  }

  /** Forgets an erased shopper. */
  async forget(shopper: string): Promise<void> {
    await this.redis.del(this.keys.contacts(shopper));
  }
}
