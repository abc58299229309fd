import { Type, type Static } from '../util/type.js';
import { EVENT_LIMITS } from './event.js';
import { form, title } from './form.js';
import { ITEM_LIMITS, type Item } from './item.js';

/** Limits of one room; each is checked at the boundary. */
export const ROOM_LIMITS = {
  titleCharsMax: 256,
  /** Products a host can show. */
  productsMax: 200,
} as const;

/** Letters that need no escaping in a key, a channel or a hash tag; short enough to be part of other ids. */
export const RoomIdSchema = form('^[A-Za-z0-9_-]{1,40}$', 'an id of 1 to 40 letters, digits, - or _');
const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
const Name = title(128);
const strict = { additionalProperties: false } as const;

/** Who may watch: everybody, or whoever's token names the room. */
export const ROOM_ACCESS = ['public', 'invited'] as const;

/** scheduled → live → closed; a closed room never comes back, its host opens another. */
export const ROOM_STATUSES = ['scheduled', 'live', 'closed'] as const;
export type RoomStatus = (typeof ROOM_STATUSES)[number];

/** A room as its host states it. */
export const RoomInputSchema = Type.Object({
  id: RoomIdSchema,
  title: title(ROOM_LIMITS.titleCharsMax),
  /** Shoppers come to like hosts as they like brands: by the name. */
  host: Type.Object({ id: Id, name: Name }, strict),
  /** What the show is about, from the root down, as of an item: `["shoes", "running"]`. */
  category: Type.Array(Name, { minItems: 1, maxItems: ITEM_LIMITS.categoryDepthMax }),
  /** Item ids in the host's order. */
  products: Type.Array(Id, { maxItems: ROOM_LIMITS.productsMax, uniqueItems: true }),
  /** When it is announced for, ms; the host opens it. */
  startsAt: Type.Optional(Type.Integer({ minimum: 0, maximum: 8.64e15 })),
  /** Default `public`. */
  access: Type.Optional(Type.Enum([...ROOM_ACCESS])),
}, strict);
export type RoomInput = Static<typeof RoomInputSchema>;

/** A room as it is kept. Times are ms. */
export interface Room extends RoomInput {
  readonly access: (typeof ROOM_ACCESS)[number];
  readonly status: RoomStatus;
  /** The product that the host shows now. */
  readonly pinnedItemId?: string;
  /** Counts its changes, from 1. */
  readonly version: number;
  readonly createdAt: number;
  readonly openedAt?: number;
  readonly closedAt?: number;
}

const ITEM_PREFIX = 'room:';
/** The tag of rooms that are live, as items of the catalog. */
export const LIVE_TAG = 'live';

/** @returns the id of a room as an item of the catalog */
export const roomItemId = (roomId: string): string => ITEM_PREFIX + roomId;

/** @returns the room as an item: liked for its host (brand) and category, in stock while it is live for everybody; who is invited knows */
export function roomItem({ id, title, host, category, access, status, openedAt }: Room): Item {
  const isOn = status === 'live' && access === 'public';
  return {
    id: roomItemId(id), kind: 'room', title, category: [...category], brand: host.name,
    stock: isOn ? 1 : 0, tags: isOn ? [LIVE_TAG] : [], attributes: { roomId: id },
    ...(openedAt === undefined ? {} : { publishedAt: new Date(openedAt).toISOString() }),
  };
}
