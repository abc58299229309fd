import type { OfferUsage } from '../live-offer.js';
import { choose, contendersOf, deviationOf, draw, probability, propensityOf, type Choice, type Contender } from './choose.js';
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

export interface DrawOptions {
  /** Logits by row: of none, then of each eligible offer. */
  readonly scores: Float32Array;
  /** Standard error of a logit, before claims tell more. */
  readonly error: number;
  /** The purchase that an offer would be used on, minor units: see `likelyOrder`. */
  readonly order: number;
  readonly seed: number;
}

export interface WeighOptions extends Omit<DrawOptions, 'order'> {
  readonly situation: OfferSituation;
}

/** What was drawn where everybody gets something. */
export interface Drawn extends Omit<Weighed, 'choice'> {
  /** By index into `contenders`. */
  readonly chosen: number;
}

/** Puts a price to everything, and draws. All numbers are rounded to float32 first: so they are logged, and the draw must come out the same from the log. */
export function weigh(eligible: readonly LiveCase[], options: WeighOptions): Weighed {
  const { scores, seed, situation } = options;
  const { now } = situation;
  const stakes = stakesOf(eligible, { order: likelyOrder(situation), ...options }, ({ prepared: { offer }, usage }) => Math.fround(pacingPrice(offer, usage, now)));
  const none = probability(scores[0]!);
  const contenders = contendersOf(stakes, none);
  return { eligible, stakes, none, contenders, seed, choice: choose(contenders.map((i) => stakes[i]!), none, seed) };
}

/** As `weigh`, for a cue: everybody gets one, and budgets are there to be handed out now. */
export function drawOne(eligible: readonly LiveCase[], options: DrawOptions): Drawn {
  const { scores, seed } = options;
  const stakes = stakesOf(eligible, options, () => 0);
  const none = probability(scores[0]!);
  const contenders = contendersOf(stakes, none, -Infinity);
  return { eligible, stakes, none, contenders, seed, chosen: draw(contenders.map((i) => stakes[i]!), none, seed, -Infinity).chosen };
}

/** Probability of what was drawn. */
export const propensityOfDrawn = ({ stakes, none, contenders, chosen }: Drawn): number => propensityOf(contenders.map((i) => stakes[i]!), chosen, none, -Infinity);

function stakesOf(eligible: readonly LiveCase[], { scores, error, order }: DrawOptions, priceOf: (one: LiveCase) => number): Contender[] {
  return eligible.map((one, i): Contender => {
    const { prepared: { offer }, usage } = one;
    return {
      score: scores[i + 1]!, deviation: Math.fround(deviationOf(error, usage.count)),
      marginMinor: Math.fround(offer.marginMinor), costMinor: Math.fround(expectedCost(offer.terms, order)), price: priceOf(one),
    };
  });
}
