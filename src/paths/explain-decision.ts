import { expectedProfit, pacedValue, probability, propensityOf } from '../offers/decide/choose.js';
import { GATES, OFFER_RULES, type Gate, type OfferRule, type Question } from '../offers/decide/eligibility.js';
import { OFFER_FEATURES } from '../offers/decide/offer-features.js';
import { plannedShare, spentShare } from '../offers/decide/pacing.js';
import type { LiveCase, Weighed } from '../offers/decide/weigh.js';
import { USER_FEATURES } from '../profile/vector.js';
import type { ScoreSlot } from '../ranking/score-pool.js';
import { named } from './explain.js';

/** The whole chain of a decision, as a person reads it. Amounts are minor units, logits and probabilities as computed. */
export interface DecisionExplanation {
  /** Of each gate whether it was open. */
  readonly gates: Readonly<Record<Gate, boolean>>;
  readonly userFeatures?: Readonly<Record<string, number>>;
  /** Without an offer: logit and probability of a conversion. */
  readonly none?: { readonly score: number; readonly probability: number; readonly propensity: number };
  readonly seed?: number;
  readonly offers: readonly OfferExplanation[];
}

export interface OfferExplanation {
  readonly id: string;
  readonly version: number;
  /** Of each rule whether it held. */
  readonly rules: Readonly<Record<OfferRule, boolean>>;
  /** Of an eligible offer. */
  readonly weighed?: {
    readonly features: Readonly<Record<string, number>>;
    readonly score: number;
    readonly probability: number;
    readonly marginMinor: number;
    readonly expectedCostMinor: number;
    readonly expectedProfitMinor: number;
    readonly pacing: { readonly spentShare: number; readonly plannedShare: number; readonly price: number };
    /** Expected profit, the cost at the price of the budget. */
    readonly pacedValueMinor: number;
    readonly deviation: number;
    /** Absent when it could not have been best. */
    readonly draw?: { readonly score: number; readonly probability: number; readonly pacedValueMinor: number; readonly propensity: number; readonly isChosen: boolean };
  };
}

/** @param made undefined when nothing was scored */
export function explainDecision(question: Question, cases: readonly LiveCase[], made: { readonly weighed: Weighed; readonly slot: ScoreSlot } | undefined): DecisionExplanation {
  const explained = {
    gates: checked(GATES, (isOpen) => isOpen(question)),
    offers: cases.map((one): OfferExplanation => {
      const { id, version } = one.prepared.offer;
      const index = made?.weighed.eligible.indexOf(one) ?? -1;
      const rules = checked(OFFER_RULES, (holds) => holds(one, question));
      return made === undefined || index < 0 ? { id, version, rules } : { id, version, rules, weighed: explainStake(made, index, question.asked.now) };
    }),
  };
  if (made === undefined) return explained;
  const { weighed: { none, contenders, stakes, seed }, slot } = made;
  return {
    ...explained, seed, userFeatures: named(USER_FEATURES, slot.user),
    none: { score: Math.log(none / (1 - none)), probability: none, propensity: propensityOf(contenders.map((i) => stakes[i]!), -1, none) },
  };
}

function explainStake({ weighed, slot }: { readonly weighed: Weighed; readonly slot: ScoreSlot }, index: number, now: number): NonNullable<OfferExplanation['weighed']> {
  const { eligible, stakes, none, contenders, choice } = weighed;
  const stake = stakes[index]!;
  const { prepared: { offer }, usage } = eligible[index]!;
  const width = OFFER_FEATURES.length;
  const p = probability(stake.score);
  const drawn = contenders.indexOf(index);
  const draw = choice.draws[drawn];
  return {
    features: named(OFFER_FEATURES, slot.items.subarray((index + 1) * width, (index + 2) * width)),
    score: stake.score, probability: p, marginMinor: stake.marginMinor, expectedCostMinor: stake.costMinor,
    expectedProfitMinor: Math.round(expectedProfit(stake, p, none)),
    pacing: { spentShare: spentShare(offer, usage), plannedShare: plannedShare(offer, now), price: stake.price },
    pacedValueMinor: Math.round(pacedValue(stake, p, none)), deviation: stake.deviation,
    ...draw === undefined ? {} : {
      draw: {
        score: draw, probability: probability(draw), pacedValueMinor: Math.round(pacedValue(stake, probability(draw), none)),
        propensity: propensityOf(contenders.map((i) => stakes[i]!), drawn, none), isChosen: drawn === choice.chosen,
      },
    },
  };
}

function checked<Name extends string, Rule>(rules: Readonly<Record<Name, Rule>>, holds: (rule: Rule) => boolean): Record<Name, boolean> {
  return Object.fromEntries(Object.entries<Rule>(rules).map(([name, rule]) => [name, holds(rule)])) as Record<Name, boolean>;
}
