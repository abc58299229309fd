import type { Offer } from '../domain/offer.js';

/** What has been handed out of an offer so far: as of the last look, at most about a second ago. */
export interface OfferUsage {
  /** Claims held, claimed or redeemed. */
  readonly count: number;
  /** What they have reserved or come to, minor units. */
  readonly moneyMinor: number;
}

/** An offer in its window that is active, with what is left of it. The same offer at the same version is the same object. */
export interface LiveOffer {
  readonly offer: Offer;
  readonly usage: OfferUsage;
}

/** The offers of a store as a process holds them. */
export interface LiveOffers {
  /** @param now ms */
  live(now: number): readonly LiveOffer[];
}
