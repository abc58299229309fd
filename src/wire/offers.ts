import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.js';
import type { Config } from '../config.js';
import { codeSource } from '../domain/claim-code.js';
import type { Offer } from '../domain/offer.js';
import { OfferBook } from '../follow/offer-book.js';
import { cartRoutes } from '../http/carts.js';
import { claimRoutes } from '../http/claims.js';
import { offerRoutes } from '../http/offers.js';
import { currentShopper } from '../offers/current-profile.js';
import { CartChecker } from '../paths/check-cart.js';
import { Claims, type ClaimGuard } from '../paths/claims.js';
import { OfferDesk } from '../paths/offer-desk.js';
import { ClaimStore } from '../redis/claim-store.js';
import { connectRedis, untilReady, type RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { mergeClaims } from '../redis/merge-claims.js';
import { OfferBookStore } from '../redis/offer-book-store.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { WalletStore } from '../redis/wallet-store.js';
import type { Clock } from '../util/clock.js';
import type { Eligibility } from './decisions.js';

/** Time Redis gets to come up, ms. */
const START_MS = 30_000;

export interface OfferParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly profiles: ProfileStore;
  readonly eligibility: Eligibility;
  readonly guard: ClaimGuard;
}

export interface WiredOffers {
  readonly book: OfferBook;
  readonly desk: OfferDesk;
  readonly store: OfferBookStore;
  readonly claims: Claims;
  readonly claimStore: ClaimStore;
  /** Gives a visitor's claims to the user they have become; may be repeated. */
  readonly mergeClaims: (from: string, to: string) => Promise<void>;
  stop(): Promise<void>;
}

/** Offers and claims of an api process, with their routes. */
export async function wireOffers(app: FastifyInstance, { config, log, redis, keys, catalog, clock, profiles, eligibility, guard }: OfferParts): Promise<WiredOffers> {
  const store = new OfferBookStore(redis, keys);
  const book = new OfferBook({ url: config.redisUrl, keys, store, log });
  await book.ready;
  const offers = { get: (id: string) => book.get(id), read: (id: string) => store.read(id) };
  const isEligible = (offer: Offer, shopper: string): Promise<boolean> => eligibility.isEligible(offer, shopper);
  const ownerOf = (shopper: string): Promise<string> => currentShopper(profiles, shopper);
  const wait = config.claimWaitReplicas === 0 ? undefined : {
    redis: connectRedis(config.redisUrl, 'commands', { timeoutMs: config.redisTimeoutMs + config.claimWaitMs, name: 'rivulet-claims' }),
    replicas: config.claimWaitReplicas, timeoutMs: config.claimWaitMs,
  };
  if (wait !== undefined) await untilReady(wait.redis, START_MS);
  const claimStore = new ClaimStore(redis, keys, codeSource(), wait);
  const wallets = new WalletStore(redis, keys);
  const claims = new Claims({
    store: claimStore, wallets, clock,
    offers, isEligible, ownerOf, guard,
    onWalletFault: (error) => { log.debug({ err: error }, 'wallet not written yet'); },
  });
  const desk = new OfferDesk({ store, clock, currency: config.storeCurrency, checkEligibility: (offer) => { eligibility.check(offer); } });
  offerRoutes(app, desk);
  claimRoutes(app, claims);
  cartRoutes(app, new CartChecker({ catalog, claims, offers, isEligible, ownerOf, clock, currency: config.storeCurrency }));
  return {
    book, desk, store, claims, claimStore,
    mergeClaims: (from, to) => mergeClaims({ claims: claimStore, wallets }, from, to),
    async stop() {
      await book.stop();
      wait?.redis.disconnect();
    },
  };
}
