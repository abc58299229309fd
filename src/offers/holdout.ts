import type { Offer } from '../domain/offer.js';
import { hash48 } from '../util/hash.js';

const HASHES = 2 ** 48;

/** Whether a shopper never gets this offer, so that its effect can be measured: the same answer for ever, independent from offer to offer. */
export const isHeldOut = (offer: Pick<Offer, 'id' | 'holdout'>, shopper: string): boolean =>
  hash48(`holdout\n${offer.id}\n${shopper}`) / HASHES < (offer.holdout ?? 0);
