import type { Shopper } from '../../demo/shoppers.js';
import { sigmoid } from '../../demo/taste.js';
import type { World } from '../../demo/world.js';
import { OFFER_KINDS, type OfferKind } from '../../domain/offer.js';
import { expectedCost, type PreparedOffer } from '../../offers/decide/prepared-offer.js';
import { hash32 } from '../../util/hash.js';
import { gaussian, seededRandom } from '../../util/random.js';

/**
 * The hidden law of how the demo's shoppers respond to offers. Potential outcomes (Rubin, 1974): each visit has one chance draw u, and the
 * shopper buys under an offer exactly if u < p(offer), so that what another offer would have done is known.
 *
 *   logit p(none)  = base + 0.8 · ln(1 + lines in the cart) − 0.9 within a week of an order
 *   logit p(offer) = logit p(none) + 4 · sensitivity · taste for the kind · reach · g / (g + 0.15) − 0.3 if shown before
 *
 * g is the offer's worth beside the order. `base` goes with readiness to buy and lifecycle; `sensitivity` with taste for cheap things:
 * bargain hunters are persuaded, who buys anyway costs the discount, who hardly ever buys is lost, and above all those who like it dear
 * are put off (sensitivity below 0: sleeping dogs). An engine sees none of it, only views, carts, orders, promotions taken or dismissed.
 */
export interface Disposition {
  /** Logit of buying on a visit with an empty cart. */
  readonly base: number;
  readonly sensitivity: number;
  /** Usual purchase, minor units. */
  readonly orderMinor: number;
}

/** What differs from store to store. */
export interface Law {
  readonly kinds: Readonly<Record<OfferKind, number>>;
  readonly dispositions: readonly Disposition[];
}

/** How a shopper stands when a visit begins. */
export interface Standing {
  readonly cartLines: number;
  readonly daysSinceOrder: number;
  /** The purchase that this visit would come to, minor units. */
  readonly orderMinor: number;
}

const LIFE = { new: -0.2, active: 0, loyal: 0.5, dormant: -0.7, churned: -1.2 } as const;
const BASE = -2.1;
const WEEK_DAYS = 7;

/** Makes the law of a store; pure. */
export function makeLaw(seed: number, shoppers: readonly Shopper[]): Law {
  const store = seededRandom(hash32(`law:${seed}`));
  const shift = 0.15 * gaussian(store);
  const kinds = Object.fromEntries(OFFER_KINDS.map((kind) => [kind, Math.exp(0.15 * gaussian(store))])) as Record<OfferKind, number>;
  const dispositions = shoppers.map(({ index, impulse, lifecycle, budget, priceSensitivity }): Disposition => {
    const random = seededRandom(hash32(`disposition:${seed}:${index}`));
    return {
      base: BASE + shift + 0.9 * impulse + LIFE[lifecycle] + 0.15 * gaussian(random),
      sensitivity: 0.35 - 0.5 * budget + 0.8 * (priceSensitivity - 0.3) + 0.1 * gaussian(random),
      orderMinor: Math.round(6000 * Math.exp(0.35 * budget + 0.25 * gaussian(random))),
    };
  });
  return { kinds, dispositions };
}

/** What an offer is about, for one who likes some leaves better than others: 1 for everything. */
function reachOf({ isRestricted, offer: { appliesTo, terms } }: PreparedOffer, shopper: Shopper, world: World): number {
  if (!isRestricted) return 1;
  const row = 'itemId' in terms ? world.rowOf.get(terms.itemId) ?? -1 : -1;
  const roots = new Set(appliesTo?.categories?.map((path) => path.split('/', 1)[0]));
  let liking = row < 0 ? -Infinity : shopper.leaves[world.leaf[row]!]!;
  world.leafNames.forEach((name, leaf) => { if (roots.has(name.split('/', 1)[0])) liking = Math.max(liking, shopper.leaves[leaf]!); });
  return 1.4 * sigmoid(1.5 * (liking - 0.6));
}

/** Reach of each offer for each shopper is asked again and again. */
export class Reach {
  readonly #known = new Map<string, Float32Array>();

  constructor(private readonly shoppers: readonly Shopper[], private readonly world: World) {}

  of(prepared: PreparedOffer, shopper: number): number {
    let all = this.#known.get(prepared.offer.id);
    if (all === undefined) this.#known.set(prepared.offer.id, all = Float32Array.from(this.shoppers, (one) => reachOf(prepared, one, this.world)));
    return all[shopper]!;
  }
}

/** @returns logit of buying on this visit without an offer */
export const logitOfNone = ({ base }: Disposition, { cartLines, daysSinceOrder }: Standing): number =>
  base + 0.8 * Math.log1p(cartLines) - (daysSinceOrder < WEEK_DAYS ? 0.9 : 0);

/** @param reach of the offer for the shopper  @returns what the offer adds to the logit */
export function liftOf(law: Law, { sensitivity }: Disposition, prepared: PreparedOffer, reach: number, { orderMinor }: Standing, wasShown: boolean): number {
  const { offer: { terms }, spendMinor } = prepared;
  const worth = expectedCost(terms, orderMinor) / Math.max(orderMinor, spendMinor);
  const farness = spendMinor > orderMinor ? Math.exp(-1.5 * Math.log(spendMinor / orderMinor)) : 1;
  return 4 * sensitivity * law.kinds[terms.kind] * reach * farness * worth / (worth + 0.15) - (wasShown ? 0.3 : 0);
}

/** Chances that a promotion that is looked at is taken up, or waved away. */
export const takesUp = ({ sensitivity }: Disposition): number => sigmoid(-1.5 + 4 * sensitivity);
export const wavesAway = ({ sensitivity }: Disposition): number => 0.3 * sigmoid(-1.5 - 4 * sensitivity);
