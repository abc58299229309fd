import { Type, type Static } from '../util/type.js';
import { EVENT_LIMITS } from './event.js';
import { CurrencyCode, form, title } from './form.js';
import { SCENES } from './scene.js';

/** Limits of offers, carts and claims; each is checked at the boundary. */
export const OFFER_LIMITS = {
  idCharsMax: 64,
  titleCharsMax: 200,
  /** Largest amount, minor units: sums of thousands of them stay exact in a double. */
  amountMinorMax: 1e11,
  /** Claims of one offer. */
  countMax: 1e9,
  /** Claims of one shopper or device on one offer. */
  capMax: 10_000,
  groupSizeMax: 1000,
  /** Life of a claim that nobody redeems, s. */
  claimTtlSMax: 400 * 86_400,
  expressionCharsMax: 2000,
  segmentsMax: 32,
  /** Items or categories an offer may be restricted to. */
  scopeMax: 500,
} as const;

/** Letters that need no escaping in a key, a path or a hash tag. */
export const OfferIdSchema = form('^[A-Za-z0-9_-]{1,64}$', 'an id of 1 to 64 letters, digits, - or _');
/** Integer minor units (cents): offers know no floats. */
export const AmountMinorSchema = Type.Integer({ minimum: 0, maximum: OFFER_LIMITS.amountMinorMax });
const PositiveMinor = Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.amountMinorMax });
const ItemId = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
const strict = { additionalProperties: false } as const;

/** What an offer gives, by kind. */
export const OfferTermsSchema = Type.Union([
  /** Spend 200, save 30. */
  Type.Object({ kind: Type.Literal('threshold'), spendMinor: PositiveMinor, saveMinor: PositiveMinor }, strict),
  /** A part of what it applies to, in hundredths of a percent, at most `capMinor`. */
  Type.Object({ kind: Type.Literal('percentage'), basisPoints: Type.Integer({ minimum: 1, maximum: 10_000 }), capMinor: PositiveMinor, spendMinor: Type.Optional(PositiveMinor) }, strict),
  Type.Object({ kind: Type.Literal('fixed'), saveMinor: PositiveMinor }, strict),
  Type.Object({ kind: Type.Literal('free_shipping'), capMinor: PositiveMinor, spendMinor: Type.Optional(PositiveMinor) }, strict),
  /** An item on top, from an amount on. */
  Type.Object({ kind: Type.Literal('gift'), itemId: ItemId, spendMinor: Type.Optional(PositiveMinor), costMinor: AmountMinorSchema }, strict),
  /** An item at a price while the stock lasts; `costMinor`: what a unit costs the store beside its usual price. */
  Type.Object({ kind: Type.Literal('flash_sale'), itemId: ItemId, priceMinor: AmountMinorSchema, stock: Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.countMax }), costMinor: AmountMinorSchema }, strict),
  /** An item at a price for `size` shoppers together within `withinS`, or for none of them. */
  Type.Object({ kind: Type.Literal('group_buy'), itemId: ItemId, priceMinor: AmountMinorSchema, size: Type.Integer({ minimum: 2, maximum: OFFER_LIMITS.groupSizeMax }), withinS: Type.Integer({ minimum: 1, maximum: 30 * 86_400 }), costMinor: AmountMinorSchema }, strict),
  /** Both are rewarded once the friend's purchase can no longer be refunded. */
  Type.Object({ kind: Type.Literal('share_reward'), sharerMinor: AmountMinorSchema, friendMinor: AmountMinorSchema, refundableS: Type.Integer({ minimum: 0, maximum: 400 * 86_400 }) }, strict),
]);
export type OfferTerms = Static<typeof OfferTermsSchema>;
export const OFFER_KINDS = ['threshold', 'percentage', 'fixed', 'free_shipping', 'gift', 'flash_sale', 'group_buy', 'share_reward'] as const satisfies readonly OfferTerms['kind'][];
export type OfferKind = (typeof OFFER_KINDS)[number];

/** Where an offer may appear beside the reply of a page. */
export const CHANNELS = ['page', 'socket', 'inbox', 'webhook'] as const;
export type Channel = (typeof CHANNELS)[number];

/** draft → active ⇄ paused → archived; an archived offer never comes back. */
export const OFFER_STATUSES = ['draft', 'active', 'paused', 'archived'] as const;
export type OfferStatus = (typeof OFFER_STATUSES)[number];

/** An offer as an operator states it. Amounts are integer minor units, times ms since 1970. */
export const OfferInputSchema = Type.Object({
  id: OfferIdSchema,
  title: title(OFFER_LIMITS.titleCharsMax),
  currency: Type.Optional(CurrencyCode),
  terms: OfferTermsSchema,
  /** From `startsAt` until before `endsAt`. */
  window: Type.Object({ startsAt: Type.Integer({ minimum: 0, maximum: 8.64e15 }), endsAt: Type.Integer({ minimum: 0, maximum: 8.64e15 }) }, strict),
  /** What may be handed out in all; a claim reserves the most that it can cost. */
  budget: Type.Object({ moneyMinor: AmountMinorSchema, count: Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.countMax }) }, strict),
  caps: Type.Optional(Type.Object({
    /** Claims of one shopper (default 1). */
    perUser: Type.Optional(Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.capMax })),
    /** Claims from one device (default: no cap of its own). */
    perDevice: Type.Optional(Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.capMax })),
  }, strict)),
  /** Who may have it; absent: everybody. All that is given must hold. */
  eligibility: Type.Optional(Type.Object({
    /** Members of any of these segments. */
    segments: Type.Optional(Type.Array(OfferIdSchema, { minItems: 1, maxItems: OFFER_LIMITS.segmentsMax })),
    /** An expression over the portrait, in the language of segments. */
    expression: Type.Optional(Type.String({ minLength: 1, maxLength: OFFER_LIMITS.expressionCharsMax })),
  }, strict)),
  /** What in a cart it applies to; absent: everything. */
  appliesTo: Type.Optional(Type.Object({
    itemIds: Type.Optional(Type.Array(ItemId, { minItems: 1, maxItems: OFFER_LIMITS.scopeMax })),
    /** Category paths, e.g. `shoes` or `shoes/running`. */
    categories: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { minItems: 1, maxItems: OFFER_LIMITS.scopeMax })),
  }, { ...strict, minProperties: 1 })),
  /** Offers of one group exclude each other in a cart; `alone` excludes all others. Default group: `default`. */
  stacking: Type.Optional(Type.Object({ group: OfferIdSchema, alone: Type.Optional(Type.Boolean()) }, strict)),
  /** What a conversion earns before the offer's cost, minor units: expected profit = uplift × margin − cost. */
  marginMinor: AmountMinorSchema,
  /** Share of shoppers who never get it, so that its effect can be measured. Default 0. */
  holdout: Type.Optional(Type.Number({ minimum: 0, maximum: 0.9 })),
  /** Life of a claim that is not redeemed, s. Default a day. */
  claimTtlS: Type.Optional(Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.claimTtlSMax })),
  /** Whether budget and stock come back with a refund. Default true. */
  refundReturnsBudget: Type.Optional(Type.Boolean()),
  /** Absent: all. */
  scenes: Type.Optional(Type.Array(Type.Enum([...SCENES]), { minItems: 1, uniqueItems: true })),
  channels: Type.Optional(Type.Array(Type.Enum([...CHANNELS]), { minItems: 1, uniqueItems: true })),
}, strict);
export type OfferInput = Static<typeof OfferInputSchema>;

/** An offer as it is kept. */
export interface Offer extends OfferInput {
  readonly status: OfferStatus;
  /** Counts its changes, from 1. */
  readonly version: number;
  /** ms */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** @returns the most that one claim can cost, minor units: what it reserves of the budget */
export function reserveOf(terms: OfferTerms): number {
  if ('saveMinor' in terms) return terms.saveMinor;
  if ('capMinor' in terms) return terms.capMinor;
  return terms.kind === 'share_reward' ? terms.sharerMinor + terms.friendMinor : terms.costMinor;
}
