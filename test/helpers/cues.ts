import { join } from 'node:path';
import type { Catalog } from '../../src/catalog/catalog.js';
import type { ChannelAddress, LoggedFrame, Position } from '../../src/domain/channel.js';
import { codeSource } from '../../src/domain/claim-code.js';
import type { CueOf } from '../../src/domain/cue.js';
import type { OfferMessage } from '../../src/domain/offer-message.js';
import type { Audience, Member, RoomHooks } from '../../src/live/audience.js';
import { OfferPreparer } from '../../src/offers/decide/prepared-offer.js';
import type { LiveOffer } from '../../src/offers/live-offer.js';
import { OFFER_FEATURES } from '../../src/offers/decide/offer-features.js';
import { CuePlayer, type CuePlayerDeps } from '../../src/paths/play-cue.js';
import { StoredPortraits } from '../../src/paths/stored-portraits.js';
import { NO_BUYERS } from '../../src/profile/buyers.js';
import { encodeProfile, TOKEN_BYTES } from '../../src/profile/codec.js';
import type { Profile } from '../../src/profile/profile.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import { AttributeStore } from '../../src/redis/attribute-store.js';
import { roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { ClaimStore } from '../../src/redis/claim-store.js';
import type { RedisClient } from '../../src/redis/client.js';
import { CueStore } from '../../src/redis/cue-store.js';
import { DecisionLog, type LoggedDecision } from '../../src/redis/decision-log.js';
import { PortraitStore } from '../../src/redis/portrait-store.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { RoomStore } from '../../src/redis/room-store.js';
import { StandingStore } from '../../src/redis/standing-store.js';
import { compileExpression } from '../../src/segments/expression.js';
import { SegmentSet } from '../../src/segments/segment-set.js';
import { idSource } from '../../src/util/id-source.js';
import { OPEN_POLICY } from './decide.js';
import { keys } from './streams.js';

export const RESPONSE_FEATURES = { userFeatures: USER_FEATURES, itemFeatures: OFFER_FEATURES };
export const RESPONSE_DIR = join(import.meta.dirname, '..', '..', '..', 'models', 'response');
const TTL = { profileTtlS: 3600, streamEntriesMax: 1000 };

export type LadderCue = CueOf<'coupon_ladder'>;
/** What a socket was sent of a cue. */
export interface Heard { readonly shopper: string; readonly epoch?: string; readonly offset?: number; readonly offer: OfferMessage }

/** The sockets of one process: what a hub is to a player, without the sockets. */
export class Hall implements Audience {
  readonly heard: Heard[] = [];
  readonly #rooms = new Map<string, Map<string, Member>>();
  readonly #heads = new Map<string, Position>();
  #hooks: RoomHooks = {};

  viewersOf(channel: ChannelAddress): Iterable<Member> {
    if (channel.name.startsWith('room:')) return [...this.#rooms.get(channel.name)?.values() ?? []];
    const viewers = [...this.#rooms.values()].flatMap((room) => [...room].filter(([push]) => push === channel.push).map(([, member]) => member));
    return viewers.slice(0, 1);
  }

  feed(channel: ChannelAddress, { epoch, offset, json }: LoggedFrame): boolean {
    const members = [...this.viewersOf(channel)];
    // A copy of what was heard is dropped.
    const head = this.#heads.get(channel.push);
    if (head?.epoch !== epoch || head.offset < offset) for (const member of members) member.deliver(channel, json, undefined);
    this.#heads.set(channel.push, { epoch, offset });
    return members.length > 0;
  }

  headOf(channel: ChannelAddress): Position | undefined {
    return this.#heads.get(channel.push);
  }

  watchRooms(hooks: RoomHooks): void {
    this.#hooks = hooks;
  }

  join(roomId: string, shopper: string): void {
    const { name } = roomChannel(keys, roomId);
    const nothing = (): void => { /* A player does none of it. */ };
    const member: Member = {
      shopper, resync: nothing, touched: nothing, replaced: nothing,
      deliver: (_channel, frame) => {
        const { epoch, offset, offer } = JSON.parse(frame.toString()) as Heard;
        this.heard.push({ shopper, offer, ...epoch === undefined ? {} : { epoch, offset: offset! } });
      },
    };
    const room = this.#rooms.get(name) ?? new Map<string, Member>();
    this.#rooms.set(name, room.set(shopperChannel(keys, shopper).push, member));
    this.#hooks.onJoin?.(roomId, member);
  }

  leave(roomId: string, shopper: string): void {
    const room = this.#rooms.get(`room:${roomId}`);
    const { push } = shopperChannel(keys, shopper);
    const member = room?.get(push);
    if (member === undefined) return;
    room!.delete(push);
    this.#hooks.onLeave?.(roomId, member);
  }

  /** A frame of the room arrives. */
  hear(roomId: string, type: string, fields: Readonly<Record<string, unknown>>): void {
    this.#hooks.onFrame?.(roomId, type, { epoch: '1', offset: 1, json: Buffer.from(JSON.stringify({ type, ...fields })) });
  }

  of(shopper: string): readonly Heard[] {
    return this.heard.filter((one) => one.shopper === shopper);
  }
}

export interface StageOptions extends Partial<CuePlayerDeps> {
  readonly redis: RedisClient;
  readonly catalog: Catalog;
  readonly live: () => readonly LiveOffer[];
}

/** A process that plays cues, with its sockets. */
export class Stage {
  readonly hall = new Hall();
  readonly logged: LoggedDecision['record'][] = [];
  readonly counts = { offer: 0, default: 0, sold_out: 0, held: 0, before: 0, late: 0, played: 0 };
  readonly faults: unknown[] = [];
  readonly player: CuePlayer;
  readonly deps: CuePlayerDeps;

  constructor({ redis, catalog, live, ...others }: StageOptions) {
    const portraits = new StoredPortraits({
      attributes: new AttributeStore(redis, keys, TTL), store: new PortraitStore(redis, keys, TTL), standings: new StandingStore(redis, keys),
      surroundings: { segments: new SegmentSet([], () => { /* None is stored. */ }), buyers: NO_BUYERS }, book: catalog, clock: Date.now, newId: idSource(),
    });
    const log = new DecisionLog(redis, keys);
    const rooms = new RoomStore(redis, keys);
    this.deps = {
      audience: this.hall, keys, catalog, portraits, policy: OPEN_POLICY, clock: Date.now, newId: idSource(), deadlineMs: 5000,
      profiles: new ProfileStore(redis, keys, TTL), flagged: new Set<string>(), model: new ModelHolder({ features: RESPONSE_FEATURES, clock: () => performance.now(), batched: true }),
      claims: new ClaimStore(redis, keys, codeSource()), store: new CueStore(redis, keys, Date.now), preparer: new OfferPreparer(compileExpression),
      offers: { live }, rooms: { openCues: (id, now) => rooms.openCues(id, now), get: () => undefined },
      log: { add: (decision) => { this.logged.push(decision.record); log.add(decision); } },
      metrics: {
        onChunk: (counts, isLate) => {
          for (const outcome of ['offer', 'default', 'sold_out', 'held', 'before'] as const) this.counts[outcome] += counts[outcome];
          this.counts.late += isLate ? 1 : 0;
        },
        onPlayed: () => { this.counts.played += 1; },
      },
      onFault: (error) => { this.faults.push(error); },
      ...others,
    };
    this.player = new CuePlayer(this.deps);
  }
}

let cues = 0;

/** A ladder that has just been dropped. */
export const aLadder = (roomId: string, offerIds: string[], fields: Partial<LadderCue> = {}): LadderCue => {
  const number = ++cues;
  const at = Date.now();
  return { id: `${roomId}.${number}`, roomId, number, kind: 'coupon_ladder', offerIds, defaultOfferId: offerIds.at(-1)!, durationS: 60, at, endsAt: at + 60_000, ...fields };
};

export async function writeProfile(redis: RedisClient, shopper: string, profile: Profile): Promise<void> {
  await redis.set(keys.profile(shopper), encodeProfile(profile, Buffer.alloc(TOKEN_BYTES, 1)));
}
