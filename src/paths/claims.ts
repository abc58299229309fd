import { partsOfClaimId } from '../domain/claim-code.js';
import type { Claim, ClaimInput } from '../domain/claim.js';
import type { Offer } from '../domain/offer.js';
import { AppError } from '../errors.js';
import type { ClaimOutcome, ClaimRefusal, SettleRefusal } from '../redis/claim-record.js';
import type { ClaimStore } from '../redis/claim-store.js';
import { isUncertain, storeError } from '../redis/errors.js';
import type { WalletStore } from '../redis/wallet-store.js';
import type { Clock } from '../util/clock.js';
import { namedShopper } from './named-shopper.js';
import type { ClaimOrigin } from './share-watch.js';

/** A claim as its shopper sees it. */
export interface ClaimView extends Omit<Claim, 'shopper'> {}

export type ClaimReply =
  | { readonly kind: 'made' | 'replayed'; readonly claim: ClaimView }
  /** Whether it was made is not known: the same key tells. */
  | { readonly kind: 'pending' };

/** Stands before claims, and is told of them. */
export interface ClaimGuard {
  /** @throws AppError `rate_limited` when there are too many of a shopper, device or address */
  admit(shopper: string, origin: ClaimOrigin): void;
  /** Told of a claim after it was made; must not throw. */
  claimed(claim: Claim, origin: ClaimOrigin): void;
}

export interface ClaimsOptions {
  readonly store: ClaimStore;
  readonly wallets: WalletStore;
  /** The offer as this process knows it, and as the store does where it does not. */
  readonly offers: { readonly get: (id: string) => Offer | undefined; readonly read: (id: string) => Promise<Offer | undefined> };
  /** Whether the shopper may have the offer at all: holdout, segments, expression. */
  readonly isEligible: (offer: Offer, shopper: string) => Promise<boolean> | boolean;
  /** Who a shopper is now: of a merged visitor the user. */
  readonly ownerOf: (shopper: string) => Promise<string>;
  readonly clock: Clock;
  readonly guard?: ClaimGuard;
  /** A wallet was not written at once; the ledger's follower does. */
  readonly onWalletFault: (error: unknown) => void;
}

const REFUSALS: Readonly<Record<ClaimRefusal | SettleRefusal, string>> = {
  offer_exhausted: 'The budget or the stock of this offer is used up.',
  cap_reached: 'This shopper or device has had this offer as often as it is given.',
  not_eligible: 'This offer is not for this shopper.',
  outside_window: 'This offer has not begun or has ended.',
  key_reused: 'This Idempotency-Key came with other parameters before; a new claim needs a new key.',
  offer_not_active: 'This offer is not active.',
  group_closed: 'This group is full, has failed, or never was; open another by a claim without groupId.',
  share_closed: 'This share has led to a claim already, has ended, or never was.',
  budget_missing: 'The budget of this offer is gone from the store; nothing is handed out until an operator has looked.',
  backlog_full: 'Too many claims wait for a worker; start one, or try again later.',
  not_found: 'There is no such claim.',
  claim_held: 'This claim is held until its group is full or its purchase is certain.',
  claim_not_redeemed: 'This claim has not been redeemed, so there is nothing to refund; release gives it back.',
  claim_settled: 'This claim has been redeemed, given back or refunded before.',
  claim_expired: 'This claim has expired.',
  above_reserved: 'spentMinor is more than the claim has reserved.',
};

/** Claims, top to bottom: eligibility, the one script in the offer's slot, the wallet, the reply. */
export class Claims {
  readonly #options: ClaimsOptions;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /**
   * @param key the client's: the same one gets the same claim
   * @param ip where it came from
   * @throws AppError with the reason why not
   */
  async claim(offerId: string, key: string, input: ClaimInput, ip?: string): Promise<ClaimReply> {
    const { store, offers, guard, clock } = this.#options;
    const named = namedShopper(input);
    if (named === undefined) throw new AppError('invalid_request', 'userId or anonymousId is missing: a claim belongs to somebody.');
    const origin = { deviceId: input.deviceId, ip };
    guard?.admit(named, origin);
    let outcome: ClaimOutcome<ClaimRefusal>;
    try {
      const offer = offers.get(offerId) ?? await offers.read(offerId);
      if (offer === undefined) throw new AppError('not_found', `There is no offer ${offerId}.`);
      const joined = joinedBy(input, offer);
      const shopper = await this.#options.ownerOf(named);
      const isEligible = await this.#options.isEligible(offer, shopper);
      const request = { offerId, kind: offer.terms.kind, key, shopper, deviceId: input.deviceId, named: joined, isEligible, at: clock() };
      outcome = await store.claim(request);
      // Claimed as a visitor who was merged a moment ago: what they claimed is not the user's yet.
      if (shopper !== named && 'refusal' in outcome && outcome.refusal === 'key_reused') outcome = await store.claim({ ...request, shopper: named });
    } catch (error) {
      if (isUncertain(error) || (error instanceof AppError && error.code === 'write_unknown')) return { kind: 'pending' };
      throw storeError(error);
    }
    if ('refusal' in outcome) throw refused(outcome.refusal);
    if (outcome.isNew) {
      this.#note(outcome.claim);
      guard?.claimed(outcome.claim, origin);
    }
    return { kind: outcome.isNew ? 'made' : 'replayed', claim: viewOf(outcome.claim) };
  }

  /** @throws AppError with the reason why not; `write_unknown` when it may have been done: say it again */
  async settle(what: 'redeem' | 'release' | 'refund', claimId: string, spentMinor?: number): Promise<ClaimView> {
    const { offerId, number } = partsOf(claimId);
    let outcome: ClaimOutcome<SettleRefusal>;
    try {
      outcome = await this.#options.store.settle(what, offerId, number, this.#options.clock(), spentMinor);
    } catch (error) {
      throw storeError(error);
    }
    if ('refusal' in outcome) throw refused(outcome.refusal);
    return viewOf(outcome.claim);
  }

  /** @throws AppError `not_found` */
  async get(claimId: string): Promise<ClaimView> {
    const { offerId, number } = partsOf(claimId);
    const claim = await this.#options.store.get(offerId, number);
    if (claim === undefined) throw refused('not_found');
    return viewOf(claim);
  }

  /** All claims of a shopper that are kept, newest first, each as its offer has it now. */
  async wallet(named: string): Promise<ClaimView[]> {
    const { store, wallets, ownerOf } = this.#options;
    const shopper = await ownerOf(named);
    const entries = await wallets.read(shopper);
    const claims = await Promise.all(entries.map(({ claimId }) => {
      const { offerId, number } = partsOf(claimId);
      return store.get(offerId, number);
    }));
    return claims.filter((claim) => claim !== undefined && claim.shopper === shopper).map((claim) => viewOf(claim!));
  }

  /** Not waited for: the claim stands, and the follower of the ledger writes the wallet too. */
  #note({ shopper, id, createdAt }: Claim): void {
    this.#options.wallets.add(shopper, [{ claimId: id, at: createdAt }]).catch(this.#options.onWalletFault);
  }
}

/** @returns the claim that a request names beside its own, by its random part */
function joinedBy({ groupId, shareCode }: ClaimInput, { id, terms: { kind } }: Offer): string | undefined {
  if (groupId !== undefined && kind !== 'group_buy') throw new AppError('invalid_request', `Offer ${id} is no group buy: leave groupId out.`);
  if (shareCode !== undefined && kind !== 'share_reward') throw new AppError('invalid_request', `Offer ${id} is no share reward: leave shareCode out.`);
  const joined = groupId ?? shareCode;
  if (joined === undefined) return undefined;
  const parts = partsOf(joined);
  if (parts.offerId !== id) throw new AppError('invalid_request', `${joined} is of offer ${parts.offerId}, the claim of ${id}.`);
  return parts.number;
}

function partsOf(claimId: string): { offerId: string; number: string } {
  const parts = partsOfClaimId(claimId);
  if (parts === undefined) throw new AppError('not_found', 'There is no such claim.');
  return parts;
}

function viewOf({ shopper: _shopper, ...view }: Claim): ClaimView {
  return view;
}

const refused = (reason: ClaimRefusal | SettleRefusal): AppError =>
  new AppError(reason === 'above_reserved' ? 'invalid_request' : reason, REFUSALS[reason]);
