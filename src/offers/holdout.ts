import type { Offer } from '../domain/offer.js';
import { hash48 } from '../util/hash.js';

const HASHES = 2 ** 48;

/** Whether a shopper never gets this offer, so that its effect can be measured: the same answer for ever, independent from offer to offer. */
export const isHeldOut = ({ id, holdout = 0 }: Pick<Offer, 'id' | 'holdout'>, shopper: string): boolean =>
  holdout > 0 && hash48(`holdout\n${id}\n${shopper}`) / HASHES < holdout;
