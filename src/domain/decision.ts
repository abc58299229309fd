import { Type, type Static } from '../util/type.js';
import { CartSchema } from './cart.js';
import { EVENT_LIMITS } from './event.js';
import { CHANNELS } from './offer.js';
import { SCENES } from './scene.js';

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });

/** Which offer, if any, does this shopper get? */
export const DecisionSchema = Type.Object({
  userId: Type.Optional(Id),
  anonymousId: Type.Optional(Id),
  scene: Type.Enum([...SCENES]),
  /** Where it would appear. Default `page`: beside what the shopper has just opened. */
  channel: Type.Optional(Type.Enum([...CHANNELS])),
  /** The item the page is about. */
  itemId: Type.Optional(Id),
  /** What is about to be bought; absent: the cart that the profile remembers. */
  cart: Type.Optional(CartSchema),
  explain: Type.Optional(Type.Boolean()),
}, { additionalProperties: false });
export type DecisionInput = Static<typeof DecisionSchema>;

/** What a decision was reduced to; a reply without the field is a full one. */
export const DECISION_DEGRADATIONS = ['prior_scores', 'late', 'not_known', 'failed'] as const;
export type DecisionDegradation = (typeof DECISION_DEGRADATIONS)[number];
