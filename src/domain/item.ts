import { Type, type Static } from '../util/type.js';
import { CurrencyCode } from './form.js';
import { namedValues } from './named-values.js';

export const ITEM_KINDS = ['product', 'post', 'video', 'room'] as const;

/** Limits of one item; each is checked at the boundary. */
export const ITEM_LIMITS = {
  /** Items in one JSON request (NDJSON: `ndjsonMax`). */
  batchMax: 10_000,
  ndjsonMax: 100_000,
  categoryDepthMax: 8,
  tagsMax: 32,
  attributesMax: 32,
  textCharsMax: 512,
} as const;

const NAME = { minLength: 1, maxLength: 128 } as const;
const Name = Type.String(NAME);

/** An item as a client sends it, and as the catalog keeps it. `price` is a GA4 decimal. */
export const ItemSchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 256 }),
  title: Type.String({ minLength: 1, maxLength: ITEM_LIMITS.textCharsMax }),
  /** From the root down: `["shoes", "running"]`. */
  category: Type.Array(Name, { minItems: 1, maxItems: ITEM_LIMITS.categoryDepthMax }),
  brand: Type.Optional(Name),
  price: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
  currency: Type.Optional(CurrencyCode),
  /** Units on hand; absent: not counted, always available. */
  stock: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e9 })),
  tags: Type.Optional(Type.Array(Name, { maxItems: ITEM_LIMITS.tagsMax })),
  kind: Type.Optional(Type.Enum([...ITEM_KINDS])),
  /** ISO 8601. */
  publishedAt: Type.Optional(Type.String({ maxLength: 40 })),
  attributes: Type.Optional(namedValues(
    NAME,
    Type.Union([Type.String({ maxLength: ITEM_LIMITS.textCharsMax }), Type.Number({ minimum: -1e15, maximum: 1e15 }), Type.Boolean()]),
    ITEM_LIMITS.attributesMax,
  )),
}, { additionalProperties: false });
export type Item = Static<typeof ItemSchema>;
