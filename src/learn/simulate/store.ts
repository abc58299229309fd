import { Catalog } from '../../catalog/catalog.js';
import { makeShoppers, type Shopper } from '../../demo/shoppers.js';
import { makeStore } from '../../demo/store.js';
import { visits } from '../../demo/visits.js';
import { makeWorld, type World } from '../../demo/world.js';
import type { ShopperEvent } from '../../domain/event.js';
import type { Offer } from '../../domain/offer.js';
import { prepareOffer, type PreparedOffer } from '../../offers/decide/prepared-offer.js';
import { SESSION_GAP_MS } from '../../profile/profile.js';
import { hash32 } from '../../util/hash.js';
import { seededRandom } from '../../util/random.js';
import { makeLaw, Reach, type Law } from './law.js';
import { makeOffers } from './offers.js';

const DAY_MS = 86_400_000;
/** End of the simulated days; fixed, so that a run can be repeated. */
const UNTIL_MS = Date.UTC(2026, 0, 1);

/** One visit of one shopper: what they do whatever is offered. Purchases are not among it: they hang on the law. */
export interface VisitPlan {
  /** Index of the shopper. */
  readonly shopper: number;
  /** ms */
  readonly at: number;
  readonly events: readonly ShopperEvent[];
}

/** A store with its shoppers, their visits in order of time, offers and hidden law. The same seed gives the same store. */
export interface SimulatedStore {
  readonly seed: number;
  readonly world: World;
  readonly catalog: Catalog;
  readonly shoppers: readonly Shopper[];
  readonly visits: readonly VisitPlan[];
  readonly law: Law;
  readonly reach: Reach;
  readonly offers: readonly PreparedOffer[];
  /** Of the offers; what is before it is history. */
  readonly window: Offer['window'];
}

export interface StoreOptions {
  readonly seed: number;
  readonly shoppers: number;
  /** Days that offers run. */
  readonly days: number;
  /** Claims that each offer's budget pays for, per visit expected; Infinity: no budget is ever used up. */
  readonly claimsPerVisit?: number;
}

export const STORE_DEFAULTS = {
  /** Days of history before the offers. */
  historyDays: 42,
  claimsPerVisit: 0.01,
} as const;

export function makeSimulatedStore({ seed, shoppers: count, days, claimsPerVisit = STORE_DEFAULTS.claimsPerVisit }: StoreOptions): SimulatedStore {
  const from = UNTIL_MS - (days + STORE_DEFAULTS.historyDays) * DAY_MS;
  const window = { startsAt: UNTIL_MS - days * DAY_MS, endsAt: UNTIL_MS };
  const items = makeStore({ seed, now: UNTIL_MS });
  const world = makeWorld(items, seed);
  const shoppers = makeShoppers({ seed, count, world, from, to: UNTIL_MS });
  const catalog = new Catalog();
  for (const item of items) catalog.put(item);
  const planned = planVisits(shoppers, visits({ seed, world, shoppers, from, to: UNTIL_MS }));
  // A store reckons its budgets from the visits it had.
  const before = planned.filter(({ at }) => at < window.startsAt).length;
  const expected = before / STORE_DEFAULTS.historyDays * days;
  const random = seededRandom(hash32(`offers:${seed}`));
  const offers = makeOffers({ world, random, window, claims: claimsPerVisit * expected });
  return {
    seed, world, catalog, shoppers, window, visits: planned, law: makeLaw(seed, shoppers), reach: new Reach(shoppers, world),
    offers: offers.map((offer) => prepareOffer(offer, () => { throw new Error('offers of the simulation have no expressions'); })),
  };
}

/** A pause of half an hour ends a visit, as it ends a session. */
function planVisits(shoppers: readonly Shopper[], records: ReturnType<typeof visits>): VisitPlan[] {
  const indexOf = new Map(shoppers.map(({ key, index }) => [key, index]));
  const open = new Map<string, { plan: { events: ShopperEvent[] }; last: number }>();
  const plans: VisitPlan[] = [];
  for (const record of records) {
    if (record.kind !== 'event') continue;
    const { shopper, at } = record.event;
    let visit = open.get(shopper);
    if (visit === undefined || at - visit.last > SESSION_GAP_MS) {
      const plan = { shopper: indexOf.get(shopper)!, at, events: [] as ShopperEvent[] };
      plans.push(plan);
      open.set(shopper, visit = { plan, last: at });
    }
    visit.last = at;
    const event = withoutPurchase(record.event);
    if (event !== undefined) visit.plan.events.push(event);
  }
  return plans;
}

/** Who bought in the demo changed their mind here; returns and reviews of it fall away. */
function withoutPurchase(event: ShopperEvent): ShopperEvent | undefined {
  if (event.type === 'refund' || event.type === 'review' || event.type === 'begin_checkout') return undefined;
  return event.type === 'purchase' ? { ...event, type: 'remove_from_cart' } : event;
}
