import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { codeSource } from '../domain/claim-code.js';
import { OfferBook } from '../follow/offer-book.js';
import { claimRoutes } from '../http/claims.js';
import { offerRoutes } from '../http/offers.js';
import { isHeldOut } from '../offers/holdout.js';
import { Claims } from '../paths/claims.js';
import { OfferDesk } from '../paths/offer-desk.js';
import { ClaimStore } from '../redis/claim-store.js';
import type { Keys } from '../redis/keys.js';
import { OfferBookStore } from '../redis/offer-book-store.js';
import { WalletStore } from '../redis/wallet-store.js';
import type { Clock } from '../util/clock.js';

export interface OfferParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly clock: Clock;
}

export interface WiredOffers {
  readonly book: OfferBook;
  readonly claims: Claims;
  stop(): Promise<void>;
}

/** Offers and claims of an api process, with their routes. */
export async function wireOffers(app: FastifyInstance, { config, log, redis, keys, clock }: OfferParts): Promise<WiredOffers> {
  const store = new OfferBookStore(redis, keys);
  const book = new OfferBook({ url: config.redisUrl, keys, store, log });
  await book.ready;
  const claims = new Claims({
    store: new ClaimStore(redis, keys, codeSource()), wallets: new WalletStore(redis, keys), clock,
    offers: { get: (id) => book.get(id), read: (id) => store.read(id) },
    isEligible: (offer, shopper) => offer.eligibility === undefined && !isHeldOut(offer, shopper),
    onWalletFault: (error) => { log.debug({ err: error }, 'wallet not written yet'); },
  });
  offerRoutes(app, new OfferDesk({ store, clock, checkEligibility: () => { /* No eligibility can be stated wrongly yet. */ } }));
  claimRoutes(app, claims);
  return { book, claims, stop: () => book.stop() };
}
