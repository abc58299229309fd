import { Type, type Static } from '../util/type.js';
import { title } from './form.js';
import { OFFER_LIMITS, OfferIdSchema } from './offer.js';

/** Limits of segments; each is checked at the boundary. */
export const SEGMENT_LIMITS = { segmentsMax: 200, titleCharsMax: 200, membersPerPageMax: 1000 } as const;

export const SegmentIdSchema = OfferIdSchema;
/** A segment is for choosing shoppers, a tag for saying something of them; both are kept the same way. */
export const SEGMENT_KINDS = ['segment', 'tag'] as const;

/** A segment as an operator states it. */
export const SegmentInputSchema = Type.Object({
  title: title(SEGMENT_LIMITS.titleCharsMax),
  kind: Type.Optional(Type.Enum([...SEGMENT_KINDS])),
  /** Who is in it: an expression over the portrait. */
  expression: Type.String({ minLength: 1, maxLength: OFFER_LIMITS.expressionCharsMax }),
}, { additionalProperties: false });
export type SegmentInput = Static<typeof SegmentInputSchema>;

/** A segment as it is kept. */
export interface Segment {
  readonly id: string;
  readonly title: string;
  readonly kind: (typeof SEGMENT_KINDS)[number];
  readonly expression: string;
  /** Counts its changes, from 1; 0 for one that comes with the engine. */
  readonly version: number;
  /** ms; 0 for one that comes with the engine */
  readonly updatedAt: number;
}

/** What led to a change of membership. */
export type ChangeCause = 'event' | 'time' | 'definition';

/** An entry of the streams of changes: a shopper has entered or left a segment. */
export interface SegmentChange {
  readonly type: 'enter' | 'leave';
  readonly segment: string;
  readonly shopper: string;
  /** ms */
  readonly at: number;
  /** `definition`: the segment was made or changed, not the shopper. */
  readonly cause: ChangeCause;
}
