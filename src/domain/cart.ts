import { Type, type Static } from '../util/type.js';
import { EVENT_LIMITS } from './event.js';
import { CurrencyCode } from './form.js';
import { AmountMinorSchema, OFFER_LIMITS, OfferIdSchema } from './offer.js';

export const CART_LIMITS = {
  linesMax: 500,
  /** Offers or codes tried on a cart at once; of a wallet the newest claims. */
  offersMax: 20,
  /** Of the whole cart, minor units: times 10,000 basis points it is still exact in a double. */
  totalMinorMax: OFFER_LIMITS.amountMinorMax,
} as const;

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
const strict = { additionalProperties: false } as const;

/** What a shopper is about to buy. Amounts are integer minor units of one currency. */
export const CartSchema = Type.Object({
  currency: Type.Optional(CurrencyCode),
  lines: Type.Array(Type.Object({
    itemId: Id,
    unitMinor: AmountMinorSchema,
    quantity: Type.Integer({ minimum: 1, maximum: EVENT_LIMITS.quantityMax }),
  }, strict), { minItems: 1, maxItems: CART_LIMITS.linesMax }),
  shippingMinor: Type.Optional(AmountMinorSchema),
}, strict);
export type Cart = Static<typeof CartSchema>;

export const CartCheckSchema = Type.Object({
  userId: Type.Optional(Id),
  anonymousId: Type.Optional(Id),
  cart: CartSchema,
  /** Codes of claims to use … */
  codes: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { minItems: 1, maxItems: CART_LIMITS.offersMax, uniqueItems: true })),
  /** … or offers to try, claimed or not. Neither: what the shopper holds in the wallet. */
  offerIds: Type.Optional(Type.Array(OfferIdSchema, { minItems: 1, maxItems: CART_LIMITS.offersMax, uniqueItems: true })),
}, strict);
export type CartCheckInput = Static<typeof CartCheckSchema>;
