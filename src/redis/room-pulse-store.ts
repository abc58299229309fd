import { frameParts } from '../domain/channel.js';
import { NO_STATS, type RoomBatch, type RoomComment, type RoomStats } from '../domain/interaction.js';
import { FADING_MS, levelOf } from '../pulse/decay.js';
import { logScript, roomChannel } from './channel-log.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

export const ROOM_PULSE_LIMITS = {
  /** Between two frames of counts, and of comments, of one room over all processes, ms. */
  tellEveryMs: 1000,
  /** A process that has said nothing for so long has no viewers any more, ms … */
  silentMs: 8000,
  /** … and after this long a write of it that was on its way may count twice, ms. */
  forgottenMs: 10 * 60_000,
  /** Comments that are kept, and in one frame. */
  saidMax: 20,
  /** Topics kept, those that fade first are dropped; products likewise. */
  topicsMax: 300,
  /** Polls, and gift goals, in a frame of counts. */
  cuesToldMax: 4,
  /** How long all of it is kept after the last change, ms. */
  keptMs: 30 * 86_400_000,
} as const;

/** What a process tells. */
export interface Told {
  readonly process: string;
  /** 1, 2, 3 … of this process and room; another try has the same. */
  readonly sequence: number;
  readonly viewers: number;
  readonly batch: RoomBatch | undefined;
}

/** All that is known of what viewers do. Levels are fading counts, see `FADING_MS`. */
export interface RoomPulseState {
  readonly stats: RoomStats;
  readonly said: readonly RoomComment[];
  readonly moods: Readonly<Record<string, number>>;
  readonly topics: Readonly<Record<string, number>>;
  readonly carts: readonly { readonly itemId: string; readonly now: number; readonly usual: number }[];
}

interface PulseScripts {
  countRoom(...args: (string | number)[]): Promise<number>;
}

/** What viewers of a room do, summed over all processes, in the room's slot. */
export class RoomPulseStore {
  readonly #redis: RedisClient;
  readonly #scripts: PulseScripts;
  readonly #keys: Keys;
  readonly #limits: { readonly [Name in keyof typeof ROOM_PULSE_LIMITS]: number };

  constructor(redis: RedisClient, keys: Keys, limits: Partial<{ readonly [Name in keyof typeof ROOM_PULSE_LIMITS]: number }> = {}) {
    redis.defineCommand('countRoom', { numberOfKeys: 9, lua: logScript(redis, 'count-room') });
    this.#redis = redis;
    this.#scripts = redis as unknown as PulseScripts;
    this.#keys = keys;
    this.#limits = { ...ROOM_PULSE_LIMITS, ...limits };
  }

  /**
   * Adds to a room's counts, once however often it is tried with the same sequence, and tells its channel what has changed.
   * @returns in how many ms somebody has to come again so that what changed is told; 0: nothing waits
   */
  async add(roomId: string, { process, sequence, viewers, batch }: Told): Promise<number> {
    const { pulse, unique, votes, said, asked, carts, usualCarts, log, push } = this.#keys.room(roomId);
    const { tellEveryMs, silentMs, forgottenMs, saidMax, topicsMax, cuesToldMax, keptMs } = this.#limits;
    const channel = roomChannel(this.#keys, roomId);
    return this.#scripts.countRoom(
      pulse, unique, votes, said, asked, carts, usualCarts, log, push, process, sequence, viewers,
      // Comments as texts: Lua would write them otherwise than they came.
      batch === undefined ? '' : JSON.stringify({ ...batch, said: batch.said.map((comment) => JSON.stringify(comment)) }),
      frameParts(channel, 'stats', {})[0], frameParts(channel, 'comments', {})[0], tellEveryMs, silentMs, forgottenMs, saidMax, topicsMax, cuesToldMax, keptMs,
      FADING_MS.talk, FADING_MS.carts, FADING_MS.usualCarts,
    );
  }

  /** What a viewer who comes is shown: the counts as last told, and the last comments. */
  async shown(roomId: string): Promise<{ stats: RoomStats; comments: RoomComment[] }> {
    const { pulse, said } = this.#keys.room(roomId);
    const [told, comments] = await Promise.all([this.#redis.hget(pulse, 'told'), this.#redis.lrange(said, 0, -1)]);
    return { stats: statsOf(told), comments: comments.map((text) => JSON.parse(text) as RoomComment) };
  }

  /** @param now ms */
  async read(roomId: string, now: number): Promise<RoomPulseState> {
    const { pulse, asked, carts, usualCarts } = this.#keys.room(roomId);
    const moodNames = ['positive', 'neutral', 'negative'];
    const [{ stats, comments }, moods, topics, cartsNow, usual] = await Promise.all([
      this.shown(roomId), this.#redis.hmget(pulse, ...moodNames.map((mood) => `mood:${mood}`)),
      this.#redis.zrange(asked, '0', '-1', 'WITHSCORES'), this.#redis.zrange(carts, '0', '-1', 'WITHSCORES'), this.#redis.zrange(usualCarts, '0', '-1', 'WITHSCORES'),
    ]);
    const usualLevels = levelsOf(usual, now, FADING_MS.usualCarts);
    return {
      stats, said: comments,
      moods: Object.fromEntries(moodNames.map((mood, i) => [mood, levelOf(numberOf(moods[i]), now, FADING_MS.talk)])),
      topics: Object.fromEntries(levelsOf(topics, now, FADING_MS.talk)),
      carts: [...levelsOf(cartsNow, now, FADING_MS.carts)].map(([itemId, level]) => ({ itemId, now: level, usual: usualLevels.get(itemId) ?? 0 })),
    };
  }
}

const statsOf = (told: string | null): RoomStats => (told === null ? NO_STATS : JSON.parse(`{${told}}`) as RoomStats);
const numberOf = (text: string | null | undefined): number | undefined => (typeof text === 'string' ? Number(text) : undefined);

/** @param rows of a sorted set: member, score, member, score… */
function levelsOf(rows: readonly string[], now: number, tau: number): Map<string, number> {
  return new Map(rows.flatMap((member, i) => (i % 2 === 0 ? [[member, levelOf(Number(rows[i + 1]), now, tau)] as const] : [])));
}
