import type { OfferInput } from '../../src/domain/offer.js';
import type { FinalOffer } from '../claims/history.js';

const HOUR_MS = 3_600_000;
const SAVE_MINOR = 300;
/** Of a scarce offer: claims for one in so many viewers. */
const SCARCE_SHARE = 10;

/** What a viewer was sent by a cue. */
export interface Served {
  readonly userId: string;
  readonly claim: string | undefined;
  readonly isDefault: boolean;
}

/** How a cue was played, viewers by what they got. */
export interface LadderCounts {
  readonly claimed: number;
  readonly byDefault: number;
  readonly soldOut: number;
  /** Claims by offer, in order of the ladder. */
  readonly claims: readonly number[];
}

/**
 * Four offers that tastes differ about; the last is for all of them. Of a scarce ladder the first two cannot reach all who
 * would have them: one runs out of claims, the other out of money.
 */
export function ladderOf(name: string, viewers: number, isScarce: boolean): OfferInput[] {
  const now = Date.now();
  const scarce = Math.max(1, Math.floor(viewers / SCARCE_SHARE));
  const terms: OfferInput['terms'][] = [
    { kind: 'percentage', basisPoints: 1500, capMinor: 4 * SAVE_MINOR }, { kind: 'threshold', spendMinor: 10 * SAVE_MINOR, saveMinor: 2 * SAVE_MINOR },
    { kind: 'fixed', saveMinor: SAVE_MINOR }, { kind: 'free_shipping', capMinor: SAVE_MINOR },
  ];
  return terms.map((term, index) => ({
    id: `${name}-${index}`, title: `${name} ${index}`, terms: term, marginMinor: 4000, window: { startsAt: now - HOUR_MS, endsAt: now + 10 * HOUR_MS },
    budget: {
      count: isScarce && index === 0 ? scarce : 10 * viewers,
      moneyMinor: isScarce && index === 1 ? scarce * 2 * SAVE_MINOR + SAVE_MINOR : 1e10,
    },
    ...index === 2 ? { eligibility: { expression: 'orders > 0' } } : {},
  }));
}

/** Compares what viewers were sent with what the store has: nothing over stock or budget, everybody served once, nobody's claim shown to another. */
export function checkLadder(offers: readonly FinalOffer[], served: readonly Served[], viewers: number): { counts: LadderCounts; broken: string[] } {
  const broken: string[] = [];
  const ownerOf = new Map<string, string>();
  const claims: number[] = [];
  for (const offer of offers) {
    const { id } = offer;
    const heldMinor = offer.claims.reduce((sum, { holdsMinor }) => sum + holdsMinor, 0);
    if (offer.claims.length > offer.countMax || heldMinor > offer.moneyMinorMax) broken.push(`${id}: ${offer.claims.length} claims of ${offer.countMax}, ${heldMinor} of ${offer.moneyMinorMax} minor units`);
    if (offer.count !== offer.claims.length || offer.moneyMinor !== heldMinor) broken.push(`${id}: counts ${offer.count} claims and ${offer.moneyMinor} minor units, holds ${offer.claims.length} and ${heldMinor}`);
    for (const claim of offer.claims) ownerOf.set(claim.id, claim.shopper);
    claims.push(offer.claims.length);
  }
  const owners = [...ownerOf.values()];
  if (new Set(owners).size !== owners.length) broken.push(`${owners.length} claims for ${new Set(owners).size} shoppers`);
  const framesOf = new Map<string, number>();
  for (const { userId } of served) framesOf.set(userId, (framesOf.get(userId) ?? 0) + 1);
  for (const [userId, frames] of framesOf) if (frames > 1) broken.push(`${userId} got ${frames} offers`);
  if (framesOf.size !== viewers) broken.push(`${viewers - framesOf.size} of ${viewers} viewers got nothing`);
  const shown = served.filter(({ claim }) => claim !== undefined);
  for (const { userId, claim } of shown) if (ownerOf.get(claim!) !== `u:${userId}`) broken.push(`${userId} was shown claim ${claim} of ${ownerOf.get(claim!) ?? 'nobody'}`);
  if (new Set(shown.map(({ claim }) => claim)).size !== owners.length) broken.push(`${owners.length} claims were made, ${shown.length} shown`);
  const byDefault = served.filter(({ isDefault }) => isDefault).length;
  return { counts: { claimed: shown.length, byDefault, soldOut: served.length - shown.length - byDefault, claims }, broken };
}
