import { frameParts } from '../domain/channel.js';
import type { OfferMessage } from '../domain/offer-message.js';
import { WEEK_MS, type ContactCaps, type SendResult } from '../offers/contact-policy.js';
import type { Clock } from '../util/clock.js';
import { logScript, shopperChannel } from './channel-log.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

export const INBOX_LIMITS = {
  /** Messages kept per shopper; the oldest goes. As many as a profile remembers having been shown. */
  messagesMax: 8,
  /** Life of an inbox after the last message, ms; no message stands longer. */
  lifeMs: 30 * 86_400_000,
} as const;
const OFFER_STORE_LIMITS = {
  /** Deliveries of a partition that wait for webhooks, about: without a worker they must not grow for ever. */
  deliveriesMax: 10_000,
} as const;

const SEND_RESULTS = { 1: 'sent', 2: 'sent_before', 3: 'cooldown', 4: 'capped', 5: 'no_consent' } as const satisfies Record<number, SendResult>;

interface OfferScripts {
  sendOffer(...args: (string | number)[]): Promise<keyof typeof SEND_RESULTS>;
  markMessages(inbox: string, marks: string, mark: InboxMark, lifeMs: number, ...ids: string[]): Promise<string[]>;
}

export interface ContactOptions {
  /** Over all messages and channels. */
  readonly caps: ContactCaps;
  /** Nothing without a stated consent to marketing; else nothing only where it was refused. */
  readonly consentRequired: boolean;
  readonly clock: Clock;
}

/** Within its time only one holder sends messages of a kind. */
export interface Cooldown {
  readonly of: string;
  readonly holder: string;
  /** 0: none. */
  readonly ms: number;
}
const NO_COOLDOWN: Cooldown = { of: '', holder: '', ms: 0 };

interface InboxKeys { readonly inbox: string; readonly marks: string; readonly contacts: string }

/** What a shopper did with a message. */
export type InboxMark = 'read' | 'dismissed';

/** Messages on their way to shoppers: pushed to whoever is connected, kept for the next subscription, and handed to webhooks. */
export class OfferStore {
  readonly #redis: RedisClient;
  readonly #scripts: OfferScripts;
  readonly #keys: Keys;
  readonly #contact: ContactOptions;

  constructor(redis: RedisClient, keys: Keys, contact: ContactOptions) {
    this.#contact = contact;
    redis.defineCommand('sendOffer', { numberOfKeys: 8, lua: logScript(redis, 'send-offer') });
    redis.defineCommand('markMessages', { numberOfKeys: 2, lua: readScript('mark-messages') });
    this.#redis = redis;
    this.#scripts = redis as unknown as OfferScripts;
    this.#keys = keys;
  }

  /** Sends a message once, however often it is tried: safe to repeat after a failure. */
  async send(shopper: string, message: OfferMessage, cooldown: Cooldown = NO_COOLDOWN): Promise<SendResult> {
    const keys = this.#keys;
    const { caps, consentRequired, clock } = this.#contact;
    const { messagesMax, lifeMs } = INBOX_LIMITS;
    const { deliveriesMax } = OFFER_STORE_LIMITS;
    const result = await this.#scripts.sendOffer(
      keys.sent(shopper), keys.cooldowns(shopper), keys.inbox(shopper), keys.push(shopper),
      keys.contacts(shopper), keys.attributes(shopper), keys.deliveriesOf(shopper), keys.log(shopper),
      message.id, Math.max(cooldown.ms, lifeMs), cooldown.ms, cooldown.holder, JSON.stringify(message), shopper, messagesMax, lifeMs,
      clock(), caps.perDayMax, caps.perWeekMax, consentRequired ? 1 : 0, deliveriesMax,
      ...frameParts(shopperChannel(keys, shopper), 'offer', { offer: message }), cooldown.of,
    );
    return SEND_RESULTS[result];
  }

  async wasSent(shopper: string, messageId: string): Promise<boolean> {
    return Number(await this.#redis.zscore(this.#keys.sent(shopper), messageId) ?? 0) > this.#contact.clock();
  }

  /** @returns what was sent, was not dismissed and has not expired at `now` (ms), oldest first */
  async inbox(shopper: string, now: number): Promise<(OfferMessage & { isRead?: true })[]> {
    const [kept, marks] = await Promise.all([this.#redis.lrange(this.#keys.inbox(shopper), 0, -1), this.#redis.hgetall(this.#keys.inboxMarks(shopper))]);
    // Two merges at once may both have brought the same message.
    return [...new Set(kept)].map((json) => JSON.parse(json) as OfferMessage)
      .filter(({ id, expiresAt }) => marks[id] !== 'dismissed' && Date.parse(expiresAt) > now)
      .map((message) => (marks[message.id] === 'read' ? { ...message, isRead: true as const } : message)).reverse();
  }

  /** Marks messages of the inbox; marks of messages that are gone go too. @returns the ids that the inbox has */
  mark(shopper: string, messageIds: readonly string[], mark: InboxMark): Promise<string[]> {
    return this.#scripts.markMessages(this.#keys.inbox(shopper), this.#keys.inboxMarks(shopper), mark, INBOX_LIMITS.lifeMs, ...messageIds);
  }

  /** What was sent to a visitor is the user's from now on, and counts as contacts with them; may be repeated. */
  async move(from: string, to: string): Promise<void> {
    const [source, target] = [from, to].map((shopper) => ({
      inbox: this.#keys.inbox(shopper), marks: this.#keys.inboxMarks(shopper), contacts: this.#keys.contacts(shopper),
    })) as [InboxKeys, InboxKeys];
    const [kept, marks, contacts, there] = await Promise.all([
      this.#redis.lrange(source.inbox, 0, -1), this.#redis.hgetall(source.marks), this.#redis.zrange(source.contacts, '0', '-1', 'WITHSCORES'),
      this.#redis.lrange(target.inbox, 0, -1),
    ]);
    const { messagesMax, lifeMs } = INBOX_LIMITS;
    const moved = kept.filter((json) => !there.includes(json)).toReversed();
    await Promise.all([
      ...(moved.length === 0 ? [] : [
        this.#redis.lpush(target.inbox, ...moved), this.#redis.ltrim(target.inbox, 0, messagesMax - 1), this.#redis.pexpire(target.inbox, lifeMs),
      ]),
      ...Object.entries(marks).map(([id, mark]) => this.#redis.hsetnx(target.marks, id, mark)), this.#redis.pexpire(target.marks, lifeMs),
      ...(contacts.length === 0 ? [] : [this.#redis.zadd(target.contacts, ...contacts.toReversed()), this.#redis.pexpire(target.contacts, WEEK_MS)]),
    ]);
    // Which messages they were is asked by whoever was about to send one of them.
    await this.#redis.del(source.inbox, source.marks, source.contacts, this.#keys.log(from));
  }

  /** Forgets an erased shopper. */
  async forget(shopper: string): Promise<void> {
    const { inbox, inboxMarks, contacts, log, sent, cooldowns } = this.#keys;
    await this.#redis.del(...[inbox, inboxMarks, contacts, log, sent, cooldowns].map((keyOf) => keyOf(shopper)));
  }
}
