import type { OfferUsage } from '../live-offer.js';
import { choose, contendersOf, deviationOf, probability, type Choice, type Contender } from './choose.js';
import { likelyOrder, type OfferSituation } from './offer-features.js';
import { pacingPrice } from './pacing.js';
import { expectedCost, type PreparedOffer } from './prepared-offer.js';

/** An offer that is live, with what is left of it. */
export interface LiveCase {
  readonly prepared: PreparedOffer;
  readonly usage: OfferUsage;
}

/** How the eligible offers stand, by index; who is worth a draw, and its outcome. */
export interface Weighed {
  readonly eligible: readonly LiveCase[];
  readonly stakes: readonly Contender[];
  /** Probability of a conversion without an offer. */
  readonly none: number;
  /** Indexes into `eligible`. */
  readonly contenders: readonly number[];
  readonly seed: number;
  /** By index into `contenders`. */
  readonly choice: Choice;
}

export interface WeighOptions {
  /** Logits by row: of none, then of each eligible offer. */
  readonly scores: Float32Array;
  /** Standard error of a logit, before claims tell more. */
  readonly error: number;
  readonly situation: OfferSituation;
  readonly seed: number;
  /** A cue: everybody gets one, and budgets are there to be handed out now. */
  readonly isCue?: boolean;
}

/** Puts a price to everything, and draws. All numbers are rounded to float32 first: so they are logged, and the draw must come out the same from the log. */
export function weigh(eligible: readonly LiveCase[], { scores, error, situation, seed, isCue = false }: WeighOptions): Weighed {
  const order = likelyOrder(situation);
  const stakes = eligible.map(({ prepared: { offer }, usage }, i): Contender => ({
    score: scores[i + 1]!, deviation: Math.fround(deviationOf(error, usage.count)),
    marginMinor: Math.fround(offer.marginMinor), costMinor: Math.fround(expectedCost(offer.terms, order)), price: isCue ? 0 : Math.fround(pacingPrice(offer, usage, situation.now)),
  }));
  const none = probability(scores[0]!);
  const floor = isCue ? -Infinity : 0;
  const contenders = contendersOf(stakes, none, floor);
  return { eligible, stakes, none, contenders, seed, choice: choose(contenders.map((i) => stakes[i]!), none, seed, floor) };
}
