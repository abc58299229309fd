import type { World } from '../../demo/world.js';
import type { Offer, OfferTerms } from '../../domain/offer.js';
import { expectedCost } from '../../offers/decide/prepared-offer.js';
import type { Random } from '../../util/random.js';
import { drawPopular } from '../../demo/world.js';

/** What a conversion earns before the cost of its offer, minor units. */
export const MARGIN_MINOR = 3000;
/** Order that budgets are reckoned for, minor units. */
const USUAL_MINOR = 6000;

interface OffersOptions {
  readonly world: World;
  readonly random: Random;
  readonly window: Offer['window'];
  /** Claims that each budget should pay for; Infinity: as many as anybody could want. */
  readonly claims: number;
}

/** Seven offers of six kinds, live together over the whole window. (A group buy or a share reward hangs on a second shopper: left out.) */
export function makeOffers({ world, random, window, claims }: OffersOptions): Offer[] {
  const roots = [...new Set(world.leafNames.map((name) => name.split('/', 1)[0]!))];
  const root = (): string => roots[Math.floor(random() * roots.length)]!;
  const item = (): string => world.items[drawSellable(world, random)]!.id;
  const offer = (id: string, title: string, terms: OfferTerms, categories?: string[]): Offer => ({
    id, title, terms, window, status: 'active', version: 1, createdAt: window.startsAt, updatedAt: window.startsAt, currency: 'EUR', marginMinor: MARGIN_MINOR,
    budget: budgetFor(terms, claims), caps: { perUser: 3 }, ...categories === undefined ? {} : { appliesTo: { categories } },
  });
  return [
    offer('save-7', 'Spend 50, save 7', { kind: 'threshold', spendMinor: 5000, saveMinor: 700 }),
    offer('ten-percent', '10 % off, at most 12', { kind: 'percentage', basisPoints: 1000, capMinor: 1200 }),
    offer('twelve-percent', '12 % off one department, at most 12', { kind: 'percentage', basisPoints: 1200, capMinor: 1200 }, [root(), root(), root()]),
    offer('five-off', '5 off', { kind: 'fixed', saveMinor: 500 }),
    offer('shipping', 'Free shipping', { kind: 'free_shipping', capMinor: 495 }),
    offer('gift', 'A gift from 40 on', { kind: 'gift', itemId: item(), spendMinor: 4000, costMinor: 400 }),
    offer('flash', 'Flash sale', { kind: 'flash_sale', itemId: item(), priceMinor: 1999, stock: 1_000_000, costMinor: 600 }),
  ];
}

function budgetFor(terms: OfferTerms, claims: number): Offer['budget'] {
  const count = 1_000_000_000;
  return { count, moneyMinor: claims === Infinity ? 1e11 : Math.round(claims * expectedCost(terms, USUAL_MINOR)) };
}

function drawSellable(world: World, random: Random): number {
  let row = drawPopular(world.everything, random);
  for (let draw = 0; draw < 20 && world.sellable[row] === 0; draw++) row = drawPopular(world.everything, random);
  return row;
}
