import { frameParts, type ChannelAddress, type LoggedFrame, type LogPart, type Position } from '../domain/channel.js';
import type { Clock } from '../util/clock.js';
import type { RedisClient } from './client.js';
import { partitionOf, type Keys } from './keys.js';
import { readScript } from './profile-store.js';

export const LOG_LIMITS = {
  /** Frames a log keeps. 300 can be resumed: the others are for what is appended while somebody who stood at the first of them comes back. */
  framesMax: 350,
  /** Life of a log after its last frame, or its last reader, ms. */
  lifeMs: 10 * 60_000,
  /** Logs kept alive in one go. */
  keptAtOnce: 200,
} as const;

interface LogScripts {
  publishFrame(log: string, push: string, head: string, body: string, now: number, isState: 0 | 1): Promise<[epoch: string, offset: number] | []>;
  readLogBuffer(log: string, now: number, epoch: string, offset: number, last: number): Promise<[Buffer, number, 0 | 1, [Buffer, Buffer[]][]]>;
}

export function shopperChannel(keys: Keys, shopper: string): ChannelAddress {
  const { log, push } = keys.ofPartition(partitionOf(shopper));
  return { name: `user:${shopper.slice(2)}`, log: log + shopper, push: push + shopper };
}

export function roomChannel(keys: Keys, roomId: string): ChannelAddress {
  const { log, push } = keys.room(roomId);
  return { name: `room:${roomId}`, log, push };
}

/** @returns a script that sends frames, with what it needs of `channel-log.lua` */
export function logScript(redis: RedisClient, name: string): string {
  const head = readScript('channel-log')
    .replace('$FRAMES_MAX', String(LOG_LIMITS.framesMax)).replace('$LOG_MS', String(LOG_LIMITS.lifeMs))
    .replace('$NODE', redis.isCluster ? "string.sub(redis.call('CLUSTER', 'MYID'), 1, 12)" : 'nil');
  return head + readScript(name);
}

/**
 * The logs of channels: what a socket missed is read from there. Offers, cues and whatever changes more than the log append by scripts of
 * their own; this is for frames that stand alone.
 */
export class ChannelLog {
  readonly #redis: RedisClient;
  readonly #scripts: LogScripts;
  readonly #clock: Clock;

  constructor(redis: RedisClient, clock: Clock) {
    redis.defineCommand('publishFrame', { numberOfKeys: 2, lua: logScript(redis, 'publish-frame') });
    redis.defineCommand('readLog', { numberOfKeys: 1, lua: logScript(redis, 'read-log') });
    this.#redis = redis;
    this.#scripts = redis as unknown as LogScripts;
    this.#clock = clock;
  }

  /** Appends a frame and sends it to whoever listens. After a failure it may be there nevertheless. */
  async publish(channel: ChannelAddress, type: string, fields: Readonly<Record<string, unknown>>): Promise<Position> {
    const [epoch, offset] = await this.#scripts.publishFrame(channel.log, channel.push, ...frameParts(channel, type, fields), this.#clock(), 0);
    return { epoch: epoch!, offset: offset! };
  }

  /** Sends a frame of which only the latest counts: no log keeps it, and slow sockets may be spared it. */
  async publishState(channel: ChannelAddress, type: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#scripts.publishFrame(channel.log, channel.push, ...frameParts(channel, type, fields), this.#clock(), 1);
  }

  /** @param after a position, or how many of the last frames are wanted; whoever reads keeps the log alive */
  async read(channel: ChannelAddress, after: Position | number): Promise<LogPart> {
    const [epoch, offset] = typeof after === 'number' ? ['', 0] : [after.epoch, after.offset];
    const reply = await this.#scripts.readLogBuffer(channel.log, this.#clock(), epoch, offset, typeof after === 'number' ? after : 0);
    const head = { epoch: reply[0].toString(), offset: reply[1] };
    return { head, frames: reply[2] === 1 ? reply[3].map(([id, fields]) => frameOf(id, fields)) : undefined };
  }

  /** Keeps logs from expiring while somebody listens to them without anything happening. */
  async keep(channels: readonly ChannelAddress[]): Promise<void> {
    for (let from = 0; from < channels.length; from += LOG_LIMITS.keptAtOnce) {
      await Promise.all(channels.slice(from, from + LOG_LIMITS.keptAtOnce).map(({ log }) => this.#redis.pexpire(log, LOG_LIMITS.lifeMs)));
    }
  }
}

function frameOf(id: Buffer, fields: readonly Buffer[]): LoggedFrame {
  const [epoch, offset] = id.toString('latin1').split('-') as [string, string];
  return { epoch, offset: Number(offset), json: fields[1]! };
}
