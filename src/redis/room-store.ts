import { frameParts } from '../domain/channel.js';
import type { Cue, CueDraft } from '../domain/cue.js';
import type { Room, RoomStatus } from '../domain/room.js';
import { logScript, roomChannel } from './channel-log.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

export const ROOM_STORE_LIMITS = {
  /** Cues of one room in all, and open at once. */
  cuesMax: 1000,
  openCuesMax: 20,
  /** How long a closed room and its cues are kept, ms. */
  keptMs: 30 * 86_400_000,
  forgetAtOnce: 1000,
} as const;

export type WriteRoomResult =
  | { readonly kind: 'written' }
  /** Somebody else wrote first; 0: there is none. */
  | { readonly kind: 'changed'; readonly version: number };

export type CueRefusal = 'key_reused' | 'not_live' | 'too_many' | 'too_many_open';
export type AddCueResult =
  | { readonly kind: 'made' | 'replayed'; readonly cue: Cue }
  | { readonly kind: 'refused'; readonly why: CueRefusal };
const REFUSALS: Readonly<Record<number, CueRefusal>> = { 3: 'key_reused', 4: 'not_live', 5: 'too_many', 6: 'too_many_open' };

interface RoomScripts {
  writeRoom(...args: (string | number)[]): Promise<[1] | [2, number]>;
  addCue(...args: (string | number)[]): Promise<[result: number, cue?: string]>;
}

/** Rooms and their cues: each room in a slot of its own beside the log of its channel, with an index of their ids. */
export class RoomStore {
  readonly #redis: RedisClient;
  readonly #scripts: RoomScripts;
  readonly #keys: Keys;

  constructor(redis: RedisClient, keys: Keys) {
    redis.defineCommand('writeRoom', { numberOfKeys: 5, lua: logScript(redis, 'write-room') });
    redis.defineCommand('addCue', { numberOfKeys: 5, lua: logScript(redis, 'add-cue') });
    this.#redis = redis;
    this.#scripts = redis as unknown as RoomScripts;
    this.#keys = keys;
  }

  /**
   * Writes a room when its version is still the one before, and tells its channel. The indexes are written first: a room that is in them
   * and nowhere else does no harm. @param at ms
   */
  async write(room: Room, at: number): Promise<WriteRoomResult> {
    const { rooms, openRooms } = this.#keys;
    if (room.version === 1) await Promise.all([this.#redis.zadd(rooms, 'NX', at, room.id), this.#redis.zadd(openRooms, 'NX', at, room.id)]);
    const { state, log, push, cues, open } = this.#keys.room(room.id);
    const { status, version, pinnedItemId, openedAt, closedAt, ...definition } = room;
    const [result, there = 0] = await this.#scripts.writeRoom(
      state, log, push, cues, open, version - 1, version, JSON.stringify(definition), status, pinnedItemId ?? '', openedAt ?? '', closedAt ?? '',
      ...frameParts(roomChannel(this.#keys, room.id), 'room', { room }), at, ROOM_STORE_LIMITS.keptMs,
    );
    if (result === 2) return { kind: 'changed', version: there };
    await this.announce(room.id);
    return { kind: 'written' };
  }

  /**
   * Adds a cue, once however often it is tried with the same key.
   * @param request what was asked, by its hash
   */
  async addCue(roomId: string, key: { readonly key: string; readonly request: string }, draft: CueDraft): Promise<AddCueResult> {
    const { state, log, push, cues, open } = this.#keys.room(roomId);
    const { kind, at, endsAt } = draft;
    const [head] = frameParts(roomChannel(this.#keys, roomId), 'cue', {});
    const [result, cue] = await this.#scripts.addCue(
      state, log, push, cues, open, key.key, key.request, roomId, kind, JSON.stringify(draft).slice(1, -1), at, endsAt,
      draft.kind === 'pin' ? draft.itemId ?? '' : '', head, ROOM_STORE_LIMITS.cuesMax, ROOM_STORE_LIMITS.openCuesMax, ROOM_STORE_LIMITS.keptMs,
    );
    if (cue === undefined) return { kind: 'refused', why: REFUSALS[result]! };
    if (kind === 'pin' || kind === 'end') await this.announce(roomId);
    return { kind: result === 1 ? 'made' : 'replayed', cue: JSON.parse(cue) as Cue };
  }

  /** @returns the cue that a key made, if any, and whether it was for the same request */
  async cueOfKey(roomId: string, { key, request }: { readonly key: string; readonly request: string }): Promise<AddCueResult | undefined> {
    const known = await this.#redis.hget(this.#keys.room(roomId).cues, `k:${key}`);
    if (known === null) return undefined;
    const [number = '', hash] = known.split(' ');
    if (hash !== request) return { kind: 'refused', why: 'key_reused' };
    const [cue] = await this.#cuesOf(roomId, [number]);
    return cue === undefined ? undefined : { kind: 'replayed', cue };
  }

  async read(id: string): Promise<Room | undefined> {
    return roomOf(await this.#redis.hgetall(this.#keys.room(id).state));
  }

  /** Versions of rooms, undefined of one that is gone; in one go. */
  versions(ids: readonly string[]): Promise<(number | undefined)[]> {
    return Promise.all(ids.map(async (id) => {
      const version = await this.#redis.hget(this.#keys.room(id).state, 'version');
      return version === null ? undefined : Number(version);
    }));
  }

  async cue(roomId: string, number: number): Promise<Cue | undefined> {
    return (await this.#cuesOf(roomId, [String(number)]))[0];
  }

  /** Cues, newest first. @param before number of the last one of the page before; undefined to begin */
  async cues(roomId: string, before: number | undefined, limit: number): Promise<Cue[]> {
    const last = before === undefined ? Number(await this.#redis.hget(this.#keys.room(roomId).state, 'number') ?? 0) : before - 1;
    return this.#cuesOf(roomId, Array.from({ length: Math.max(0, Math.min(limit, last)) }, (_, i) => String(last - i)));
  }

  /** Cues that are open at `now` (ms), in order. */
  async openCues(roomId: string, now: number): Promise<Cue[]> {
    const numbers = await this.#redis.zrangebyscore(this.#keys.room(roomId).open, `(${now}`, '+inf');
    return this.#cuesOf(roomId, numbers.map(Number).toSorted((a, b) => a - b).map(String));
  }

  /** Ids of rooms, those made last first. @param after the last one of the page before, which may have been closed since; '' to begin */
  async ids(which: 'all' | 'open', after: string, limit: number): Promise<string[]> {
    const { rooms, openRooms } = this.#keys;
    const key = which === 'all' ? rooms : openRooms;
    const last = after === '' ? -1 : await this.#redis.zrevrank(key, after) ?? await this.#lastSince(key, await this.#redis.zscore(rooms, after));
    return last === undefined ? [] : this.#redis.zrange(key, String(last + 1), String(last + limit), 'REV');
  }

  /** @returns the place of the last one that was made after a time, ms: −1 where there is none; undefined for no time */
  async #lastSince(key: string, at: string | null): Promise<number | undefined> {
    return at === null ? undefined : await this.#redis.zcount(key, `(${at}`, '+inf') - 1;
  }

  /** Ids of all rooms that are not closed, and when they were made, ms. */
  async openIds(): Promise<{ id: string; at: number }[]> {
    const rows = await this.#redis.zrange(this.#keys.openRooms, '0', '-1', 'WITHSCORES');
    return rows.flatMap((id, i) => (i % 2 === 0 ? [{ id, at: Number(rows[i + 1]) }] : []));
  }

  countOpen(): Promise<number> {
    return this.#redis.zcard(this.#keys.openRooms);
  }

  /** Takes closed rooms off the index of open ones. */
  async noteClosed(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#redis.zrem(this.#keys.openRooms, ...ids);
  }

  /** Takes rooms off the index of all that are not kept any more. @param before when they were made, ms */
  async forgetOld(before: number): Promise<void> {
    const ids = await this.#redis.zrange(this.#keys.rooms, '-inf', String(before), 'BYSCORE', 'LIMIT', 0, ROOM_STORE_LIMITS.forgetAtOnce);
    const versions = await this.versions(ids);
    const gone = ids.filter((_, i) => versions[i] === undefined);
    if (gone.length > 0) await this.#redis.zrem(this.#keys.rooms, ...gone);
  }

  /** Tells every process that a room has changed. */
  async announce(id: string): Promise<void> {
    await this.#redis.publish(this.#keys.roomNotices, id).catch(() => { /* Followers also look by themselves. */ });
  }

  async #cuesOf(roomId: string, numbers: readonly string[]): Promise<Cue[]> {
    if (numbers.length === 0) return [];
    const texts = await this.#redis.hmget(this.#keys.room(roomId).cues, ...numbers);
    return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as Cue]));
  }
}

/** @param state as `write-room.lua` keeps it */
function roomOf(state: Readonly<Record<string, string>>): Room | undefined {
  const { definition, status, version, pinned, openedAt, closedAt } = state;
  if (definition === undefined) return undefined;
  return {
    ...JSON.parse(definition) as Omit<Room, 'status' | 'version'>, status: status as RoomStatus, version: Number(version),
    ...(pinned === '' ? {} : { pinnedItemId: pinned! }), ...(openedAt === '' ? {} : { openedAt: Number(openedAt) }), ...(closedAt === '' ? {} : { closedAt: Number(closedAt) }),
  };
}
