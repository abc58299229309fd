import type { Logger } from 'pino';
import { builtInCampaigns, type BuiltInSettings } from '../campaigns/built-in.js';
import { keepOffers } from '../demo/offers.js';
import { keepRoom } from '../demo/rooms.js';
import { DEMO, type DemoState } from '../demo/seed.js';
import { makeStore } from '../demo/store.js';
import { codeSource } from '../domain/claim-code.js';
import type { Item } from '../domain/item.js';
import { CampaignDesk } from '../paths/campaign-desk.js';
import { Claims } from '../paths/claims.js';
import { OfferDesk } from '../paths/offer-desk.js';
import { CampaignStore } from '../redis/campaign-store.js';
import { CatalogStore } from '../redis/catalog-store.js';
import { ClaimStore } from '../redis/claim-store.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { Lease } from '../redis/lease.js';
import { OfferBookStore } from '../redis/offer-book-store.js';
import { WalletStore } from '../redis/wallet-store.js';
import { compileExpression } from '../segments/expression.js';
import type { Clock } from '../util/clock.js';
import { Rounds } from '../util/rounds.js';
import { roomDesks } from './rooms.js';

const DEMO_LIMITS = {
  /** Between two looks whether a round has ended, or the room was closed, ms. */
  everyMs: 10_000,
  leaseMs: 30_000,
} as const;

export interface DemoParts {
  readonly config: BuiltInSettings;
  readonly log: Pick<Logger, 'info' | 'debug' | 'warn'>;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly clock: Clock;
}

/** Keeps the demo store's offers and its live room open, in one worker at a time. */
export function demoRounds(parts: DemoParts & { /** Of this worker, unique. */ readonly name: string }): Rounds {
  const { log, redis, keys, name } = parts;
  const lease = new Lease(redis, keys.lock('demo-rounds'), name);
  const keep = demoKeeper(parts);
  return new Rounds({
    everyMs: DEMO_LIMITS.everyMs, round: () => lease.whileHeld(DEMO_LIMITS.leaseMs, keep),
    onError: (error) => { log.warn({ err: error }, 'offers and room of the demo store could not be opened yet'); },
  });
}

/** @returns what opens the offers that are due, and a room, by the engine's own desks; a store with items of its own gets none */
export function demoKeeper({ config, log, redis, keys, clock }: DemoParts): () => Promise<void> {
  const store = new OfferBookStore(redis, keys);
  const offers = new OfferDesk({ store, clock, checkEligibility: ({ eligibility }) => { if (eligibility?.expression !== undefined) compileExpression(eligibility.expression); } });
  const campaigns = new CampaignDesk(new CampaignStore(redis, keys), builtInCampaigns(config));
  const claims = new Claims({
    store: new ClaimStore(redis, keys, codeSource()), wallets: new WalletStore(redis, keys), clock,
    offers: { get: () => undefined, read: (id) => store.read(id) },
    // Simulated shoppers are whoever an offer is for.
    isEligible: () => true, ownerOf: (shopper) => Promise.resolve(shopper),
    onWalletFault: (error) => { log.debug({ err: error }, 'wallet not written yet'); },
  });
  const { desk: rooms } = roomDesks({ redis, keys, catalog: new CatalogStore(redis, keys), offers, clock });
  return async () => {
    const text = await redis.hget(keys.meta, 'demo');
    if (text === null) return;
    const state = JSON.parse(text) as DemoState;
    const items = (): Item[] => makeStore({ seed: state.seed, items: DEMO.items, now: state.until });
    const opened = await keepOffers({ items, offers, campaigns, claims, clock });
    if (opened.length > 0) log.info({ opened }, 'offers of the demo store are open');
    const room = await keepRoom({ items, rooms });
    if (room !== undefined) log.info({ room }, 'the host of the demo store is live');
  };
}
