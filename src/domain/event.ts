import { Type, type Static } from '../util/type.js';
import { CurrencyCode } from './form.js';
import { namedValues } from './named-values.js';

/**
 * Event types: the GA4 e-commerce names, and in the same style the social ones GA4 lacks.
 * The order is part of the profile codec (a counter is stored under its index): append, never reorder.
 */
export const EVENT_TYPES = [
  'view_item', 'view_item_list', 'select_item', 'search',
  'add_to_wishlist', 'add_to_cart', 'remove_from_cart', 'begin_checkout', 'purchase', 'refund',
  'share', 'view_promotion', 'select_promotion',
  'like', 'comment', 'review', 'follow', 'join_live', 'leave_live', 'send_gift',
  'open_group_buy', 'join_group_buy', 'dismiss',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** Event type → its stable index. */
export const EVENT_TYPE_INDEX: ReadonlyMap<string, number> = new Map(EVENT_TYPES.map((type, index) => [type, index]));

/** Limits of one event; each is checked at the boundary. */
export const EVENT_LIMITS = {
  /** Events in one request. */
  batchMax: 1000,
  /** Bytes (UTF-8) of any id. */
  idBytesMax: 256,
  /** Characters of a search query. */
  queryCharsMax: 512,
  /** Keys of `context`. */
  contextKeysMax: 16,
  /** Characters of a `context` key or string value. */
  contextCharsMax: 256,
  /** Largest monetary value, in major units. */
  valueMax: 1e9,
  quantityMax: 1e6,
  /** A client clock may run ahead by this much (ms): such a time is set to the time of receipt. */
  futureToleranceMs: 5 * 60_000,
  /** Earliest accepted event time (ms): 2000-01-01. Everything since may be replayed. */
  earliestMs: Date.UTC(2000, 0, 1),
} as const;

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });

/** Free key–values of the page (region, device, campaign…): flat, bounded. */
export const ContextSchema = namedValues(
  { minLength: 1, maxLength: EVENT_LIMITS.contextCharsMax },
  Type.Union([
    Type.String({ maxLength: EVENT_LIMITS.contextCharsMax }),
    Type.Number({ minimum: -1e15, maximum: 1e15 }),
    Type.Boolean(),
  ]),
  EVENT_LIMITS.contextKeysMax,
);
export type Context = Static<typeof ContextSchema>;

/** One event as a client sends it. `value` is the event's whole amount as a GA4 decimal. */
export const EventInputSchema = Type.Object({
  id: Id,
  type: Type.Enum([...EVENT_TYPES]),
  userId: Type.Optional(Id),
  anonymousId: Type.Optional(Id),
  itemId: Type.Optional(Id),
  timestamp: Type.Optional(Type.Union([
    Type.String({ maxLength: 40, description: 'ISO 8601' }),
    Type.Number({ description: 'ms since 1970' }),
  ])),
  value: Type.Optional(Type.Number({ minimum: 0, maximum: EVENT_LIMITS.valueMax })),
  currency: Type.Optional(CurrencyCode),
  quantity: Type.Optional(Type.Integer({ minimum: 0, maximum: EVENT_LIMITS.quantityMax })),
  query: Type.Optional(Type.String({ maxLength: EVENT_LIMITS.queryCharsMax })),
  roomId: Type.Optional(Id),
  context: Type.Optional(ContextSchema),
}, { additionalProperties: false });
export type EventInput = Static<typeof EventInputSchema>;

/** One event after validation: what `fold` reads, the streams carry and the archive keeps. */
export interface ShopperEvent {
  readonly id: string;
  readonly type: EventType;
  /** `u:<userId>` or `a:<anonymousId>`. */
  readonly shopper: string;
  readonly itemId?: string;
  /** When it happened, ms since 1970. */
  readonly at: number;
  /** Whole amount in minor units (cents). */
  readonly valueMinor?: number;
  readonly currency?: string;
  readonly quantity?: number;
  readonly query?: string;
  readonly roomId?: string;
  readonly context?: Context;
}
