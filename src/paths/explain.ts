import { SOURCES, type CandidatePool } from '../candidates/pool.js';
import type { Profile } from '../profile/profile.js';
import { USER_FEATURES } from '../profile/vector.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { RankedSlot } from '../ranking/rerank.js';

export interface ItemExplanation {
  /** All sources that proposed the item. */
  readonly sources: readonly string[];
  readonly features: Readonly<Record<string, number>>;
  readonly propensity: number;
}

/** @param items feature rows of the pool, by slot */
export function explainItem(pool: CandidatePool, items: Float32Array, { slot, propensity }: RankedSlot): ItemExplanation {
  const bits = pool.sources[slot]!;
  const from = slot * ITEM_FEATURES.length;
  return {
    sources: SOURCES.filter((_, bit) => (bits & (1 << bit)) !== 0),
    features: named(ITEM_FEATURES, items.subarray(from, from + ITEM_FEATURES.length)),
    propensity,
  };
}

export function explainUser(user: Float32Array, profile: Profile): Record<string, unknown> {
  return { userFeatures: named(USER_FEATURES, user), profileEvents: profile.events, profileUpdatedAt: new Date(profile.updatedAt).toISOString() };
}

/** Values by feature name, to six digits. */
export function named(names: readonly string[], values: Float32Array): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, Number(values[i]!.toPrecision(6))]));
}
