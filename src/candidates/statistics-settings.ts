import { Type, type Static } from '../util/type.js';

/**
 * How co-occurrence and popularity are counted and used. Training chooses them by validation and a model's manifest
 * carries them; the defaults did best on next-item data of an online shop (reviews of 22,000 shoppers).
 *
 * An item at distance d after another, by a shopper of n events so far, adds to their pair
 * `d^-distanceExponent · n^-lengthExponent · (gapFloor + e^(-days between / gapDays))`, and `backward` of that to the
 * reversed pair. A neighbour's score is its pair's weight over `(1 + events of the source)^sourceExponent ·
 * (1 + events of the neighbour)^targetExponent`.
 */
export const StatisticsSettingsSchema = Type.Object({
  /** Items of one shopper's trail that a new item is paired with. */
  window: Type.Integer({ minimum: 1, maximum: 64 }),
  distanceExponent: Type.Number({ minimum: 0, maximum: 4 }),
  /** Events that follow within this time of one another (an order, say) are one step of the distance, ms. */
  stepMs: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
  lengthExponent: Type.Number({ minimum: 0, maximum: 4 }),
  gapDays: Type.Number({ minimum: 0.001, maximum: 3650 }),
  gapFloor: Type.Number({ minimum: 0, maximum: 10 }),
  backward: Type.Number({ minimum: 0, maximum: 1 }),
  sourceExponent: Type.Number({ minimum: 0, maximum: 2 }),
  targetExponent: Type.Number({ minimum: 0, maximum: 2 }),
  neighborsPerItem: Type.Integer({ minimum: 1, maximum: 512 }),
  popularityDays: Type.Number({ minimum: 0.01, maximum: 3650, description: 'half-life of popularity, days' }),
  /** Recent items whose neighbours are proposed; the one at rank r (1 the latest) counts r^-recencyExponent. */
  recentItems: Type.Integer({ minimum: 1, maximum: 64 }),
  recencyExponent: Type.Number({ minimum: 0, maximum: 4 }),
  /** How strongly a recent item proposes itself, in strengths of a typical best neighbour; 0 where nobody comes back. */
  again: Type.Number({ minimum: 0, maximum: 100 }),
}, { additionalProperties: false });
export type StatisticsSettings = Readonly<Static<typeof StatisticsSettingsSchema>>;

/** What the candidate sources need of them; travels with the statistics. */
export type StatisticsUse = Pick<StatisticsSettings, 'recentItems' | 'recencyExponent' | 'again'>;

export const DEFAULT_STATISTICS: StatisticsSettings = {
  window: 20, distanceExponent: 0.25, stepMs: 0, lengthExponent: 0.25, gapDays: 90, gapFloor: 0.3, backward: 0.25,
  sourceExponent: 0.5, targetExponent: 0.05, neighborsPerItem: 64, popularityDays: 14,
  recentItems: 5, recencyExponent: 0.9, again: 0,
};
