import type { OfferInput } from '../../src/domain/offer.js';

const SAVE_MINOR = 500;

/** An offer to be used up: every other one runs out of money before it runs out of claims. @param count claims it may hand out */
export function anOffer(id: string, count: number, index: number): OfferInput {
  const isShortOfMoney = index % 2 === 1;
  return {
    id, title: id, terms: { kind: 'fixed', saveMinor: SAVE_MINOR }, window: { startsAt: 0, endsAt: 8e15 }, marginMinor: 0,
    budget: { moneyMinor: isShortOfMoney ? Math.floor(count * 0.9) * SAVE_MINOR + 7 : count * SAVE_MINOR * 2, count },
    caps: { perUser: 3, perDevice: Math.max(5, Math.floor(count / 1000)) },
  };
}
