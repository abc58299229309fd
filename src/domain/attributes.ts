import { Type, type Static } from '../util/type.js';
import { DaySchema } from './form.js';
import { namedValues } from './named-values.js';

/** Limits of what a store says of a shopper; each is checked at the boundary. */
export const ATTRIBUTE_LIMITS = { purposesMax: 16, customMax: 32, nameCharsMax: 32, textCharsMax: 128 } as const;

const text = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }));
const NAME = { pattern: `^[A-Za-z][A-Za-z0-9_]{0,${ATTRIBUTE_LIMITS.nameCharsMax - 1}}$`, description: `at most ${ATTRIBUTE_LIMITS.nameCharsMax} letters, digits and _, the first a letter` } as const;

/** What the store knows of a shopper beside their behaviour. All of it is erased with the shopper, and none of it archived. */
export const AttributesSchema = Type.Object({
  /** Purpose → given or not, e.g. `{"marketing": true}`. */
  consent: Type.Optional(namedValues(NAME, Type.Boolean(), ATTRIBUTE_LIMITS.purposesMax)),
  gender: text(32),
  region: text(64),
  ageBand: text(16),
  occupation: text(64),
  /** IANA name, e.g. `Asia/Shanghai`. */
  timezone: text(64),
  /** BCP 47, e.g. `zh-CN`. */
  language: text(35),
  /** `MM-DD`, or with the year before it. */
  birthday: Type.Optional(DaySchema),
  /** The store's own. */
  custom: Type.Optional(namedValues(NAME, Type.Union([
    Type.String({ maxLength: ATTRIBUTE_LIMITS.textCharsMax }), Type.Number({ minimum: -1e15, maximum: 1e15 }), Type.Boolean(),
  ]), ATTRIBUTE_LIMITS.customMax)),
}, { additionalProperties: false });
export type Attributes = Static<typeof AttributesSchema>;

/** What of an anonymous visitor's is taken over by the user they turn out to be: where both say something, the user's word counts. */
export function mergeAttributes(user: Attributes, visitor: Attributes): Attributes {
  const merged: Attributes = { ...visitor, ...user };
  if (visitor.consent !== undefined) merged.consent = { ...visitor.consent, ...user.consent };
  if (visitor.custom !== undefined) merged.custom = { ...visitor.custom, ...user.custom };
  return merged;
}

/** @returns the time zone's name as the platform writes it, undefined for one that it does not know */
export function timezoneNamed(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** @param json as stored; '' for none */
export const parseAttributes = (json: string): Attributes | undefined => (json === '' ? undefined : JSON.parse(json) as Attributes);
