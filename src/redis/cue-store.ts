import type { ChannelAddress, LoggedFrame, Position } from '../domain/channel.js';
import type { Cue } from '../domain/cue.js';
import { WEEK_MS } from '../offers/contact-policy.js';
import type { Clock } from '../util/clock.js';
import { logScript } from './channel-log.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { INBOX_LIMITS } from './offer-store.js';
import { readScript } from './profile-store.js';
import { ROOM_STORE_LIMITS } from './room-store.js';

export const CUE_STORE_LIMITS = {
  /** Who was reached is known for so long after a cue's end, ms: for whoever is late with something. */
  servedMs: 10 * 60_000,
  /** Reach is counted in pieces of this length, ms. */
  reachPieceMs: 250,
} as const;

/** What a cue has for a viewer. */
export interface CueDelivery {
  readonly shopper: string;
  /** Id of the claim that goes with it, '' for none. */
  readonly claim: string;
  /** The message, JSON. */
  readonly message: string;
  /** The frame's JSON before its position: see `frameParts`. */
  readonly head: string;
  /** Where the shopper's log ends, as far as this process knows. */
  readonly after: Position | undefined;
}

/** What has reached a viewer. */
export interface CueMark {
  /** Whether by this very delivery; else by an earlier one, of another process perhaps. */
  readonly isNew: boolean;
  readonly position: Position;
  readonly claim: string;
}

/** What came of a ladder for a viewer. */
export const CUE_OUTCOMES = ['offer', 'default', 'sold_out'] as const;
export type CueOutcome = (typeof CUE_OUTCOMES)[number];
export type CueCounts = Readonly<Record<CueOutcome, number>>;

/** How many viewers a ladder reached in a piece of time. */
export interface ReachPiece extends CueCounts {
  /** Since the cue began, ms. */
  readonly fromMs: number;
}

interface CueScripts {
  deliverCue(...args: (string | number)[]): Promise<string>;
  noteCue(...args: (string | number)[]): Promise<null>;
}

/** Whom cues have reached, with what, and when. */
export class CueStore {
  readonly #redis: RedisClient;
  readonly #scripts: CueScripts;
  readonly #keys: Keys;
  readonly #clock: Clock;

  constructor(redis: RedisClient, keys: Keys, clock: Clock) {
    redis.defineCommand('deliverCue', { numberOfKeys: 4, lua: logScript(redis, 'deliver-cue') });
    redis.defineCommand('noteCue', { numberOfKeys: 2, lua: readScript('note-cue') });
    this.#redis = redis;
    this.#scripts = redis as unknown as CueScripts;
    this.#keys = keys;
    this.#clock = clock;
  }

  /**
   * Brings messages to viewers of one partition, to each at most once: may be repeated after a failure. Their inboxes are to be tidied up
   * afterwards: see `note`.
   */
  async deliver(cue: Cue, partition: number, deliveries: readonly CueDelivery[]): Promise<CueMark[]> {
    const marks = await this.#deliver(cue, partition, deliveries);
    // Somebody else has written to their logs since.
    const behind = deliveries.flatMap((delivery, i) => (marks[i] === undefined ? [{ ...delivery, after: undefined }] : []));
    const others = behind.length === 0 ? [] : await this.#deliver(cue, partition, behind);
    let next = 0;
    return marks.map((mark) => mark ?? others[next++]!);
  }

  async #deliver({ id, endsAt }: Cue, partition: number, deliveries: readonly CueDelivery[]): Promise<(CueMark | undefined)[]> {
    const { inbox, log, push } = this.#keys.ofPartition(partition);
    const now = this.#clock();
    const args: (string | number)[] = [
      this.#keys.cueServed(partition, id), inbox, log, push, now, Math.max(0, endsAt - now) + CUE_STORE_LIMITS.servedMs, INBOX_LIMITS.lifeMs,
    ];
    const places = deliveries.map(({ after }) => (after === undefined || this.#redis.isCluster ? undefined : { epoch: after.epoch, offset: after.offset + 1 }));
    deliveries.forEach(({ shopper, claim, message, head }, i) => {
      const place = places[i];
      args.push(shopper, claim, Buffer.byteLength(message), place === undefined ? '' : `${place.epoch}-${place.offset}`, cueFrame(head, place, message));
    });
    const lines = (await this.#scripts.deliverCue(...args)).split('\n');
    return lines.map((line, i) => {
      if (line === '!') return undefined;
      return line === '+' ? { isNew: true, position: places[i]!, claim: deliveries[i]!.claim } : markOf(line);
    });
  }

  /** Tidies the inboxes up of viewers of one partition who were served, and notes that they were contacted. @param contacts by what name, '' for none */
  async note(partition: number, shoppers: readonly string[], contacts: readonly string[]): Promise<void> {
    const { inbox, contacts: contact } = this.#keys.ofPartition(partition);
    await this.#scripts.noteCue(
      inbox, contact, this.#clock(), INBOX_LIMITS.messagesMax, INBOX_LIMITS.lifeMs, WEEK_MS, ...shoppers.flatMap((shopper, i) => [shopper, contacts[i]!]),
    );
  }

  /** @returns what has reached viewers of one partition so far; undefined of whom nothing has */
  async served({ id }: Cue, partition: number, shoppers: readonly string[]): Promise<(CueMark | undefined)[]> {
    const marks = await this.#redis.hmget(this.#keys.cueServed(partition, id), ...shoppers);
    return marks.map((mark) => (mark === null ? undefined : markOf(`=${mark}`)));
  }

  /** Publishes a frame of a log to whoever listens by now; a copy that was heard already is dropped by its offset. */
  async republish({ push }: ChannelAddress, { epoch, offset, json }: LoggedFrame): Promise<void> {
    await this.#redis.spublish(push, `${epoch}-${offset} ${json.toString()}`);
  }

  /** Counts viewers who were told of a cue that is the same for everybody: beside the cue, because a key for each of them would be many. */
  async countTold({ roomId, number }: Pick<Cue, 'roomId' | 'number'>, viewers: number): Promise<void> {
    await this.#redis.hincrby(this.#keys.room(roomId).cues, `t:${number}`, viewers);
  }

  async told(roomId: string, number: number): Promise<number> {
    return Number(await this.#redis.hget(this.#keys.room(roomId).cues, `t:${number}`) ?? 0);
  }

  /** Counts viewers of a ladder that were reached at a time, ms. */
  async countReach({ roomId, number, at }: Pick<Cue, 'roomId' | 'number' | 'at'>, counts: CueCounts, reachedAt: number): Promise<void> {
    const key = this.#keys.cueReach(roomId, number);
    const piece = Math.floor(Math.max(0, reachedAt - at) / CUE_STORE_LIMITS.reachPieceMs);
    const counted = CUE_OUTCOMES.filter((outcome) => counts[outcome] > 0);
    await Promise.all([
      ...counted.map((outcome) => this.#redis.hincrby(key, `${piece}:${outcome}`, counts[outcome])), this.#redis.pexpire(key, ROOM_STORE_LIMITS.keptMs),
    ]);
  }

  /** @returns the pieces of time in which viewers of a ladder were reached, in order */
  async reach(roomId: string, number: number): Promise<ReachPiece[]> {
    const counts = await this.#redis.hgetall(this.#keys.cueReach(roomId, number));
    const pieces = new Map<number, Record<CueOutcome, number>>();
    for (const [field, count] of Object.entries(counts)) {
      const [piece = '', outcome = ''] = field.split(':');
      const known = pieces.get(Number(piece)) ?? { offer: 0, default: 0, sold_out: 0 };
      known[outcome as CueOutcome] = Number(count);
      pieces.set(Number(piece), known);
    }
    return [...pieces].toSorted(([a], [b]) => a - b).map(([piece, outcomes]) => ({ fromMs: piece * CUE_STORE_LIMITS.reachPieceMs, ...outcomes }));
  }
}

/** A frame as the log has it; without a place, as it is sent before. */
export const cueFrame = (head: string, place: Position | undefined, message: string): string =>
  (place === undefined ? `${head},"offer":${message}}` : `${head},"epoch":"${place.epoch}","offset":${place.offset},"offer":${message}}`);

/** @param text `+` or `=`, `<epoch>-<offset> <claim>` */
function markOf(text: string): CueMark {
  const dash = text.indexOf('-');
  const space = text.indexOf(' ', dash);
  return { isNew: text[0] === '+', position: { epoch: text.slice(1, dash), offset: Number(text.slice(dash + 1, space)) }, claim: text.slice(space + 1) };
}
