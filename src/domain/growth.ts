import { Type, type Static } from '../util/type.js';
import { EVENT_TYPES } from './event.js';
import { AmountMinorSchema, OFFER_LIMITS, OfferIdSchema } from './offer.js';

/** Limits of the rules of growth; each is checked at the boundary. */
export const GROWTH_LIMITS = {
  rulesMax: 64, tasksMax: 64, badgesMax: 128, levelsMax: 50, titleCharsMax: 200, pointsMax: 1e9, timesMax: 100_000,
  ledgerPageMax: 200,
} as const;

/** What may earn something: an event, or coming by on a day. */
export const DEEDS = [...EVENT_TYPES, 'check_in'] as const;
export type Deed = (typeof DEEDS)[number];
export const TASK_PERIODS = ['day', 'week', 'month', 'ever'] as const;
export type TaskPeriod = (typeof TASK_PERIODS)[number];

const strict = { additionalProperties: false } as const;
const Title = Type.String({ minLength: 1, maxLength: GROWTH_LIMITS.titleCharsMax });
const Points = Type.Integer({ minimum: 1, maximum: GROWTH_LIMITS.pointsMax });
const Times = Type.Integer({ minimum: 1, maximum: GROWTH_LIMITS.timesMax });
const DeedSchema = Type.Enum([...DEEDS]);

export const GrowthRulesSchema = Type.Object({
  rules: Type.Array(Type.Object({
    id: OfferIdSchema,
    on: DeedSchema,
    points: Points,
    /** The points are for each so much of the event's value; absent: for each event. */
    perMinor: Type.Optional(Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.amountMinorMax })),
    /** Of a shopper in a store day; absent: no cap. */
    pointsPerDayMax: Type.Optional(Points),
  }, strict), { maxItems: GROWTH_LIMITS.rulesMax }),
  /** Points from which on a level is reached, rising; below the first is level 0. */
  levels: Type.Array(Type.Object({ points: AmountMinorSchema, title: Title }, strict), { maxItems: GROWTH_LIMITS.levelsMax }),
  tasks: Type.Array(Type.Object({
    id: OfferIdSchema, title: Title, on: DeedSchema, times: Times,
    /** Calendar periods of the shopper's time zone, weeks from Monday; `ever`: once in all. */
    period: Type.Enum([...TASK_PERIODS]),
    points: Points,
  }, strict), { maxItems: GROWTH_LIMITS.tasksMax }),
  /** Held by who fits all that is said; what has been earned stays, unless a refund undoes what it was earned by. */
  badges: Type.Array(Type.Object({
    id: OfferIdSchema, title: Title,
    on: Type.Optional(DeedSchema), times: Type.Optional(Times),
    points: Type.Optional(Points),
    streakDays: Type.Optional(Times),
    /** Over the portrait, as of segments. */
    expression: Type.Optional(Type.String({ minLength: 1, maxLength: OFFER_LIMITS.expressionCharsMax })),
  }, strict), { maxItems: GROWTH_LIMITS.badgesMax }),
}, strict);
export type GrowthRules = Static<typeof GrowthRulesSchema>;
export type PointRule = GrowthRules['rules'][number];
export type Task = GrowthRules['tasks'][number];
export type Badge = GrowthRules['badges'][number];

/** What counts until an operator says otherwise. */
export const DEFAULT_GROWTH_RULES: GrowthRules = {
  rules: [
    { id: 'check_in', on: 'check_in', points: 5 },
    { id: 'purchase', on: 'purchase', points: 1, perMinor: 100 },
    { id: 'review', on: 'review', points: 20, pointsPerDayMax: 60 },
    { id: 'share', on: 'share', points: 5, pointsPerDayMax: 25 },
    { id: 'comment', on: 'comment', points: 2, pointsPerDayMax: 10 },
    { id: 'like', on: 'like', points: 1, pointsPerDayMax: 10 },
  ],
  levels: [{ points: 100, title: 'Bronze' }, { points: 500, title: 'Silver' }, { points: 2000, title: 'Gold' }, { points: 10_000, title: 'Diamond' }],
  tasks: [
    { id: 'week-of-visits', title: 'Come by on every day of a week', on: 'check_in', times: 7, period: 'week', points: 30 },
    { id: 'three-orders', title: 'Buy 3 things in a month', on: 'purchase', times: 3, period: 'month', points: 100 },
  ],
  badges: [
    { id: 'first-purchase', title: 'First purchase', on: 'purchase', times: 1 },
    { id: 'reviewer', title: '10 reviews', on: 'review', times: 10 },
    { id: 'regular', title: '7 days in a row', streakDays: 7 },
  ],
};

/** One change of a shopper's points. */
export interface LedgerEntry {
  /** What it is put down to: `rule:<id>`, `task:<id>`, or `merge` of a visitor. */
  readonly by: string;
  /** The event that led to it. */
  readonly eventId: string;
  readonly on: Deed | 'merge';
  /** When that was, ms. */
  readonly at: number;
  /** Below 0: taken back. */
  readonly points: number;
  /** Afterwards. */
  readonly balance: number;
}
