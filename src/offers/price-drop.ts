import { toMinor } from '../domain/money.js';
import type { OfferMessage } from '../domain/offer-message.js';
import type { Line, Profile } from '../profile/profile.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import type { SendResult } from './contact-policy.js';
import { currentProfile, type ProfileReader } from './current-profile.js';
import { priceDropOffer, type OfferedItem } from './messages.js';

/** Part of the price by which it must fall to be worth a word. */
const DROP_MIN = 0.01;
/** Profiles read at once. */
const READS_AT_ONCE = 50;

/** Data of the job. */
export interface PriceDropJob {
  readonly itemId: string;
}

export const PRICE_DROP = 'price-drop';

export interface PriceDropDeps {
  readonly profiles: ProfileReader;
  readonly items: { getItem(id: string): Promise<(OfferedItem & { price?: number | undefined; stock?: number | undefined }) | undefined> };
  readonly watchers: {
    pages(itemId: string): AsyncIterable<readonly string[]>;
    unwatch(watches: readonly { shopper: string; itemId: string }[]): Promise<void>;
  };
  readonly offers: { send(shopper: string, offer: OfferMessage, cooldownMs: number): Promise<SendResult> };
  readonly clock: Clock;
  readonly cooldownMs: number;
}

/**
 * A price fell: tells those who have the item in cart or wishlist and put it there at a higher price. The price is read
 * when the job runs, so a repeated or late job tells nothing that is no longer so.
 */
export class PriceDrop {
  readonly #deps: PriceDropDeps;

  constructor(deps: PriceDropDeps) {
    this.#deps = deps;
  }

  /** @returns how many offers were sent */
  async run({ itemId }: PriceDropJob): Promise<number> {
    const { items, watchers } = this.#deps;
    const item = await items.getItem(itemId);
    if (item?.price === undefined || item.stock === 0) return 0;
    const nowMinor = toMinor(item.price, item.currency);
    let sent = 0;
    for await (const page of watchers.pages(itemId)) {
      for (let from = 0; from < page.length; from += READS_AT_ONCE) {
        const part = page.slice(from, from + READS_AT_ONCE);
        const outcomes = await Promise.all(part.map((shopper) => this.#tell(shopper, item, nowMinor)));
        sent += outcomes.filter((outcome) => outcome === 'sent').length;
        await watchers.unwatch(part.filter((_, i) => outcomes[i] === 'not_there').map((shopper) => ({ shopper, itemId })));
      }
    }
    return sent;
  }

  async #tell(watcher: string, item: OfferedItem, nowMinor: number): Promise<'sent' | 'not_sent' | 'not_there'> {
    const { profiles, offers, clock, cooldownMs } = this.#deps;
    const current = await currentProfile(profiles, watcher);
    if (current === undefined) return 'not_there';
    const lines = linesOf(current.profile, item.id);
    if (lines.length === 0) return 'not_there';
    const wasMinor = Math.max(...lines.map((line) => line.priceMinor));
    if (nowMinor > wasMinor * (1 - DROP_MIN)) return 'not_sent';
    const offer = priceDropOffer(current.shopper, item, { wasMinor, nowMinor }, clock());
    return (await offers.send(current.shopper, offer, cooldownMs)) === 'sent' ? 'sent' : 'not_sent';
  }
}

/** The open lines of an item in cart and wishlist. */
export function linesOf({ cart, wishlist }: Profile, itemId: string): Line[] {
  const key = hash48(itemId);
  return [...cart, ...wishlist].filter((line) => line.item === key && line.quantity > 0);
}
