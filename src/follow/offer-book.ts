import type { Logger } from 'pino';
import type { Offer } from '../domain/offer.js';
import type { Keys } from '../redis/keys.js';
import type { OfferBookStore, OfferUsage } from '../redis/offer-book-store.js';
import { Looker } from './looker.js';

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

/** Offers that are live from one moment to another, ms: until a window opens or closes. */
interface LiveSpan {
  readonly offers: readonly LiveOffer[];
  readonly from: number;
  readonly until: number;
}
const NO_SPAN: LiveSpan = { offers: [], from: Infinity, until: -Infinity };

/**
 * This process's copy of all offers that are not archived: a change is here within a second, a notice brings it at once.
 * While Redis is away it stays as it is; claims ask Redis itself, so an old copy can hand out nothing.
 */
export class OfferBook {
  readonly #store: OfferBookStore;
  readonly #looker: Looker;
  /** Archived ones too, as long as claims of them are kept. */
  #offers: ReadonlyMap<string, LiveOffer> = new Map();
  #active: readonly LiveOffer[] = [];
  #span = NO_SPAN;

  constructor({ url, keys, store, log, everyMs }: OfferBookOptions) {
    this.#store = store;
    this.#looker = new Looker({ url, notices: keys.offerNotices, what: 'offers', look: () => this.#look(), log, everyMs });
  }

  /** Resolves when the book was read for the first time. */
  get ready(): Promise<void> {
    return this.#looker.ready;
  }

  /** Active offers whose window is open, in order of their ids; the same list as long as they are the same: what follows from it need not be made for each request. */
  live(now: number): readonly LiveOffer[] {
    if (now < this.#span.from || now >= this.#span.until) this.#span = spanAt(this.#active, now);
    return this.#span.offers;
  }

  /** @returns the offer as last seen, unless it is archived or unknown */
  get(id: string): Offer | undefined {
    const offer = this.#offers.get(id)?.offer;
    return offer?.status === 'archived' ? undefined : offer;
  }

  stop(): Promise<void> {
    return this.#looker.stop();
  }

  async #look(): Promise<void> {
    const store = this.#store;
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
    this.#span = NO_SPAN;
  }
}

function spanAt(active: readonly LiveOffer[], now: number): LiveSpan {
  const changes = active.flatMap(({ offer: { window: { startsAt, endsAt } } }) => [startsAt, endsAt]);
  return {
    offers: active.filter(({ offer: { window } }) => now >= window.startsAt && now < window.endsAt),
    from: Math.max(-Infinity, ...changes.filter((at) => at <= now)), until: Math.min(Infinity, ...changes.filter((at) => at > now)),
  };
}
