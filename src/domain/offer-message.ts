import { Type, type Static } from 'typebox';
import { EVENT_LIMITS } from './event.js';

export const MESSAGE_KINDS = ['coupon', 'price_drop'] as const;
/** What made the engine offer it. */
export const MESSAGE_CAUSES = ['cart_abandoned', 'price_drop'] as const;

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
const Amount = Type.Number({ minimum: 0, maximum: EVENT_LIMITS.valueMax });

/** An offer as a shopper gets it. Amounts are GA4 decimals. */
export const OfferMessageSchema = Type.Object({
  /** The same for the same cause, however often it is worked out: clients show each id once. */
  id: Id,
  kind: Type.Enum([...MESSAGE_KINDS]),
  cause: Type.Enum([...MESSAGE_CAUSES]),
  title: Type.String({ minLength: 1, maxLength: 1024 }),
  itemId: Type.Optional(Id),
  /** What is taken off: `percent` of the cart, or an `amount` of one item's price. */
  discount: Type.Object({ type: Type.Enum(['percent', 'amount']), value: Amount }, { additionalProperties: false }),
  /** Of one item: what it cost when the shopper put it there, and now. */
  price: Type.Optional(Type.Object({ was: Amount, now: Amount }, { additionalProperties: false })),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
  /** ISO 8601. */
  createdAt: Type.String({ maxLength: 40 }),
  /** ISO 8601. */
  expiresAt: Type.String({ maxLength: 40 }),
}, { additionalProperties: false });
export type OfferMessage = Static<typeof OfferMessageSchema>;
