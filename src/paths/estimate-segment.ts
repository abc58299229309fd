import { parseAttributes } from '../domain/attributes.js';
import type { Buyers } from '../profile/buyers.js';
import { decodeProfile } from '../profile/codec.js';
import { LIFECYCLE_STAGES } from '../profile/portrait-schema.js';
import { PortraitView, type PortraitBook } from '../profile/portrait.js';
import { emptyProfile } from '../profile/profile.js';
import type { PortraitStore } from '../redis/portrait-store.js';
import type { SegmentStore } from '../redis/segment-store.js';
import type { StandingStore } from '../redis/standing-store.js';
import { compileSegment } from '../segments/segment-set.js';
import type { Clock } from '../util/clock.js';
import type { Random } from '../util/random.js';

export const ESTIMATE_LIMITS = {
  /** Shoppers looked at, about. */
  sampled: 500,
} as const;
/** Of the normal distribution: 95 % lie within so many deviations. */
const Z95 = 1.96;

/** How many shoppers an expression would find, with its 95 % interval. */
export interface SegmentEstimate {
  readonly size: number;
  readonly low: number;
  readonly high: number;
  /** Shoppers looked at, and shoppers there are. */
  readonly sampled: number;
  readonly shoppers: number;
}

export interface EstimateDeps {
  readonly store: SegmentStore;
  readonly portraits: PortraitStore;
  readonly standings: Pick<StandingStore, 'read'>;
  readonly surroundings: { readonly buyers: Buyers };
  readonly book: PortraitBook;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Estimates the size of a segment before it is saved, from a sample of all shoppers: everybody is in one segment of the
 * lifecycle, and from each as large a part is drawn.
 * @throws ExpressionError
 */
export async function estimateSegment(source: string, { store, portraits, standings, surroundings, book, clock, random }: EstimateDeps): Promise<SegmentEstimate> {
  const expression = compileSegment(source);
  const sizes = await store.sizes();
  const shoppers = LIFECYCLE_STAGES.reduce((sum, stage) => sum + (sizes.get(stage) ?? 0), 0);
  const sample = await store.sample(LIFECYCLE_STAGES, Math.min(1, ESTIMATE_LIMITS.sampled / Math.max(1, shoppers)), random);
  const now = clock();
  const found = await Promise.all(sample.map(async (shopper) => {
    const [{ head, attributes }, standing] = await Promise.all([portraits.read(shopper), standings.read(shopper)]);
    const profile = head === null ? emptyProfile() : decodeProfile(head, { ids: false });
    return expression.matches(new PortraitView({
      profile, attributes: parseAttributes(attributes), ...standing, segments: [], book, buyers: surroundings.buyers, now,
    }));
  }));
  const { share, low, high } = wilson(found.filter(Boolean).length, sample.length);
  return { size: Math.round(share * shoppers), low: Math.floor(low * shoppers), high: Math.ceil(high * shoppers), sampled: sample.length, shoppers };
}

/** A share with its 95 % interval (E. Wilson, 1927), which holds near 0 and 1, too. */
function wilson(hits: number, of: number): { share: number; low: number; high: number } {
  if (of === 0) return { share: 0, low: 0, high: 0 };
  const share = hits / of;
  const z2 = Z95 ** 2 / of;
  const centre = (share + z2 / 2) / (1 + z2);
  const half = (Z95 / (1 + z2)) * Math.sqrt((share * (1 - share)) / of + z2 / (4 * of));
  return { share, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
