import { gaussian, seededRandom } from '../../util/random.js';

/**
 * The choice among offers. Of an offer with margin m, cost c, price of budget µ (see `pacingPrice`) and the probabilities p of a
 * conversion with it and p₀ without:
 *
 *   expected profit = (p − p₀) · m − p · c        value = (p − p₀) · m − (1 + µ) · p · c
 *
 * The logit of p is known with an error only: by the model's own, less what the offer's claims have told since. Thompson sampling
 * (O. Chapelle, L. Li, "An Empirical Evaluation of Thompson Sampling", NIPS 2011) draws each logit from its Gaussian and takes the
 * offer of highest value, none if no value is above 0. What is uncertain is so tried as often as it may be the best.
 *
 * A host who drops coupons has decided that everybody gets one: then the floor is −∞ instead of 0, and none is no outcome.
 */
export interface Contender {
  /** Logit of p(convert | offer), as the model gave it. */
  readonly score: number;
  /** Standard deviation of what it may be. */
  readonly deviation: number;
  /** Minor units. */
  readonly marginMinor: number;
  /** Minor units, if it is used. */
  readonly costMinor: number;
  readonly price: number;
}

export interface Draw {
  /** Index of the contender, −1 for none. */
  readonly chosen: number;
  /** Drawn logits by contender. */
  readonly draws: readonly number[];
}

export interface Choice extends Draw {
  /** Probability, over the draws, of this very outcome. */
  readonly propensity: number;
}

export const CHOICE_LIMITS = {
  /** Offers drawn for: those that could be best of all. */
  contendersMax: 8,
  /** Deviations from its score within which an offer's logit is taken to lie when contenders are told from the others. */
  reach: 3.5,
  /** Steps of the integral behind a propensity: right to two or three digits. */
  steps: 16,
} as const;

export const probability = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** @param p probability of a conversion with the offer  @param none without @returns minor units, not rounded */
export function expectedProfit({ marginMinor, costMinor }: Pick<Contender, 'marginMinor' | 'costMinor'>, p: number, none: number): number {
  return (p - none) * marginMinor - p * costMinor;
}

/** As `expectedProfit`, the budget at its price. */
export function pacedValue({ marginMinor, costMinor, price }: Contender, p: number, none: number): number {
  return (p - none) * marginMinor - (1 + price) * p * costMinor;
}

/**
 * The deviation of an offer's logit: `modelError` as the prior, and from each claim one unit of information. (n trials tell n·p·(1 − p) of a logit,
 * which for small p is about their conversions.)
 */
export const deviationOf = (modelError: number, claims: number): number => 1 / Math.sqrt(1 / modelError ** 2 + claims);

/**
 * Tells those that may be best: their value at the upper end of what it may be is above the floor and above everybody's at the lower end.
 * @param floor value that an outcome must exceed
 * @returns indexes into `offers`, the most promising first, at most `contendersMax`
 */
export function contendersOf(offers: readonly Contender[], none: number, floor = 0): number[] {
  const valueAt = (offer: Contender, deviations: number): number => pacedValue(offer, probability(offer.score + deviations * offer.deviation), none);
  const upper: number[] = [];
  let sure = floor;
  for (const offer of offers) {
    // Of one that costs more than it earns, the value falls with the logit.
    const [a, b] = [valueAt(offer, -CHOICE_LIMITS.reach), valueAt(offer, CHOICE_LIMITS.reach)];
    upper.push(Math.max(a, b));
    sure = Math.max(sure, Math.min(a, b));
  }
  const found: number[] = [];
  upper.forEach((value, i) => { if (value > floor && value >= sure) found.push(i); });
  return found.sort((a, b) => upper[b]! - upper[a]! || a - b).slice(0, CHOICE_LIMITS.contendersMax);
}

/**
 * Chooses one of the contenders or none.
 * @param none probability of a conversion without an offer
 * @param seed the same inputs and seed give the same choice
 * @param floor value that an outcome must exceed
 */
export function choose(contenders: readonly Contender[], none: number, seed: number, floor = 0): Choice {
  const { chosen, draws } = draw(contenders, none, seed, floor);
  return { chosen, propensity: propensityOf(contenders, chosen, none, floor), draws };
}

/** As `choose`; the propensity, which costs most of it, can be had later. */
export function draw(contenders: readonly Contender[], none: number, seed: number, floor: number): Draw {
  const random = seededRandom(seed);
  const draws = contenders.map(({ score, deviation }) => score + deviation * gaussian(random));
  let [chosen, best] = [-1, floor];
  contenders.forEach((contender, i) => {
    const value = pacedValue(contender, probability(draws[i]!), none);
    if (value > best) [chosen, best] = [i, value];
  });
  return { chosen, draws };
}

/**
 * Probability that the draws choose `chosen` (−1: none). With F the distributions of the others' values, that is
 * ∫ Π F(v) dP(v) over the values v > floor that the chosen one may take; of none, Π F(floor). By the midpoint rule over its logit.
 */
export function propensityOf(contenders: readonly Contender[], chosen: number, none: number, floor = 0): number {
  const winner = contenders[chosen];
  if (winner === undefined) return othersBelow(contenders, -1, floor, none);
  const { reach, steps } = CHOICE_LIMITS;
  // Above a finite floor only those can be that gain with their logit.
  const from = floor === -Infinity ? -reach : Math.max(-reach, deviationsAt(winner, floor, none));
  const width = (reach - from) / steps;
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    const z = from + (step + 0.5) * width;
    const value = pacedValue(winner, probability(winner.score + z * winner.deviation), none);
    sum += Math.exp(-(z * z) / 2) * othersBelow(contenders, chosen, value, none);
  }
  return Math.min(1, (sum * width) / Math.sqrt(2 * Math.PI));
}

/** Probability that the values of all but one are at most `value`. */
function othersBelow(contenders: readonly Contender[], but: number, value: number, none: number): number {
  let product = 1;
  for (let i = 0; i < contenders.length && product > 1e-9; i++) if (i !== but) product *= shareBelow(contenders[i]!, value, none);
  return product;
}

/** Probability that a contender's value is at most `value`. */
function shareBelow(contender: Contender, value: number, none: number): number {
  const gain = gainOf(contender);
  if (gain > 0) return normalBelow(deviationsAt(contender, value, none));
  if (gain < 0) return 1 - normalBelow(deviationsAt(contender, value, none));
  return value < -none * contender.marginMinor ? 0 : 1;
}

/** What a conversion is worth: the value is p · gain − p₀ · m. */
const gainOf = ({ marginMinor, costMinor, price }: Contender): number => marginMinor - (1 + price) * costMinor;

/** How many deviations from its score a contender's logit is when its value is `value`; infinite beyond what it can be worth. */
function deviationsAt(contender: Contender, value: number, none: number): number {
  const { score, deviation, marginMinor } = contender;
  const p = (value + none * marginMinor) / gainOf(contender);
  if (p <= 0) return -Infinity;
  return p >= 1 ? Infinity : (Math.log(p / (1 - p)) - score) / deviation;
}

/** Standard normal distribution function, to 7.5e-8 (Abramowitz and Stegun, 26.2.17). */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail = Math.exp(-(z * z) / 2) * 0.3989422804014327
    * t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}
