import type { ChannelAddress } from '../../src/domain/channel.js';
import { ChannelLog, roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { PREFIX } from '../store.js';
import type { Position } from './continuity.js';
import type { FrameHead } from './frame-head.js';

const KEYS = makeKeys(PREFIX);
/** Frames that are published and not confirmed; beyond that the load falls behind and says so. */
const PENDING_MAX = 10_000;
/** Where a frame's own count stands: `"n":12`. */
const COUNT = /,"n":(\d+)/u;
const COUNT_BYTES = 200;

interface Published {
  readonly address: ChannelAddress;
  /** Frames that this publisher has sent. */
  count: number;
  head: Position | undefined;
  /** What a frame's offset is beyond its count: frames of others that were there before. */
  ahead: number | undefined;
}

/**
 * Publishes frames by the same script as the engine, and knows of each channel what it ought to hold. The channels it
 * publishes on are its own: a frame of anybody else is found as a breach.
 */
export class Publisher {
  readonly #redis: RedisClient;
  readonly #log: ChannelLog;
  readonly #channels = new Map<string, Published>();
  readonly broken: string[] = [];
  #pending = 0;
  /** Frames in all. */
  published = 0;

  private constructor(redis: RedisClient) {
    this.#redis = redis;
    this.#log = new ChannelLog(redis, Date.now);
  }

  static async connect(url: string): Promise<Publisher> {
    const redis = connectRedis(url, 'commands', { timeoutMs: 30_000, name: 'bench' });
    await untilReady(redis, 10_000);
    return new Publisher(redis);
  }

  /** The last frame of a channel; undefined: there was none. */
  headOf(channel: string): Position | undefined {
    return this.#channels.get(channel)?.head;
  }

  /** @param channel `room:ID` or `user:ID` @param padding something to make the frame longer by @returns its count, from 1 */
  publish(channel: string, padding: string): number {
    if (this.#pending >= PENDING_MAX) throw new Error(`Redis has not confirmed ${PENDING_MAX} frames: the load is too much for this machine.`);
    const known = this.#channels.get(channel) ?? { address: addressOf(channel), count: 0, head: undefined, ahead: undefined };
    this.#channels.set(channel, known);
    const n = ++known.count;
    this.#pending += 1;
    this.published += 1;
    void this.#send(channel, known, n, padding);
    return n;
  }

  /** Looks whether a frame that arrived is the one that was published there. @returns its count; NaN of somebody else's */
  check({ channel = '', type, offset }: FrameHead, frame: Buffer): number {
    if (type !== typeOn(channel)) return NaN;
    const n = Number(COUNT.exec(frame.toString('latin1', 0, COUNT_BYTES))?.[1] ?? NaN);
    const ahead = this.#channels.get(channel)?.ahead;
    if (ahead !== undefined && offset - n !== ahead) this.broken.push(`${channel}: at ${offset} arrived frame ${n}`);
    return n;
  }

  async #send(channel: string, known: Published, n: number, padding: string): Promise<void> {
    try {
      const position = await this.#log.publish(known.address, typeOn(channel), { n, padding });
      known.head = position;
      known.ahead ??= position.offset - n;
      if (position.offset - n !== known.ahead) this.broken.push(`${channel}: frame ${n} has offset ${position.offset}, ${known.ahead} expected beyond its count`);
    } catch (error) {
      this.broken.push(`${channel}: frame ${n} was not published: ${String(error)}`);
    }
    this.#pending -= 1;
  }

  /** Resolves when all frames are confirmed. */
  async settled(): Promise<void> {
    while (this.#pending > 0) await new Promise((resolve) => { setTimeout(resolve, 5); });
  }

  /** Cuts every subscription connection to Redis: hubs have to catch up by the log. */
  async cutSubscriptions(): Promise<void> {
    await this.#redis.call('CLIENT', 'KILL', 'TYPE', 'PUBSUB');
  }

  end(): void {
    this.#redis.disconnect();
  }
}

/** What it calls its frames. */
const typeOn = (channel: string): string => (channel.startsWith('room:') ? 'comments' : 'offer');

function addressOf(channel: string): ChannelAddress {
  const id = channel.slice(channel.indexOf(':') + 1);
  return channel.startsWith('room:') ? roomChannel(KEYS, id) : shopperChannel(KEYS, `u:${id}`);
}
