import type { OfferInput } from '../../src/domain/offer.js';
import type { FinalOffer } from '../claims/history.js';
import type { FrameHead } from './frame-head.js';

const HOUR_MS = 3_600_000;
const SAVE_MINOR = 300;
/** Of a scarce offer: claims for one in so many viewers. */
const SCARCE_SHARE = 10;

const STANDING: ReadonlySet<string> = new Set(['held', 'claimed', 'redeemed']);

/** What a viewer was sent by a cue. */
export interface Served {
  readonly userId: string;
  readonly claim: string | undefined;
  readonly isDefault: boolean;
  /** It has a place in the log. When the store is late a viewer is told before, and the same again with its place: shown once by its id. */
  readonly isLogged: boolean;
}

/** Reads what a cue's frame brings. */
export function servedBy(userId: string, { epoch }: FrameHead, frame: Buffer): Served & { readonly offerId: string | undefined } {
  const { offer } = JSON.parse(frame.toString()) as { offer?: { offerId?: string; claim?: { id: string }; isDefault?: boolean } };
  return { userId, offerId: offer?.offerId, claim: offer?.claim?.id, isDefault: offer?.isDefault ?? false, isLogged: epoch !== '' };
}

/** How a cue was played, viewers by what they got. */
export interface LadderCounts {
  readonly claimed: number;
  readonly byDefault: number;
  readonly soldOut: number;
  /** Of them all, who was told before the log had it. */
  readonly early: number;
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
    // What came too late was given back.
    const standing = offer.claims.filter(({ status }) => STANDING.has(status));
    const heldMinor = offer.claims.reduce((sum, { holdsMinor }) => sum + holdsMinor, 0);
    if (standing.length > offer.countMax || heldMinor > offer.moneyMinorMax) broken.push(`${id}: ${standing.length} claims of ${offer.countMax}, ${heldMinor} of ${offer.moneyMinorMax} minor units`);
    if (offer.count !== standing.length || offer.moneyMinor !== heldMinor) broken.push(`${id}: counts ${offer.count} claims and ${offer.moneyMinor} minor units, holds ${standing.length} and ${heldMinor}`);
    for (const claim of standing) ownerOf.set(claim.id, claim.shopper);
    claims.push(standing.length);
  }
  const owners = [...ownerOf.values()];
  if (new Set(owners).size !== owners.length) broken.push(`${owners.length} claims for ${new Set(owners).size} shoppers`);
  const told = new Map<string, Served>();
  for (const isLogged of [true, false]) {
    const seen = new Set<string>();
    for (const one of served) {
      if (one.isLogged !== isLogged) continue;
      if (seen.has(one.userId)) broken.push(`${one.userId} got two offers`);
      seen.add(one.userId);
      const known = told.get(one.userId);
      if (known !== undefined && (known.claim !== one.claim || known.isDefault !== one.isDefault)) broken.push(`${one.userId} was told one thing and sent another`);
      told.set(one.userId, known ?? one);
    }
  }
  if (told.size !== viewers) broken.push(`${viewers - told.size} of ${viewers} viewers got nothing`);
  const shown = [...told.values()].filter(({ claim }) => claim !== undefined);
  for (const { userId, claim } of shown) if (ownerOf.get(claim!) !== `u:${userId}`) broken.push(`${userId} was shown claim ${claim} of ${ownerOf.get(claim!) ?? 'nobody'}`);
  if (new Set(shown.map(({ claim }) => claim)).size !== owners.length) broken.push(`${owners.length} claims were made, ${shown.length} shown`);
  const byDefault = [...told.values()].filter(({ isDefault }) => isDefault).length;
  const early = served.filter(({ isLogged }) => !isLogged).length;
  return { counts: { claimed: shown.length, byDefault, soldOut: told.size - shown.length - byDefault, early, claims }, broken };
}
