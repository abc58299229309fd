import type { Offer, OfferTerms } from '../../domain/offer.js';

type Shown<T> = T extends unknown ? Omit<T, 'costMinor' | 'stock'> : never;

/** An offer as a shopper may see it: nothing of what it costs or earns the store, nor of who may have it. */
export interface ShownOffer {
  readonly id: string;
  readonly title: string;
  readonly currency?: string | undefined;
  readonly terms: Shown<OfferTerms>;
  readonly appliesTo?: Offer['appliesTo'];
  /** ms */
  readonly endsAt: number;
}

export function showOffer({ id, title, currency, terms, appliesTo, window }: Offer): ShownOffer {
  const { costMinor: _costMinor, stock: _stock, ...shown } = { costMinor: 0, stock: 0, ...terms };
  return { id, title, ...currency === undefined ? {} : { currency }, terms: shown as Shown<OfferTerms>, ...appliesTo === undefined ? {} : { appliesTo }, endsAt: window.endsAt };
}
