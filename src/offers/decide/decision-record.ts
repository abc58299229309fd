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
  /** The cue of a live room that it is part of: then none was no outcome. */
  readonly cueId?: string | undefined;
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
  /** Index of the contender that was chosen, −1 for none. */
  readonly chosen: number;
  readonly propensity: number;
}

/** Floats of a contender before its features: see `Contender`. */
export const STAKE_FLOATS = 5;

/**
 * The numbers of a decision: the shopper's features; the logit and the features of "no offer"; of each contender score, deviation, margin,
 * expected cost, price of its budget, and features.
 */
export interface DecisionVectors {
  readonly user: Float32Array;
  readonly noneScore: number;
  readonly noneRow: Float32Array;
  readonly contenders: readonly Contender[];
  /** By contender. */
  readonly rows: readonly Float32Array[];
}

/** Takes the floats of a logged decision apart. */
export function decisionVectors(floats: Float32Array): DecisionVectors {
  const width = OFFER_FEATURES.length;
  const users = USER_FEATURES.length;
  const contenders: Contender[] = [];
  const rows: Float32Array[] = [];
  for (let at = users + 1 + width; at < floats.length; at += STAKE_FLOATS + width) {
    const [score = 0, deviation = 0, marginMinor = 0, costMinor = 0, price = 0] = floats.subarray(at, at + STAKE_FLOATS);
    contenders.push({ score, deviation, marginMinor, costMinor, price });
    rows.push(floats.subarray(at + STAKE_FLOATS, at + STAKE_FLOATS + width));
  }
  return { user: floats.subarray(0, users), noneScore: floats[users]!, noneRow: floats.subarray(users + 1, users + 1 + width), contenders, rows };
}

/** Makes a logged decision again from what was logged. @returns what must be the same, bit for bit */
export function replayDecision({ seed, cueId }: Pick<DecisionRecord, 'seed' | 'cueId'>, { noneScore, contenders }: Pick<DecisionVectors, 'noneScore' | 'contenders'>): Choice {
  return choose(contenders, probability(noneScore), seed, cueId === undefined ? 0 : -Infinity);
}
