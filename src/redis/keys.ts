import { hash48 } from '../util/hash.js';

/** Partitions of shoppers; fixed at first start, because a profile's key depends on it. */
export const PARTITIONS = 64;
const SLOTS = 16_384;

/** CRC16 (XMODEM) of a key's hash tag modulo 16384: the slot by the Redis Cluster specification. */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc % SLOTS;
}

/** The slot of a key: of its first `{…}` where that is not empty, else of all of it. */
export function slotOfKey(key: string): number {
  const [, tag = key] = /^[^{]*\{([^}]+)\}/u.exec(key) ?? [];
  return slotOf(tag);
}

/** Tags `pN.K`, K chosen so that partition N lies in the N-th of 64 equal slot ranges: any Cluster is loaded evenly. */
const TAGS: readonly string[] = Array.from({ length: PARTITIONS }, (_, partition) => {
  const width = SLOTS / PARTITIONS;
  for (let k = 0; ; k++) {
    const tag = `p${partition}.${k}`;
    if (Math.floor(slotOf(tag) / width) === partition) return tag;
  }
});

export const partitionOf = (shopper: string): number => hash48(shopper) % PARTITIONS;

/** Names of all keys. A shopper's keys and the partition's streams share one hash tag, hence one slot. */
export function makeKeys(prefix: string) {
  const partition = (index: number): string => `${prefix}{${TAGS[index]!}}`;
  const ofShopper = (shopper: string): string => partition(partitionOf(shopper));
  const beginnings = TAGS.map((_, index) => {
    const slot = partition(index);
    return { inbox: `${slot}:inbox:`, contacts: `${slot}:contacts:`, log: `${slot}:log:`, push: `${slot}:push:` } as const;
  });
  return {
    prefix,
    profile: (shopper: string) => `${ofShopper(shopper)}:profile:${shopper}`,
    /** What the store says of a shopper, JSON. */
    attributes: (shopper: string) => `${ofShopper(shopper)}:attributes:${shopper}`,
    /** Visitors who were merged into a user: set of shoppers. */
    visitors: (shopper: string) => `${ofShopper(shopper)}:visitors:${shopper}`,
    /** ShopperEvents, shopper records (alias, erase) and portrait records in order; field `e`, JSON. */
    events: (index: number) => `${partition(index)}:events`,
    eventsOf: (shopper: string) => `${ofShopper(shopper)}:events`,
    /** What was shown, with the vectors it was ranked by: see `ImpressionLog`. */
    impressions: (index: number) => `${partition(index)}:impressions`,
    /** What was decided about offers, with the vectors it was decided by: see `DecisionLog`. */
    decisions: (index: number) => `${partition(index)}:decisions`,
    /** When a shopper was last addressed, over all channels: member id of the contact, score ms. */
    contacts: (shopper: string) => `${ofShopper(shopper)}:contacts:${shopper}`,
    /** Messages that are not to be sent again: member message id, score until when, ms; and campaigns that pause: hash id → until when, ms, and the run that has it. */
    sent: (shopper: string) => `${ofShopper(shopper)}:sent:${shopper}`,
    cooldowns: (shopper: string) => `${ofShopper(shopper)}:cooldowns:${shopper}`,
    /** Segments the shopper is in: hash id → since, ms. */
    memberships: (shopper: string) => `${ofShopper(shopper)}:segments:${shopper}`,
    /** A partition's members of a segment: zset of scores 0, in order of name; and how many each segment has: hash. */
    segmentMembers: (index: number, id: string) => `${partition(index)}:members:${id}`,
    segmentSizes: (index: number) => `${partition(index)}:segment-sizes`,
    /** Who entered and left which segment: stream; field `c`, a SegmentChange as JSON. */
    segmentChanges: (index: number) => `${partition(index)}:segment-changes`,
    /** Buyers of a partition: hash shopper → buckets; and how many there are in each: hash `<metric>:<bucket>` → count. */
    buyers: (index: number) => `${partition(index)}:buyers`,
    buyerCounts: (index: number) => `${partition(index)}:buyer-counts`,
    /** What all buyers come to, JSON; and a counter of its publications. */
    buyersPublished: `${prefix}{segments}:buyers`,
    buyersVersion: `${prefix}{segments}:buyers-version`,
    /** What a shopper's growth is made of, JSON; the changes of their points: stream, field `e`, JSON; ids of what counted: zset by time. */
    growth: (shopper: string) => `${ofShopper(shopper)}:growth:${shopper}`,
    growthLedger: (shopper: string) => `${ofShopper(shopper)}:growth-ledger:${shopper}`,
    growthSeen: (shopper: string) => `${ofShopper(shopper)}:growth-seen:${shopper}`,
    growthRules: `${prefix}{growth}:rules`,
    /** What others read of a shopper's growth and risk: hash of points, level, badges (JSON), risk, flagged (1). */
    standing: (shopper: string) => `${ofShopper(shopper)}:standing:${shopper}`,
    /** What speaks for abuse, JSON; who changed the flag: stream; devices and addresses of claims, hashed: zset by time. */
    risk: (shopper: string) => `${ofShopper(shopper)}:risk:${shopper}`,
    riskAudit: (shopper: string) => `${ofShopper(shopper)}:risk-audit:${shopper}`,
    riskTraces: (shopper: string) => `${ofShopper(shopper)}:risk-traces:${shopper}`,
    /** Flagged shoppers of a partition: zset of scores 0, in order of name. */
    flagged: (index: number) => `${partition(index)}:flagged`,
    /** Pieces of time → requests counted over all processes. */
    velocity: (what: string) => `${prefix}{velocity:${what}}`,
    /** The operators' segments: hash id → JSON; and a counter of their changes. */
    segments: `${prefix}{segments}:definitions`,
    segmentsVersion: `${prefix}{segments}:version`,
    /** The version of the segments for which all shoppers were last looked at. */
    segmentsSwept: `${prefix}{segments}:swept`,
    items: `${prefix}{catalog}:items`,
    pins: `${prefix}{catalog}:pins`,
    catalogChanges: `${prefix}{catalog}:changes`,
    catalogSequence: `${prefix}{catalog}:sequence`,
    /** Item id → the last price seen by the watch over the catalog, minor units; and items seen sold out. */
    pricesSeen: `${prefix}{catalog}:prices-seen`,
    soldOutSeen: `${prefix}{catalog}:sold-out-seen`,
    /** Where in the change stream that watch stands. */
    pricesPosition: `${prefix}{catalog}:prices-position`,
    /** The latest messages to a shopper that still stand: list of JSON, newest first. */
    inbox: (shopper: string) => `${ofShopper(shopper)}:inbox:${shopper}`,
    /** What the shopper did with them: message id → `read` or `dismissed`. */
    inboxMarks: (shopper: string) => `${ofShopper(shopper)}:inbox-marks:${shopper}`,
    /** What was sent to shoppers, for webhooks: fields `s` shopper, `m` message, `n` sockets that listened. */
    deliveries: (index: number) => `${partition(index)}:deliveries`,
    deliveriesOf: (shopper: string) => `${ofShopper(shopper)}:deliveries`,
    /** When a shopper last did what campaigns look for: member event type, or `seen`; score ms. */
    happenings: (shopper: string) => `${ofShopper(shopper)}:happenings:${shopper}`,
    /** Birthdays of a partition's shoppers: member shopper, score month × 100 + day. */
    birthdays: (index: number) => `${partition(index)}:birthdays`,
    birthdaysOf: (shopper: string) => `${ofShopper(shopper)}:birthdays`,
    /** Operators' campaigns: id → JSON; and what counts their changes. */
    campaigns: `${prefix}{campaigns}:definitions`,
    campaignsVersion: `${prefix}{campaigns}:version`,
    /** Set when the shoppers of a day are all in the campaign. */
    campaignDay: (campaign: string, day: string) => `${prefix}{campaigns}:day:${campaign}:${day}`,
    /** Endpoints of webhooks: id → JSON; and what could not be handed to one: by time, and by message. */
    webhooks: `${prefix}{webhooks}:endpoints`,
    webhookDeadTimes: (id: string) => `${prefix}{webhooks}:dead-times:${id}`,
    webhookDead: (id: string) => `${prefix}{webhooks}:dead:${id}`,
    /** Items by which a shopper is found in `watchers`: member item id, score time. */
    watched: (shopper: string) => `${ofShopper(shopper)}:watched:${shopper}`,
    /** Shoppers who have an item in cart or wishlist: member shopper, score time. */
    watchers: (itemId: string) => `${prefix}{item:${itemId.replaceAll('}', '%7D')}}:watchers`,
    statisticsVersion: `${prefix}{statistics}:version`,
    statistics: (version: string) => `${prefix}{statistics}:data:${version}`,
    /** What changed since a version was published: stream of increments `1-0`, `2-0`…; field `i`. */
    statisticsIncrements: (version: string) => `${prefix}{statistics}:increments:${version}`,
    /** Set when the statistics are to be counted anew from the archive. */
    statisticsRecount: `${prefix}{statistics}:recount`,
    trending: `${prefix}{statistics}:trending`,
    /** How a shadow model does beside the serving one: a hash of counts. */
    shadow: (model: string) => `${prefix}{statistics}:shadow:${model}`,
    /** How far live traffic is from where the serving model was trained: a hash, stability index by column. */
    drift: `${prefix}{statistics}:drift`,
    /** Of an offer, in a slot of its own: see `claim-record.lua`; `audit`: who changed its definition, when and what. */
    offer: (id: string) => {
      const slot = `${prefix}{offer:${id}}`;
      return { state: `${slot}:state`, ledger: `${slot}:ledger`, due: `${slot}:due`, audit: `${slot}:audit` } as const;
    },
    /** Ids of all offers there ever were, and of those with anything left to do: sorted sets, all scores 0. */
    offers: `${prefix}{offers}:all`,
    openOffers: `${prefix}{offers}:open`,
    /** Pub/sub: the id of an offer whose definition changed. */
    offerNotices: `${prefix}offer-notices`,
    /** Claims of a shopper: member claim id, score when it was made, ms. */
    wallet: (shopper: string) => `${ofShopper(shopper)}:wallet:${shopper}`,
    /** Pub/sub of small notices to every process. */
    notices: `${prefix}notices`,
    /**
     * Of a live room, in a slot of its own: what it is (hash), its log of frames and the sharded pub/sub of them (see `channel-log.lua`),
     * its cues (hash number → JSON, `k:<idempotency key>` → number and hash of the request, `t:<number>` → viewers who were told of it), and when
     * those that are open end (zset).
     * What its viewers do, from `pulse` on: see `count-room.lua`.
     */
    room: (id: string) => {
      const slot = `${prefix}{room:${id}}`;
      return {
        state: `${slot}:state`, log: `${slot}:log`, push: `${slot}:push`, cues: `${slot}:cues`, open: `${slot}:open`,
        pulse: `${slot}:pulse`, unique: `${slot}:unique`, votes: `${slot}:votes`, said: `${slot}:said`, asked: `${slot}:asked`,
        carts: `${slot}:carts`, usualCarts: `${slot}:usual-carts`,
      } as const;
    },
    /** How a ladder of a room spread: hash `<piece of time>:<outcome>` → viewers. */
    cueReach: (roomId: string, number: number) => `${prefix}{room:${roomId}}:reach:${number}`,
    /** Of a partition's shoppers those whom a cue has reached: see `deliver-cue.lua`. */
    cueServed: (index: number, cueId: string) => `${partition(index)}:cue-served:${cueId}`,
    /** What the names of some keys of a partition's shoppers begin with; the shopper follows. */
    ofPartition: (index: number) => beginnings[index]!,
    /** Ids of all rooms that are kept, and of those that are not closed: sorted sets, by when they were made, ms. */
    rooms: `${prefix}{rooms}:all`,
    openRooms: `${prefix}{rooms}:open`,
    /** Pub/sub: the id of a room that changed. */
    roomNotices: `${prefix}room-notices`,
    /** The shopper's log of frames, and the sharded pub/sub on which they reach the shopper's sockets: see `channel-log.lua`. */
    log: (shopper: string) => `${ofShopper(shopper)}:log:${shopper}`,
    push: (shopper: string) => `${ofShopper(shopper)}:push:${shopper}`,
    meta: `${prefix}meta`,
    lock: (name: string) => `${prefix}lock:${name}`,
    /** BullMQ adds its own separators. */
    queues: `${prefix.replace(/[:{}]+$/u, '')}{jobs}`,
  } as const;
}
export type Keys = ReturnType<typeof makeKeys>;
