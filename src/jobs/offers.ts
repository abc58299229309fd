import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { CART_ABANDONMENT, CartAbandonment, type CartAbandonmentJob, type CartOutcome } from '../offers/cart-abandonment.js';
import type { ContactCaps } from '../offers/contact-policy.js';
import { PRICE_DROP, PriceDrop, type PriceDropJob } from '../offers/price-drop.js';
import type { CatalogStore } from '../redis/catalog-store.js';
import type { Keys } from '../redis/keys.js';
import { OfferStore } from '../redis/offer-store.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { WatcherStore } from '../redis/watcher-store.js';
import type { Clock } from '../util/clock.js';
import { OfferTriggers } from './offer-triggers.js';
import { PriceWatch } from './price-watch.js';
import type { JobRegistry, Processors } from './registry.js';

export interface OfferJobsOptions {
  /** Short commands. */
  readonly redis: Redis;
  /** Makes a connection for reads that block. */
  readonly connect: () => Redis;
  readonly keys: Keys;
  readonly profiles: ProfileStore;
  readonly catalog: CatalogStore;
  readonly registry: Pick<JobRegistry, 'add'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cartAbandonedAfterMs: number;
  readonly offerCooldownMs: number;
  readonly contactCaps: ContactCaps;
  /** Told what each job came to. */
  readonly onCart?: (job: CartAbandonmentJob, outcome: CartOutcome) => void;
  readonly onPriceDrop?: (job: PriceDropJob, sent: number) => void;
}

export interface OfferJobs {
  /** To be run behind the event stream. */
  readonly triggers: OfferTriggers;
  /** To be started and stopped. */
  readonly priceWatch: PriceWatch;
  readonly processors: Processors;
}

/** All that makes offers in a worker. */
export function offerJobs(options: OfferJobsOptions): OfferJobs {
  const { redis, connect, keys, profiles, catalog, registry, clock, log, offerCooldownMs: cooldownMs } = options;
  const offers = new OfferStore(redis, keys, { caps: options.contactCaps, clock });
  const watchers = new WatcherStore(redis, keys);
  const addJob = (...job: Parameters<JobRegistry['add']>): Promise<void> => registry.add(...job);
  const carts = new CartAbandonment({ profiles, items: catalog, offers, addJob, clock, afterMs: options.cartAbandonedAfterMs, cooldownMs });
  const drops = new PriceDrop({ profiles, items: catalog, watchers, offers, clock, cooldownMs });
  return {
    triggers: new OfferTriggers({ carts, watchers, offers, profiles, clock }),
    priceWatch: new PriceWatch({ redis, connect, keys, catalog, watchers, addJob, log }),
    processors: {
      [CART_ABANDONMENT]: async (data) => {
        const job = data as CartAbandonmentJob;
        // On its own line: an argument of a call that is left out would not be evaluated, and nothing sent.
        const outcome = await carts.run(job);
        options.onCart?.(job, outcome);
      },
      [PRICE_DROP]: async (data) => {
        const job = data as PriceDropJob;
        const sent = await drops.run(job);
        options.onPriceDrop?.(job, sent);
      },
    },
  };
}
