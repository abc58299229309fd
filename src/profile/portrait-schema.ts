import { EVENT_TYPES } from '../domain/event.js';
import { PROFILE_LIMITS } from './profile.js';

export const LIFECYCLE_STAGES = ['potential', 'new', 'active', 'loyal', 'dormant', 'churned'] as const;
export type LifecycleStage = (typeof LIFECYCLE_STAGES)[number];
export const VALUE_TIERS = ['high', 'mid', 'low', 'none'] as const;
export type ValueTier = (typeof VALUE_TIERS)[number];
export const ACTIVITIES = ['high', 'medium', 'low', 'idle'] as const;
export type Activity = (typeof ACTIVITIES)[number];
export const SOCIAL_ROLES = ['sharer', 'reviewer', 'follower', 'silent'] as const;
export type SocialRole = (typeof SOCIAL_ROLES)[number];

/** CEL type of a field → what a document holds: CEL's int is a bigint. */
interface CelValues {
  'string': string;
  'int': bigint;
  'double': number;
  'list<string>': readonly string[];
  'map<string, int>': ReadonlyMap<string, bigint>;
  'map<string, double>': ReadonlyMap<string, number>;
  'map<string, bool>': ReadonlyMap<string, boolean>;
  'map<string, dyn>': ReadonlyMap<string, string | number | boolean>;
}
export type CelType = keyof CelValues;

export interface PortraitField {
  readonly type: CelType;
  readonly about: string;
  /** When the field has no value: a comparison with it then holds for nobody. */
  readonly absent?: string;
  /** Most entries of a list or map: what iterating over it is reckoned to cost. */
  readonly entriesMax?: number;
  /** It changes by the mere passing of time, so that segments of it are looked at without an event, too. */
  readonly ages?: boolean;
}

/** Most of a shopper's segments and badges that expressions see. */
export const PORTRAIT_LIST_MAX = { segments: 256, badges: 64 } as const;
const affinities = PROFILE_LIMITS.affinities;
const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

/** What expressions can read of a shopper: the vocabulary of segments and of the eligibility of offers and campaigns. */
export const PORTRAIT_FIELDS = {
  lifecycle: { type: 'string', ages: true, about: quoted(LIFECYCLE_STAGES) },
  activity: { type: 'string', ages: true, about: `${quoted(ACTIVITIES)}: by the active events of the last week` },
  valueTier: { type: 'string', ages: true, about: `${quoted(VALUE_TIERS)}: by recency, frequency and money against the store's buyers; \`none\` without an order, or with fewer than 20 buyers in the store` },
  recencyScore: { type: 'int', ages: true, about: '1 to 5: fifth of the store\'s buyers by latest order, 5 the most recent; 0 as for `none`' },
  frequencyScore: { type: 'int', ages: true, about: 'the same by number of orders' },
  moneyScore: { type: 'int', ages: true, about: 'the same by amount spent less refunds' },
  socialRole: { type: 'string', ages: true, about: `${quoted(SOCIAL_ROLES)}: what they do most of in 90 days` },
  events: { type: 'int', about: 'events in all' },
  sessions: { type: 'int', about: 'visits in all; a pause of 30 minutes ends one' },
  recent: { type: 'map<string, double>', ages: true, entriesMax: EVENT_TYPES.length, about: 'event type → count with a half-life of 7 days, e.g. `recent["add_to_cart"]`; 0 for what never happened' },
  daysKnown: { type: 'double', ages: true, absent: 'no event yet', about: 'days since the first event' },
  daysSinceEvent: { type: 'double', ages: true, absent: 'no event yet', about: 'days since the latest event' },
  orders: { type: 'int', about: 'orders in all' },
  units: { type: 'int', about: 'units bought in all' },
  spentMinor: { type: 'int', about: 'spent in all less refunds, minor units' },
  refundedMinor: { type: 'int', about: 'refunded in all, minor units' },
  averageOrderMinor: { type: 'int', absent: 'no order yet', about: '`spentMinor` by order' },
  daysSinceOrder: { type: 'double', ages: true, absent: 'no order yet', about: 'days since the latest order' },
  daysBetweenOrders: { type: 'double', absent: 'fewer than 2 orders', about: 'mean gap between orders, days' },
  priceLevel: { type: 'double', absent: 'no interest in priced items', about: '1 (cheapest fifth of the catalog) to 5: centre of their interest' },
  promotionSensitivity: { type: 'double', ages: true, absent: 'no promotion shown or chosen yet', about: '0 to 1: how much promotions move them, by those chosen of those shown and by orders within 7 days of choosing one' },
  categories: { type: 'map<string, double>', ages: true, entriesMax: affinities, about: 'category path → interest (a view counts 1, a purchase 6; half-life 30 days), e.g. `categories["shoes/running"] > 3.0`' },
  brands: { type: 'map<string, double>', ages: true, entriesMax: affinities, about: 'brand → interest' },
  tags: { type: 'map<string, double>', ages: true, entriesMax: affinities, about: 'tag of items → interest' },
  season: { type: 'map<string, double>', ages: true, entriesMax: PROFILE_LIMITS.touches, about: 'root category → its share of the items touched in this quarter of the year, of any year' },
  cartItems: { type: 'int', about: 'different items in the cart' },
  cartMinor: { type: 'int', about: 'worth of the cart when it was filled, minor units' },
  wishlistItems: { type: 'int', about: 'items on the wishlist' },
  consent: { type: 'map<string, bool>', entriesMax: 16, about: 'purpose → given or not, e.g. `consent["marketing"]`; from the attributes' },
  attributes: { type: 'map<string, dyn>', entriesMax: 40, about: '`gender`, `region`, `ageBand`, `occupation`, `timezone`, `language`, `birthday` (MM-DD) and the store\'s own, e.g. `attributes.region == "north"`' },
  daysToBirthday: { type: 'int', ages: true, absent: 'birthday unknown', about: 'whole days until the next birthday, 0 on the day, by the shopper\'s timezone or UTC' },
  points: { type: 'int', about: 'growth points' },
  level: { type: 'int', about: 'growth level, from 0' },
  badges: { type: 'list<string>', entriesMax: PORTRAIT_LIST_MAX.badges, about: 'badges earned' },
  riskScore: { type: 'double', about: '0 to 1: how much their behaviour looks like abuse' },
  segments: { type: 'list<string>', entriesMax: PORTRAIT_LIST_MAX.segments, about: 'ids of the segments and operators\' tags they are in; not for use in a segment\'s own expression' },
} as const satisfies Readonly<Record<string, PortraitField>>;

export type PortraitFieldName = keyof typeof PORTRAIT_FIELDS;

/** A shopper as expressions read them; `undefined` is a field without a value. Fields may be computed when they are read. */
export type PortraitDocument = { readonly [N in PortraitFieldName]: CelValues[(typeof PORTRAIT_FIELDS)[N]['type']] | undefined };

export const isPortraitField = (name: string): name is PortraitFieldName => Object.hasOwn(PORTRAIT_FIELDS, name);
/** @returns the same by its general type, where the optional properties can be asked for */
export const portraitField = (name: PortraitFieldName): PortraitField => PORTRAIT_FIELDS[name];
