import type { OfferMessage } from '../domain/offer-message.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import type { SendResult } from './contact-policy.js';
import { currentProfile, type ProfileReader } from './current-profile.js';
import { cartOffer, type OfferedItem } from './messages.js';

const CART_LIMITS = {
  /** Cart changes of one stretch share a job: this part of the pause … */
  stretchPart: 10,
  /** … but at least this, ms. */
  stretchMsMin: 100,
  /** Carts found left behind longer ago than this are let be: a log that is replayed, a worker that was off, ms. */
  lateMsMax: 3_600_000,
} as const;

export interface CartChange {
  readonly shopper: string;
  /** ms */
  readonly at: number;
  /** The item put there last, if that is what changed. */
  readonly itemId?: string | undefined;
}

/** Data of the delayed job. */
export interface CartAbandonmentJob {
  readonly shopper: string;
  /** No cart change after this was known, ms. */
  readonly until: number;
  readonly itemId?: string | undefined;
}

export const CART_ABANDONMENT = 'cart-abandonment';

export interface CartAbandonmentDeps {
  readonly profiles: ProfileReader;
  readonly items: { getItem(id: string): Promise<OfferedItem | undefined> };
  readonly offers: {
    send(shopper: string, offer: OfferMessage, cooldownMs: number): Promise<SendResult>;
    noteCartChange(shopper: string, at: number, forgetBefore: number): Promise<void>;
    lastCartChange(shopper: string): Promise<number | undefined>;
  };
  /** Adds a job; one that has this id already is left as it is. */
  readonly addJob: (name: string, data: CartAbandonmentJob, options: { delayMs: number; jobId: string }) => Promise<unknown>;
  readonly clock: Clock;
  /** Pause after the last cart change, ms. */
  readonly afterMs: number;
  readonly cooldownMs: number;
}

export type CartOutcome = SendResult | 'changed' | 'empty' | 'bought' | 'gone';

/**
 * An offer to who left a cart behind: a delayed job per stretch of cart changes, of which only the one after the last
 * change finds nothing newer. A change is noted before its job is added and both can be repeated, so a crash in between
 * loses neither; jobs are not replaced, because one that is running could not be.
 */
export class CartAbandonment {
  readonly #deps: CartAbandonmentDeps;
  readonly #stretchMs: number;

  constructor(deps: CartAbandonmentDeps) {
    this.#deps = deps;
    this.#stretchMs = Math.max(CART_LIMITS.stretchMsMin, Math.floor(deps.afterMs / CART_LIMITS.stretchPart));
  }

  /** A cart changed: look at it after the pause. */
  async changed({ shopper, at, itemId }: CartChange): Promise<void> {
    const { offers, addJob, clock, afterMs } = this.#deps;
    const now = clock();
    const stretch = Math.floor(at / this.#stretchMs);
    const until = (stretch + 1) * this.#stretchMs - 1;
    const delayMs = until + afterMs - now;
    if (delayMs < -CART_LIMITS.lateMsMax) return;
    await offers.noteCartChange(shopper, at, now - afterMs - 2 * CART_LIMITS.lateMsMax);
    await addJob(CART_ABANDONMENT, { shopper, until, itemId }, { delayMs: Math.max(0, delayMs), jobId: `cart ${stretch} ${shopper}` });
  }

  /** The pause is over: sends the offer, or says why not. */
  async run({ shopper, until, itemId }: CartAbandonmentJob): Promise<CartOutcome> {
    const { profiles, offers, items, clock, cooldownMs } = this.#deps;
    const changedAt = await offers.lastCartChange(shopper);
    if (changedAt === undefined) return 'gone';
    if (changedAt > until) return 'changed';
    const current = await currentProfile(profiles, shopper);
    if (current === undefined) return 'gone';
    const { cart, lastOrderAt } = current.profile;
    // The profile knows what the stream has not told yet.
    if (cart.some((line) => line.at > until)) return 'changed';
    // Times in the profile are whole seconds at best: an order in the same second as the change counts as after it.
    if (lastOrderAt >= Math.floor(changedAt / 1000) * 1000) return 'bought';
    const open = cart.filter((line) => line.quantity > 0);
    if (open.length === 0) return 'empty';
    const isOpen = itemId !== undefined && open.some((line) => line.item === hash48(itemId));
    const item = isOpen ? await items.getItem(itemId) : undefined;
    return offers.send(current.shopper, cartOffer(current.shopper, { changedAt, item }, clock()), cooldownMs);
  }
}
