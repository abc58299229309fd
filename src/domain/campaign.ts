import { Type, type Static } from '../util/type.js';
import { EVENT_TYPES } from './event.js';
import { DaySchema, title } from './form.js';
import { OFFER_LIMITS, OfferIdSchema } from './offer.js';
import { SCENES } from './scene.js';

/** Limits of campaigns; each is checked at the boundary. */
export const CAMPAIGN_LIMITS = {
  campaignsMax: 200,
  stepsMax: 8,
  segmentsMax: 16,
  datesMax: 32,
  textCharsMax: 1000,
  /** Longest pause before a step, s. */
  afterSMax: 365 * 86_400,
  /** Longest life of a message, s; no inbox keeps one longer. */
  validSMax: 30 * 86_400,
  cooldownSMax: 2 * 365 * 86_400,
} as const;

const strict = { additionalProperties: false } as const;
export const CampaignIdSchema = OfferIdSchema;
const EventTypes = Type.Array(Type.Enum([...EVENT_TYPES]), { minItems: 1, uniqueItems: true });
const Segments = Type.Array(OfferIdSchema, { minItems: 1, maxItems: CAMPAIGN_LIMITS.segmentsMax, uniqueItems: true });
/** From this hour of the store's day on (default 9). */
const Hour = Type.Optional(Type.Integer({ minimum: 0, maximum: 23 }));

/** What lets a shopper into a campaign. */
export const TriggerSchema = Type.Union([
  /** One of these events; with `restart` the campaign counts from the last of them, and begins again with each. */
  Type.Object({ on: Type.Literal('event'), types: EventTypes, restart: Type.Optional(Type.Boolean()) }, strict),
  /** The first event ever. */
  Type.Object({ on: Type.Literal('first_seen') }, strict),
  /** Entering or leaving one of these segments. */
  Type.Object({ on: Type.Literal('segment'), segments: Segments, change: Type.Optional(Type.Enum(['enter', 'leave'])) }, strict),
  /** Something in the cart or on the wishlist became cheaper, or can be had again. */
  Type.Object({ on: Type.Literal('catalog'), change: Type.Enum(['price_drop', 'back_in_stock']) }, strict),
  /** A growth level was reached. */
  Type.Object({ on: Type.Literal('level_up') }, strict),
  Type.Object({ on: Type.Literal('birthday'), hour: Hour }, strict),
  /** Days of every year (`MM-DD`) or of one (`YYYY-MM-DD`), for the members of segments. */
  Type.Object({
    on: Type.Literal('date'), hour: Hour, segments: Segments,
    dates: Type.Array(DaySchema, { minItems: 1, maxItems: CAMPAIGN_LIMITS.datesMax }),
  }, strict),
]);
export type Trigger = Static<typeof TriggerSchema>;
export type CatalogChangeKind = Extract<Trigger, { on: 'catalog' }>['change'];

/** Words may name `{item}`, `{was}`, `{now}`, `{level}` and `{offer}`. */
const Words = (maxLength: number) => Type.String({ minLength: 1, maxLength });
export const StepSchema = Type.Object({
  /** Pause after the step before, or after what started the campaign, s. */
  afterS: Type.Integer({ minimum: 0, maximum: CAMPAIGN_LIMITS.afterSMax }),
  message: Type.Object({
    title: Words(OFFER_LIMITS.titleCharsMax),
    /** Said instead where something that `title` names is not known. */
    plainTitle: Type.Optional(Words(OFFER_LIMITS.titleCharsMax)),
    text: Type.Optional(Words(CAMPAIGN_LIMITS.textCharsMax)),
    /** Percent off the cart: a coupon that the storefront keeps itself; see `offer` for one with a budget. */
    percentOff: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    /** How long it stands, s. Default a day. */
    validS: Type.Optional(Type.Integer({ minimum: 60, maximum: CAMPAIGN_LIMITS.validSMax })),
  }, strict),
  /** An offer to be claimed: this one, or the one decided for the shopper (of all live ones, or of some). Without one to be had nothing is sent. */
  offer: Type.Optional(Type.Union([
    Type.Object({ id: OfferIdSchema }, strict),
    Type.Object({ decide: Type.Object({ scene: Type.Enum([...SCENES]), offerIds: Type.Optional(Type.Array(OfferIdSchema, { minItems: 1, maxItems: 50, uniqueItems: true })) }, strict) }, strict),
  ])),
  /** Share of shoppers who never get this step, so that its effect can be measured. Default 0. */
  holdout: Type.Optional(Type.Number({ minimum: 0, maximum: 0.9 })),
}, strict);
export type Step = Static<typeof StepSchema>;

/** A campaign as an operator states it. */
export const CampaignInputSchema = Type.Object({
  title: title(OFFER_LIMITS.titleCharsMax),
  trigger: TriggerSchema,
  /** Who takes part, looked at before every step: an expression over the portrait, in the language of segments. Absent: everybody. */
  audience: Type.Optional(Type.String({ minLength: 1, maxLength: OFFER_LIMITS.expressionCharsMax })),
  /** What ends it for a shopper who does it meanwhile. */
  goal: Type.Optional(EventTypes),
  /** Least time between two runs of it that reach a shopper, s. Default 0. */
  cooldownS: Type.Optional(Type.Integer({ minimum: 0, maximum: CAMPAIGN_LIMITS.cooldownSMax })),
  steps: Type.Array(StepSchema, { minItems: 1, maxItems: CAMPAIGN_LIMITS.stepsMax }),
}, strict);
export type CampaignInput = Static<typeof CampaignInputSchema>;

/** A campaign as it is kept. */
export interface Campaign extends CampaignInput {
  readonly id: string;
  readonly status: 'active' | 'paused';
  /** Comes with the engine, and is as it came. */
  readonly isBuiltIn: boolean;
}

