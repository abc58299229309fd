import { Type, type Static } from '../util/type.js';
import { form } from './form.js';
import { OfferIdSchema } from './offer.js';

/** Limits of webhooks; each is checked at the boundary. */
export const WEBHOOK_LIMITS = { endpointsMax: 16, urlCharsMax: 2048, deadPerPageMax: 100 } as const;

export const WebhookIdSchema = OfferIdSchema;
/** A message reached a socket of its shopper; it was only kept in the inbox, because none listened. */
export const WEBHOOK_EVENTS = ['message.pushed', 'message.kept'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** An endpoint as an operator states it. */
export const WebhookInputSchema = Type.Object({
  url: Type.String({ minLength: 1, maxLength: WEBHOOK_LIMITS.urlCharsMax }),
  /** Absent: all. */
  events: Type.Optional(Type.Array(Type.Enum([...WEBHOOK_EVENTS]), { minItems: 1, uniqueItems: true })),
  /** By which deliveries are signed. Absent: stays, or is made and told once. */
  secret: Type.Optional(form('^whsec_[A-Za-z0-9+/]{32,88}={0,2}$', 'whsec_ and 24 to 64 bytes in base64')),
}, { additionalProperties: false });
export type WebhookInput = Static<typeof WebhookInputSchema>;

/** An endpoint as it is kept. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  readonly secret: string;
}

/** What could not be handed to an endpoint. */
export interface DeadDelivery {
  /** Of the message: the `webhook-id` of every try. */
  readonly messageId: string;
  readonly event: WebhookEvent;
  readonly shopper: string;
  /** The body, as it was sent. */
  readonly body: string;
  readonly error: string;
  /** When it was given up, ms. */
  readonly at: number;
}
