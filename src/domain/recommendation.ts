import { Type, type Static } from '../util/type.js';
import { ContextSchema, EVENT_LIMITS } from './event.js';
import { namedValues } from './named-values.js';
import { RoomIdSchema } from './room.js';
import { SCENES } from './scene.js';

export const RECOMMENDATION_LIMITS = {
  limitDefault: 20, limitMax: 100,
  /** Items a request may name: to rank (`itemIds`) or as the page's own. */
  itemIdsMax: 500,
  eventsMax: 100,
  scenesMax: 8,
} as const;

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
const Values = Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { minItems: 1, maxItems: 50 });

export const FilterSchema = Type.Object({
  /** Any of these, at any level of the path, e.g. `shoes` or `shoes/running`. */
  category: Type.Optional(Values),
  brand: Type.Optional(Values),
  tags: Type.Optional(Values),
  priceMin: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
  priceMax: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
  /** true (default): only what is in stock; false: everything. */
  inStock: Type.Optional(Type.Boolean()),
  attributes: Type.Optional(namedValues(
    { minLength: 1, maxLength: 128 }, Type.Union([Type.String({ maxLength: 512 }), Type.Number(), Type.Boolean()]), 16,
  )),
}, { additionalProperties: false });
export type Filter = Static<typeof FilterSchema>;

/** One list of a page. */
const ListFields = {
  scene: Type.Enum([...SCENES]),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: RECOMMENDATION_LIMITS.limitMax })),
  /** The item the page is about. */
  itemId: Type.Optional(Id),
  /** Rank exactly these (search results). */
  itemIds: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: RECOMMENDATION_LIMITS.itemIdsMax })),
  filter: Type.Optional(FilterSchema),
  /** Scene `live`: rank the products of this room that are in stock. */
  roomId: Type.Optional(RoomIdSchema),
};

const ShopperFields = {
  userId: Type.Optional(Id),
  anonymousId: Type.Optional(Id),
  /** The page's own events, folded before scoring. */
  events: Type.Optional(Type.Array(Type.Unknown(), { maxItems: RECOMMENDATION_LIMITS.eventsMax })),
  context: Type.Optional(ContextSchema),
  explain: Type.Optional(Type.Boolean()),
  /** true: each entry carries the whole `item`; false (default): ids, for a storefront that has its catalog at hand. */
  withItems: Type.Optional(Type.Boolean()),
  /** true: the reply also carries the `offer` decided for the shopper, or null. */
  offers: Type.Optional(Type.Boolean()),
};

export const RecommendationSchema = Type.Object({ ...ShopperFields, ...ListFields }, { additionalProperties: false });
export type RecommendationInput = Static<typeof RecommendationSchema>;

export const RecommendationBatchSchema = Type.Object({
  ...ShopperFields,
  lists: Type.Array(Type.Object(ListFields, { additionalProperties: false }), { minItems: 1, maxItems: RECOMMENDATION_LIMITS.scenesMax }),
}, { additionalProperties: false });
export type RecommendationBatchInput = Static<typeof RecommendationBatchSchema>;

/** What a reply was reduced to, in the words of the ladder; a reply without the field is a full one. */
export const DEGRADATIONS = [
  'stale_features', 'no_features', 'no_encoder', 'fallback_scorer', 'cached_list', 'popular_list', 'static_list', 'events_not_stored',
] as const;
export type Degradation = (typeof DEGRADATIONS)[number];
