import type { Logger } from 'pino';
import type { Offer } from '../domain/offer.js';
import { connectRedis, type RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import type { OfferBookStore, OfferUsage } from '../redis/offer-book-store.js';
import { backoffMs, pause } from '../util/pause.js';

export const OFFER_BOOK_FOLLOWER_LIMITS = {
  /** Between looks at versions and usage, ms; a notice makes it at once. */
  everyMs: 1000,
  retryFromMs: 100,
  retryToMs: 5000,
} as const;

/** An offer that can be claimed now, and how far it is used up (about a second old). */
export interface LiveOffer {
  readonly offer: Offer;
  readonly usage: OfferUsage;
}

export interface OfferBookOptions {
  readonly url: string;
  readonly keys: Keys;
  readonly store: OfferBookStore;
  readonly log: Logger;
  readonly everyMs?: number;
}

/**
 * This process's copy of all offers that are not archived: a change is here within a second, a notice brings it at once.
 * While Redis is away it stays as it is; claims ask Redis itself, so an old copy can hand out nothing.
 */
export class OfferBook {
  readonly #options: OfferBookOptions;
  readonly #subscriber: RedisClient;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #wake = new AbortController();
  /** Archived ones too, as long as claims of them are kept. */
  #offers: ReadonlyMap<string, LiveOffer> = new Map();
  #active: readonly LiveOffer[] = [];
  /** Resolves when the book was read for the first time. */
  readonly ready: Promise<void>;
  #markReady: () => void = () => { /* Set below. */ };

  constructor(options: OfferBookOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => { this.#markReady = resolve; });
    this.#subscriber = connectRedis(options.url, 'listening', { timeoutMs: 0, name: 'rivulet-offers' });
    this.#subscriber.on('message', () => { this.#wake.abort(); });
    // Notices were missed while the connection was away.
    this.#subscriber.on('ready', () => { this.#wake.abort(); });
    this.#subscriber.subscribe(options.keys.offerNotices).catch(() => { /* Only when we stop: it waits for Redis otherwise. */ });
    this.#running = this.#run();
  }

  /** Active offers whose window is open, in order of their ids. */
  live(now: number): readonly LiveOffer[] {
    const isLive = ({ offer: { window } }: LiveOffer): boolean => now >= window.startsAt && now < window.endsAt;
    return this.#active.every(isLive) ? this.#active : this.#active.filter(isLive);
  }

  /** @returns the offer as last seen, unless it is archived or unknown */
  get(id: string): Offer | undefined {
    const offer = this.#offers.get(id)?.offer;
    return offer?.status === 'archived' ? undefined : offer;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    this.#subscriber.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, everyMs = OFFER_BOOK_FOLLOWER_LIMITS.everyMs } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      let pauseMs = everyMs;
      this.#wake = new AbortController();
      try {
        await this.#look();
        failures = 0;
        this.#markReady();
      } catch (error) {
        failures += 1;
        pauseMs = backoffMs(failures, OFFER_BOOK_FOLLOWER_LIMITS.retryFromMs, OFFER_BOOK_FOLLOWER_LIMITS.retryToMs);
        if (!this.#stopping.signal.aborted) log.warn({ err: error, failures }, 'offers cannot be followed at the moment; they stay as they are');
      }
      if (!this.#stopping.signal.aborted) await pause(pauseMs, this.#wake.signal);
    }
  }

  async #look(): Promise<void> {
    const { store } = this.#options;
    const ids = await store.openIds();
    const pulses = await store.pulses(ids);
    const read = await Promise.all(ids.map(async (id, i) => {
      const known = this.#offers.get(id)?.offer;
      return known !== undefined && known.version === pulses[i]?.version ? known : store.read(id);
    }));
    const offers = new Map<string, LiveOffer>();
    ids.forEach((id, i) => {
      const offer = read[i];
      const pulse = pulses[i];
      if (offer !== undefined && pulse !== undefined) offers.set(id, { offer, usage: pulse.usage });
    });
    this.#offers = offers;
    this.#active = [...offers.values()].filter(({ offer }) => offer.status === 'active');
  }
}
