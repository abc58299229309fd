import { Type, type Static } from '../util/type.js';
import { EVENT_LIMITS } from './event.js';
import { AmountMinorSchema, OFFER_LIMITS, OfferIdSchema } from './offer.js';

/** Limits of one cue; each is checked at the boundary. */
export const CUE_LIMITS = {
  textCharsMax: 200,
  durationSMin: 5, durationSMax: 3600,
  ladderMax: 8,
  optionsMax: 6,
  goalMax: 1e9,
} as const;

/** How the ids of offers begin that cues have made. */
export const SALE_PREFIX = 'cue_';

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
const Text = Type.String({ minLength: 1, maxLength: CUE_LIMITS.textCharsMax });
/** How long it stands, s. */
const DurationS = Type.Integer({ minimum: CUE_LIMITS.durationSMin, maximum: CUE_LIMITS.durationSMax });
const strict = { additionalProperties: false } as const;

/** What a host triggers. */
export const CueInputSchema = Type.Union([
  /** Shows a product of the room; null: none any more. */
  Type.Object({ kind: Type.Literal('pin'), itemId: Type.Union([Id, Type.Null()]) }, strict),
  /** A product of the room at a price while the stock lasts; an offer of its own is made for it, and claimed by a tap. */
  Type.Object({
    kind: Type.Literal('flash_sale'), itemId: Id, priceMinor: AmountMinorSchema,
    stock: Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.countMax }), durationS: DurationS,
    /** What a unit costs the store beside its usual price. Default: the difference to the catalog's price. */
    costMinor: Type.Optional(AmountMinorSchema),
    /** Units of one shopper. Default 1. */
    perUser: Type.Optional(Type.Integer({ minimum: 1, maximum: OFFER_LIMITS.capMax })),
  }, strict),
  /** Each viewer gets the offer of these that fits them best, claimed for them. */
  Type.Object({
    kind: Type.Literal('coupon_ladder'),
    offerIds: Type.Array(OfferIdSchema, { minItems: 1, maxItems: CUE_LIMITS.ladderMax, uniqueItems: true }),
    /** Of these, what a viewer gets for whom there was no time to decide. Default: the last. */
    defaultOfferId: Type.Optional(OfferIdSchema),
    durationS: DurationS,
  }, strict),
  Type.Object({
    kind: Type.Literal('poll'), question: Text,
    options: Type.Array(Text, { minItems: 2, maxItems: CUE_LIMITS.optionsMax, uniqueItems: true }), durationS: DurationS,
  }, strict),
  /** Gifts that the viewers are to send together. */
  Type.Object({ kind: Type.Literal('gift_goal'), title: Text, target: Type.Integer({ minimum: 1, maximum: CUE_LIMITS.goalMax }), durationS: DurationS }, strict),
  /** Closes the room, and with it what is open. */
  Type.Object({ kind: Type.Literal('end') }, strict),
]);
export type CueInput = Static<typeof CueInputSchema>;
export type CueKind = CueInput['kind'];

/** What every cue has beside what its host said. */
interface CuePlace {
  /** `<room>.<number>` */
  readonly id: string;
  readonly roomId: string;
  /** 1, 2, 3 … in the order of the room. */
  readonly number: number;
  /** ms */
  readonly at: number;
  /** When it is over unless the room is closed before, ms; of what takes no time, `at`. */
  readonly endsAt: number;
}

type Input<Kind extends CueKind> = Extract<CueInput, { kind: Kind }>;
type Plain = Exclude<CueInput, { kind: 'flash_sale' | 'coupon_ladder' }>;

/** A cue as it is kept and sent: what was left to defaults is filled in. */
export type Cue = CuePlace & (
  | Plain
  | (Input<'flash_sale'> & { readonly costMinor: number; readonly perUser: number; /** The offer that was made for it. */ readonly offerId: string })
  | (Input<'coupon_ladder'> & { readonly defaultOfferId: string })
);
export type CueOf<Kind extends CueKind> = Extract<Cue, { kind: Kind }>;
/** All of a cue that is known before the room gives it its number. */
export type CueDraft = DistributiveOmit<Cue, 'id' | 'roomId' | 'number'>;
type DistributiveOmit<T, Names extends PropertyKey> = T extends unknown ? Omit<T, Names> : never;
