import type { Channel } from '../../domain/offer.js';
import type { Scene } from '../../domain/scene.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { choose, probability, type Choice, type Contender } from './choose.js';
import type { Gate } from './eligibility.js';
import { OFFER_FEATURES } from './offer-features.js';

/** A decision as it is logged: with its vectors all that it takes to make it again, and to learn from it. */
export interface DecisionRecord {
  readonly decisionId: string;
  readonly shopper: string;
  readonly scene: Scene;
  readonly channel: Channel;
  /** ms */
  readonly at: number;
  readonly itemId?: string | undefined;
  /** What asked for it, beside the shopper's page. */
  readonly campaignId?: string | undefined;
  /** Events in the profile, which name its state; absent when it was not as in the store. */
  readonly events?: number | undefined;
  /** Label of the response model, or `prior`. */
  readonly model: string;
  /** Of the draws. */
  readonly seed: number;
  /** The gate that was shut; then nothing was scored. */
  readonly gate?: Gate | undefined;
  /** Contenders in order: id of the offer and its version. */
  readonly offers: readonly (readonly [id: string, version: number])[];
  /** Of each contender: margin and expected cost (minor units), price of its budget, deviation of its logit. */
  readonly terms: readonly (readonly [marginMinor: number, costMinor: number, price: number, deviation: number])[];
  /** Index of the contender that was chosen, −1 for none. */
  readonly chosen: number;
  readonly propensity: number;
}

/** The numbers of a decision, by name: see `DecisionLog`. */
export interface DecisionVectors {
  readonly user: Float32Array;
  /** Of row 0, no offer, and of the contenders. */
  readonly scores: Float32Array;
  /** [scores × OFFER_FEATURES] */
  readonly rows: Float32Array;
}

/** Takes the floats of a logged decision apart. */
export function decisionVectors(floats: Float32Array): DecisionVectors {
  const width = OFFER_FEATURES.length;
  const user = floats.subarray(0, USER_FEATURES.length);
  const count = (floats.length - user.length) / (1 + width);
  const scores = new Float32Array(count);
  const rows = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    const at = user.length + row * (1 + width);
    scores[row] = floats[at]!;
    rows.set(floats.subarray(at + 1, at + 1 + width), row * width);
  }
  return { user, scores, rows };
}

/** Makes a logged decision again from what was logged. @returns what must be the same, bit for bit */
export function replayDecision({ terms, seed }: DecisionRecord, { scores }: Pick<DecisionVectors, 'scores'>): Choice {
  const contenders = terms.map(([marginMinor, costMinor, price, deviation], i): Contender => ({ score: scores[i + 1]!, marginMinor, costMinor, price, deviation }));
  return choose(contenders, probability(scores[0]!), seed);
}
