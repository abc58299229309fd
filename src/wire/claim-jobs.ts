import type { Logger } from 'pino';
import { codeSource } from '../domain/claim-code.js';
import { ClaimEvents } from '../jobs/claim-events.js';
import { ClaimKeeper } from '../jobs/claim-keeper.js';
import { currentShopper, type ProfileReader } from '../offers/current-profile.js';
import { ClaimStore } from '../redis/claim-store.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { Lease } from '../redis/lease.js';
import { OfferBookStore } from '../redis/offer-book-store.js';
import { WalletStore } from '../redis/wallet-store.js';
import type { Clock } from '../util/clock.js';

interface ClaimJobsOptions {
  /** Short commands. */
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly profiles: ProfileReader;
  /** Of this worker, unique. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs?: number;
}

/** All that a worker does for claims: `events` behind the event stream, `keeper` at intervals. */
export function claimJobs({ redis, keys, profiles, name, clock, log, ...rest }: ClaimJobsOptions): { events: ClaimEvents; keeper: ClaimKeeper } {
  const claims = new ClaimStore(redis, keys, codeSource());
  const wallets = new WalletStore(redis, keys);
  return {
    events: new ClaimEvents({ claims, wallets, clock }),
    keeper: new ClaimKeeper({
      claims, book: new OfferBookStore(redis, keys), wallets, ownerOf: (shopper) => currentShopper(profiles, shopper),
      lease: new Lease(redis, keys.lock('claims'), name), clock, log, ...rest,
    }),
  };
}
