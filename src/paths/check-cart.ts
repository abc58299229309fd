import type { Catalog } from '../catalog/catalog.js';
import { CART_LIMITS, type Cart, type CartCheckInput } from '../domain/cart.js';
import { claimIdOfCode } from '../domain/claim-code.js';
import type { Offer, OfferTerms } from '../domain/offer.js';
import { AppError } from '../errors.js';
import { whyNot, type TriedOffer } from '../offers/price/apply-offers.js';
import { bestCombination } from '../offers/price/best-combination.js';
import { storeError } from '../redis/errors.js';
import type { Clock } from '../util/clock.js';
import type { ClaimView } from './claims.js';
import { namedShopper } from './named-shopper.js';

export interface CartCheckDeps {
  readonly catalog: Pick<Catalog, 'rowOf' | 'item'>;
  readonly claims: { wallet(shopper: string): Promise<readonly ClaimView[]>; get(claimId: string): Promise<ClaimView> };
  /** The offer as this process knows it, and as the store does where it does not. */
  readonly offers: { get(id: string): Offer | undefined; read(id: string): Promise<Offer | undefined> };
  readonly isEligible: (offer: Offer, shopper: string) => Promise<boolean> | boolean;
  /** Who a shopper is now: of a merged visitor the user. */
  readonly ownerOf: (shopper: string) => Promise<string>;
  readonly clock: Clock;
  /** Of the store; undefined: any. */
  readonly currency?: string | undefined;
}

/** Why an offer or claim takes nothing off this cart. */
export type NotUsed =
  | 'unknown_code' | 'unknown_offer' | 'offer_not_active' | 'outside_window' | 'not_eligible' | 'claim_not_open' | 'claim_expired' | 'other_currency'
  | 'below_spend' | 'nothing_applies' | 'not_combined';

export interface CartCheck {
  /** Of all amounts, where the cart or the store has one. */
  readonly currency?: string;
  readonly subtotalMinor: number;
  readonly shippingMinor: number;
  readonly discountMinor: number;
  readonly totalMinor: number;
  /** What is left of each line of the cart, in its order. */
  readonly linesMinor: readonly number[];
  readonly applied: readonly {
    readonly offerId: string;
    /** The claims it uses up, to be redeemed with the order. */
    readonly claimIds: readonly string[];
    readonly discountMinor: number;
    readonly shippingMinor: number;
    readonly linesMinor: readonly number[];
    readonly giftItemId?: string;
  }[];
  readonly notApplied: readonly { readonly offerId?: string; readonly claimId?: string; readonly code?: string; readonly reason: NotUsed; readonly missingMinor?: number }[];
  /** false: so many offers that not every combination could be tried. */
  readonly isBest: boolean;
}

/** What may be used on the cart: an offer, and its claims where there are any. */
interface Usable {
  readonly offer: Offer;
  readonly terms: OfferTerms;
  readonly claims: ClaimView[];
}

interface Found {
  readonly usable: Map<string, Usable>;
  readonly not: CartCheck['notApplied'][number][];
}

/** What of a shopper's offers applies to a cart, their best combination, and the exact amounts. Nothing is used up by asking. */
export class CartChecker {
  readonly #deps: CartCheckDeps;

  constructor(deps: CartCheckDeps) {
    this.#deps = deps;
  }

  /** @throws AppError `invalid_request`, `store_unavailable` */
  async check(input: CartCheckInput): Promise<CartCheck> {
    const cart = this.#inCurrency(input.cart);
    const total = cart.lines.reduce((sum, line) => sum + line.unitMinor * line.quantity, cart.shippingMinor ?? 0);
    if (total > CART_LIMITS.totalMinorMax) {
      throw new AppError('invalid_request', `The cart comes to ${total} minor units; at most ${CART_LIMITS.totalMinorMax} can be priced exactly.`);
    }
    let found: Found;
    try {
      found = await this.#find({ ...input, cart });
    } catch (error) {
      throw storeError(error);
    }
    return this.#price(cart, found);
  }

  #inCurrency(cart: Cart): Cart {
    const { currency = this.#deps.currency } = cart;
    return currency === undefined ? cart : { ...cart, currency };
  }

  async #find(input: CartCheckInput): Promise<Found> {
    const found: Found = { usable: new Map(), not: [] };
    if (input.codes !== undefined && input.offerIds !== undefined) throw new AppError('invalid_request', 'codes and offerIds: give one of them.');
    const named = namedShopper(input);
    if (input.codes !== undefined) await this.#addCodes(found, input.codes, input.cart);
    else if (named === undefined) throw new AppError('invalid_request', 'userId or anonymousId is missing: without codes it must be known whose offers to try.');
    else if (input.offerIds !== undefined) {
      const shopper = await this.#deps.ownerOf(named);
      await Promise.all(input.offerIds.map((id) => this.#addOffer(found, id, shopper, input.cart)));
    } else {
      const open = (await this.#deps.claims.wallet(named)).filter(({ status }) => status === 'claimed').slice(0, CART_LIMITS.offersMax);
      await Promise.all(open.map((claim) => this.#addClaim(found, claim, input.cart)));
    }
    return found;
  }

  async #addCodes(found: Found, codes: readonly string[], cart: Cart): Promise<void> {
    await Promise.all(codes.map(async (code) => {
      const claim = await this.#claimOf(code);
      if (claim === undefined) found.not.push({ code, reason: 'unknown_code' });
      else await this.#addClaim(found, claim, cart);
    }));
  }

  async #claimOf(code: string): Promise<ClaimView | undefined> {
    const id = claimIdOfCode(code);
    if (id === undefined) return undefined;
    try {
      return await this.#deps.claims.get(id);
    } catch (error) {
      if (error instanceof AppError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  async #addClaim({ usable, not }: Found, claim: ClaimView, cart: Cart): Promise<void> {
    const { id: claimId, offerId } = claim;
    const offer = await this.#offer(offerId);
    const reason = offer === undefined ? 'unknown_offer' : this.#isOtherCurrency(offer, cart) ? 'other_currency'
      : hasExpired(claim, this.#deps.clock()) ? 'claim_expired' : claim.status !== 'claimed' ? 'claim_not_open' : undefined;
    if (offer === undefined || reason !== undefined) {
      not.push({ offerId, claimId, reason: reason ?? 'unknown_offer' });
      return;
    }
    const known = usable.get(offerId);
    if (known === undefined) usable.set(offerId, { offer, terms: termsOf(offer, claim), claims: [claim] });
    // A claim of a flash sale is a unit; of other offers one is used on a cart.
    else if (isPerUnit(offer)) known.claims.push(claim);
    else not.push({ offerId, claimId, reason: 'not_combined' });
  }

  async #addOffer({ usable, not }: Found, offerId: string, shopper: string, cart: Cart): Promise<void> {
    const offer = await this.#offer(offerId);
    const now = this.#deps.clock();
    if (offer === undefined) not.push({ offerId, reason: 'unknown_offer' });
    else if (offer.status !== 'active') not.push({ offerId, reason: 'offer_not_active' });
    else if (now < offer.window.startsAt || now >= offer.window.endsAt) not.push({ offerId, reason: 'outside_window' });
    else if (this.#isOtherCurrency(offer, cart)) not.push({ offerId, reason: 'other_currency' });
    else if (!await this.#deps.isEligible(offer, shopper)) not.push({ offerId, reason: 'not_eligible' });
    else usable.set(offerId, { offer, terms: offer.terms, claims: [] });
  }

  /** One that was activated a moment ago may not be active here yet. */
  async #offer(id: string): Promise<Offer | undefined> {
    const known = this.#deps.offers.get(id);
    return known?.status === 'active' ? known : this.#deps.offers.read(id);
  }

  #price(cart: Cart, { usable, not }: Found): CartCheck {
    const tried = [...usable.values()].map(({ offer, terms, claims }): TriedOffer => ({
      offer: { id: offer.id, terms, ...(offer.stacking === undefined ? {} : { stacking: offer.stacking }) },
      covers: cart.lines.map(({ itemId }) => this.#covers(offer, itemId)), units: Math.max(1, claims.length),
    }));
    const { priced, chosen, isProven } = bestCombination(cart, tried);
    for (const one of tried) {
      const { id: offerId } = one.offer;
      if (chosen.includes(offerId)) continue;
      const why = whyNot(cart, one) ?? { reason: 'not_combined' as const };
      const claimIds = claimIdsOf(usable.get(offerId));
      not.push(...(claimIds.length === 0 ? [{ offerId, ...why }] : claimIds.map((claimId) => ({ offerId, claimId, ...why }))));
    }
    // A claim for which the cart has no unit stays the shopper's.
    for (const { offerId, units } of priced.applied) {
      not.push(...claimIdsOf(usable.get(offerId)).slice(units ?? Infinity).map((claimId) => ({ offerId, claimId, reason: 'nothing_applies' as const })));
    }
    return {
      ...(cart.currency === undefined ? {} : { currency: cart.currency }),
      subtotalMinor: priced.subtotalMinor, shippingMinor: priced.shippingMinor, discountMinor: priced.discountMinor, totalMinor: priced.totalMinor,
      linesMinor: priced.lines,
      applied: priced.applied.map(({ offerId, discountMinor, shippingMinor, lines, giftItemId, units }) => ({
        offerId, claimIds: claimIdsOf(usable.get(offerId)).slice(0, units), discountMinor, shippingMinor, linesMinor: lines,
        ...(giftItemId === undefined ? {} : { giftItemId }),
      })),
      notApplied: not,
      isBest: isProven,
    };
  }

  #isOtherCurrency({ currency = this.#deps.currency }: Offer, cart: Cart): boolean {
    return currency !== undefined && cart.currency !== undefined && currency !== cart.currency;
  }

  /** Whether an offer applies to an item. One that the catalog does not know has no category. */
  #covers({ appliesTo }: Offer, itemId: string): boolean {
    if (appliesTo === undefined) return true;
    if (appliesTo.itemIds?.includes(itemId) === true) return true;
    const path = this.#deps.catalog.item(this.#deps.catalog.rowOf(itemId))?.category ?? [];
    return appliesTo.categories?.some((category) => path.some((_, depth) => path.slice(0, depth + 1).join('/') === category)) ?? false;
  }
}

const isPerUnit = ({ terms: { kind } }: Offer): boolean => kind === 'flash_sale' || kind === 'group_buy';

/** Those that expire first, first. */
const claimIdsOf = (usable: Usable | undefined): string[] =>
  (usable?.claims ?? []).toSorted((a, b) => a.expiresAt - b.expiresAt || (a.id < b.id ? -1 : 1)).map(({ id }) => id);

/** Whether the sweep has been there yet or not. */
const hasExpired = ({ status, expiresAt }: ClaimView, now: number): boolean => status === 'expired' || (status === 'claimed' && expiresAt <= now);

/** Of a share reward the one who shared has another amount than the friend. */
function termsOf({ terms }: Offer, claim: ClaimView): OfferTerms {
  if (terms.kind !== 'share_reward') return terms;
  return { kind: 'fixed', saveMinor: claim.sharedBy === undefined ? terms.sharerMinor : terms.friendMinor };
}
