import { Type, type Static } from '../util/type.js';
import { EVENT_LIMITS } from './event.js';
import { CurrencyCode } from './form.js';
import { OfferIdSchema } from './offer.js';
import { RoomIdSchema } from './room.js';

/** Something to be had, a lower price, or words only. */
export const MESSAGE_KINDS = ['coupon', 'price_drop', 'notice'] as const;

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
const Amount = Type.Number({ minimum: 0, maximum: EVENT_LIMITS.valueMax });

/** A message as a shopper gets it. Amounts are GA4 decimals. */
export const OfferMessageSchema = Type.Object({
  /** The same for the same cause, however often it is worked out: clients show each id once. */
  id: Id,
  kind: Type.Enum([...MESSAGE_KINDS]),
  /** The campaign that made it, e.g. `cart_abandoned`. */
  cause: OfferIdSchema,
  title: Type.String({ minLength: 1, maxLength: 1024 }),
  text: Type.Optional(Type.String({ maxLength: 4096 })),
  itemId: Type.Optional(Id),
  /** An offer to be claimed, by `POST /v1/offers/:id/claims`, and the decision that chose it. */
  offerId: Type.Optional(OfferIdSchema),
  decisionId: Type.Optional(Id),
  /** What is taken off: `percent` of the cart, or an `amount` of one item's price. */
  discount: Type.Optional(Type.Object({ type: Type.Enum(['percent', 'amount']), value: Amount }, { additionalProperties: false })),
  /** Of one item: what it cost when the shopper put it there, and now. */
  price: Type.Optional(Type.Object({ was: Amount, now: Amount }, { additionalProperties: false })),
  currency: Type.Optional(CurrencyCode),
  /** Of a cue in a live room: which. */
  roomId: Type.Optional(RoomIdSchema),
  cueId: Type.Optional(Id),
  /** What has been claimed for the shopper already. Without it an offer is claimed by a tap. */
  claim: Type.Optional(Type.Object({ id: Id, code: Id, /** ISO 8601. */ expiresAt: Type.String({ maxLength: 40 }) }, { additionalProperties: false })),
  /** Not decided for this shopper: what a cue has for those whom nothing could be decided for. */
  isDefault: Type.Optional(Type.Literal(true)),
  /** ISO 8601. */
  createdAt: Type.String({ maxLength: 40 }),
  /** ISO 8601. */
  expiresAt: Type.String({ maxLength: 40 }),
}, { additionalProperties: false });
export type OfferMessage = Static<typeof OfferMessageSchema>;

/** A message as it is handed to webhooks. */
export interface Delivery {
  /** `u:<userId>` or `a:<anonymousId>`. */
  readonly shopper: string;
  readonly message: OfferMessage;
  /** Whether a socket of the shopper listened at that moment; else it was only kept in the inbox. */
  readonly isPushed: boolean;
}
