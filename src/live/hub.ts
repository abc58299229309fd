import type { Cluster, Redis } from 'ioredis';
import { AppError } from '../errors.js';
import { LATE, within } from '../util/deadline.js';
import { pause } from '../util/pause.js';
import type { LiveLimits } from './limits.js';
import type { Channel } from './protocol.js';

/** Frames that arrive by pub/sub → the channel whose subscribers get them. Other types are a newer process's: ignored. */
const CHANNEL_OF_FRAME: Readonly<Record<string, Channel>> = { offer: 'offers', recommendations: 'recommendations' };
/** A pushed frame begins with its type, so that it need not be parsed. */
const FRAME_TYPE = /^\{"type":"([a-z_]{1,32})"/u;
const FRAME_HEAD_BYTES = 64;
/** After a gap: rooms looked after at once, and tries for each, because other connections may come back later than ours. */
const RESTORE = { atOnce: 64, attempts: 8, pauseMs: 250 } as const;

/** A socket of a shopper, as the hub sees it. */
export interface Member {
  /** @param frame shared by all members, not to be changed */
  deliver(channel: Channel, frame: Buffer): void;
  /** The shopper's profile changed. */
  touched(): void;
  /** Redis was away; what was published meanwhile is lost and may have to be read again. */
  restored(): Promise<void>;
  /** Another socket takes this one's place. */
  replaced(): void;
}

export interface LiveHubOptions {
  /** Its address and options are taken over by the hub's own connection. */
  readonly redis: Redis | Cluster;
  /** Shopper → name of the sharded channel on which frames for them are pushed. */
  readonly channelOf: (shopper: string) => string;
  readonly limits: Pick<LiveLimits, 'socketsPerShopperMax' | 'subscribeMs'>;
  readonly onFault: (error: unknown) => void;
}

interface Room {
  readonly channel: string;
  /** In order of arrival. */
  readonly members: Set<Member>;
  /** Somebody listens, so that Redis must be asked. */
  isWanted: boolean;
  /** Redis has confirmed the subscription on the connection that is there now. */
  isLive: boolean;
  /** It was live before: a new confirmation means a gap. */
  hasGap: boolean;
  waiting: (() => void)[];
}

/**
 * Who is here: the sockets of each shopper in this process, and one sharded subscription per shopper on which any
 * process pushes frames. The wanted subscriptions are kept here and made anew on each connection: ioredis would
 * restore them, too, but not say when, and would queue without bound what comes and goes while Redis is away.
 */
export class LiveHub {
  readonly #redis: Redis;
  readonly #channelOf: (shopper: string) => string;
  readonly #limits: LiveHubOptions['limits'];
  /** By shopper, and the same by push channel. */
  readonly #rooms = new Map<string, Room>();
  readonly #roomsByChannel = new Map<string, Room>();
  readonly #onFault: (error: unknown) => void;

  constructor({ redis, channelOf, limits, onFault }: LiveHubOptions) {
    this.#channelOf = channelOf;
    this.#limits = limits;
    this.#onFault = onFault;
    this.#redis = (redis as Redis).duplicate({
      connectionName: 'live', autoResubscribe: false, autoResendUnfulfilledCommands: false, enableOfflineQueue: false, maxRetriesPerRequest: null,
    });
    this.#redis.on('error', () => { /* reconnecting is under way */ });
    this.#redis.on('ready', () => void this.#subscribeAll());
    this.#redis.on('close', () => this.#lose());
    this.#redis.on('smessageBuffer', (channel: Buffer, message: Buffer) => this.#receive(channel.toString(), message));
  }

  get shoppers(): number {
    return this.#rooms.size;
  }

  join(shopper: string, member: Member): void {
    const channel = this.#channelOf(shopper);
    const room = this.#rooms.get(shopper) ?? { channel, members: new Set(), isWanted: false, isLive: false, hasGap: false, waiting: [] };
    this.#rooms.set(shopper, room);
    this.#roomsByChannel.set(channel, room);
    room.members.add(member);
    const [oldest] = room.members;
    if (room.members.size > this.#limits.socketsPerShopperMax) oldest?.replaced();
  }

  leave(shopper: string, member: Member): void {
    const room = this.#rooms.get(shopper);
    if (room?.members.delete(member) !== true || room.members.size > 0) return;
    this.#rooms.delete(shopper);
    this.#roomsByChannel.delete(room.channel);
    if (room.isWanted && this.#redis.status === 'ready') this.#redis.sunsubscribe(room.channel).catch(() => { /* gone with the connection */ });
  }

  /**
   * Resolves when frames pushed from now on arrive.
   * @throws AppError `store_unavailable`
   */
  async listen(shopper: string): Promise<void> {
    const room = this.#rooms.get(shopper);
    if (room === undefined || room.isLive) return;
    const live = new Promise<void>((resolve) => room.waiting.push(resolve));
    if (!room.isWanted) {
      room.isWanted = true;
      if (this.#redis.status === 'ready') void this.#subscribe(room);
    }
    if (await within(live, this.#limits.subscribeMs) === LATE) {
      throw new AppError('store_unavailable', 'The subscription could not be made in time; connect again in a moment.');
    }
  }

  close(): void {
    this.#redis.disconnect();
  }

  #receive(channel: string, message: Buffer): void {
    const room = this.#roomsByChannel.get(channel);
    const type = FRAME_TYPE.exec(message.toString('latin1', 0, FRAME_HEAD_BYTES))?.[1];
    if (room === undefined || type === undefined) return;
    // No frame: the script that writes profiles says so of each write, whichever way the events came.
    if (type === 'touched') {
      for (const member of room.members) member.touched();
      return;
    }
    const target = CHANNEL_OF_FRAME[type];
    if (target !== undefined) for (const member of room.members) member.deliver(target, message);
  }

  async #subscribe(room: Room): Promise<void> {
    try {
      await this.#redis.ssubscribe(room.channel);
    } catch (error) {
      // A lost connection brings the next try; after anything else the next to listen tries.
      if (this.#redis.status !== 'ready') return;
      room.isWanted = false;
      this.#onFault(error);
      return;
    }
    if (this.#redis.status !== 'ready') return;
    room.isLive = true;
    for (const resolve of room.waiting.splice(0)) resolve();
  }

  async #subscribeAll(): Promise<void> {
    const wanted = [...this.#rooms.values()].filter((room) => room.isWanted);
    await Promise.all(wanted.map((room) => this.#subscribe(room)));
    const gaps = wanted.filter((room) => room.isLive && room.hasGap);
    for (let from = 0; from < gaps.length; from += RESTORE.atOnce) {
      await Promise.all(gaps.slice(from, from + RESTORE.atOnce).map((room) => this.#restore(room)));
    }
  }

  async #restore(room: Room): Promise<void> {
    room.hasGap = false;
    for (let attempt = 1; room.isLive; attempt++) {
      try {
        await Promise.all([...room.members].map((member) => member.restored()));
        return;
      } catch (error) {
        if (attempt === RESTORE.attempts) {
          this.#onFault(error);
          return;
        }
        await pause(RESTORE.pauseMs * attempt);
      }
    }
  }

  #lose(): void {
    for (const room of this.#rooms.values()) {
      room.hasGap ||= room.isLive;
      room.isLive = false;
    }
  }
}
