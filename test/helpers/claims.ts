import { codeSource } from '../../src/domain/claim-code.js';
import type { Claim } from '../../src/domain/claim.js';
import type { Offer, OfferInput } from '../../src/domain/offer.js';
import type { ClaimOutcome, ClaimRefusal } from '../../src/redis/claim-record.js';
import { ClaimStore, type ClaimRequest } from '../../src/redis/claim-store.js';
import type { RedisClient } from '../../src/redis/client.js';
import { OfferBookStore } from '../../src/redis/offer-book-store.js';
import { WalletStore } from '../../src/redis/wallet-store.js';
import { keys } from './streams.js';

/** All times of these tests are about this, ms: the stores take time as they are told. */
export const NOW = 1_800_000_000_000;

/** A fixed amount of 5.00 off, ten times, unless told otherwise. */
export const anOffer = (id: string, fields: Partial<OfferInput> = {}): OfferInput => ({
  id, title: `Offer ${id}`, terms: { kind: 'fixed', saveMinor: 500 }, window: { startsAt: NOW - 1000, endsAt: NOW + 3_600_000 },
  budget: { moneyMinor: 5000, count: 10 }, marginMinor: 1000, ...fields,
});

export interface ClaimRig {
  readonly book: OfferBookStore;
  readonly claims: ClaimStore;
  readonly wallets: WalletStore;
  /** Writes an offer that can be claimed. */
  readonly offer: (id: string, fields?: Partial<Offer>) => Promise<Offer>;
  /** Claims as a new key of `shopper`, unless told otherwise. */
  readonly claim: (offer: Offer, shopper: string, fields?: Partial<ClaimRequest>) => Promise<ClaimOutcome<ClaimRefusal>>;
  /** What the offer has out by its counters, beside what its claims come to one by one. */
  readonly balance: (offer: Offer) => Promise<{ money: number; count: number; ofClaims: { money: number; count: number } }>;
}

export function claimRig(redis: RedisClient): ClaimRig {
  const book = new OfferBookStore(redis, keys);
  const claims = new ClaimStore(redis, keys, codeSource());
  let count = 0;
  return {
    book, claims, wallets: new WalletStore(redis, keys),
    async offer(id, fields = {}) {
      const offer: Offer = { ...anOffer(id), status: 'active', version: 1, createdAt: NOW, updatedAt: NOW, ...fields };
      const result = await book.write(offer, { at: NOW, by: 'test', action: 'create', version: offer.version, changes: {} });
      if (result.kind !== 'written') throw new Error(JSON.stringify(result));
      return offer;
    },
    claim: ({ id, terms }, shopper, fields = {}) =>
      claims.claim({ offerId: id, kind: terms.kind, key: `key-${count++}`, shopper, isEligible: true, at: NOW, ...fields }),
    async balance(offer) {
      const state = await redis.hgetall(keys.offer(offer.id).state);
      const numbers = Object.keys(state).filter((field) => field.startsWith('c:')).map((field) => field.slice(2));
      const all = (await Promise.all(numbers.map((number) => claims.get(offer.id, number)))).filter((claim): claim is Claim => claim !== undefined);
      const keeps = all.filter(({ status }) => ['held', 'claimed', 'redeemed'].includes(status) || (status === 'refunded' && offer.refundReturnsBudget === false));
      const money = keeps.reduce((sum, claim) => sum + (claim.spentMinor ?? claim.reservedMinor), 0);
      return { money: Number(state['money']), count: Number(state['count']), ofClaims: { money, count: keeps.length } };
    },
  };
}

/** The claim that was made. @throws Error with the reason when none was */
export function made<Refusal>(outcome: ClaimOutcome<Refusal>): Claim {
  if ('refusal' in outcome) throw new Error(`refused: ${String(outcome.refusal)}`);
  return outcome.claim;
}

/** Why it was refused. */
export const reason = <Refusal>(outcome: ClaimOutcome<Refusal>): Refusal | 'made' => ('refusal' in outcome ? outcome.refusal : 'made');
export const numberOf = ({ id }: Pick<Claim, 'id'>): string => id.slice(id.indexOf('.') + 1);
