import type { ServerResponse } from 'node:http';
import type { ChannelAddress, Position } from '../domain/channel.js';
import type { ShopperKey } from '../domain/shopper.js';
import { AppError, asAppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { Member } from './audience.js';
import type { Identity } from './authentication.js';
import { channelOf, roomOf, type LiveChannels } from './channels.js';
import type { ChannelStates } from './channel-states.js';
import { Expiry } from './expiry.js';
import type { Guest } from './guests.js';
import type { LiveHub } from './hub.js';
import type { LiveLimits } from './limits.js';
import { Outbox } from './outbox.js';
import { Places } from './places.js';
import { encodeFrame, errorFrame } from './protocol.js';
import { Subscriptions } from './subscriptions.js';

export interface EventStreamOptions {
  /** Its head has been written. */
  readonly response: ServerResponse;
  readonly identity: Identity;
  readonly hub: LiveHub;
  readonly states: ChannelStates;
  readonly channels: LiveChannels;
  readonly limits: LiveLimits;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/** Nobody sees a comment; it keeps proxies from taking the silence for the end. */
const HEARTBEAT = Buffer.from(':\n\n');

/**
 * One stream of server-sent events: the frames of a socket that only listens. Each is the `data` of one event without a
 * name, so that one handler reads them all, as of a socket (and none is taken for the `error` of a browser's own). The id
 * of an event says where the client stands in all its channels.
 */
export class EventStream implements Member, Guest {
  readonly shopper: ShopperKey;
  readonly #options: EventStreamOptions;
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;
  readonly #places = new Places();
  readonly #expiry: Expiry;
  #heartAt: number;
  #isEnded = false;

  constructor(options: EventStreamOptions) {
    const { response, identity, hub, limits, clock } = options;
    this.#options = options;
    this.shopper = identity.key;
    this.#heartAt = clock();
    this.#expiry = new Expiry(limits.tokenWarningMs);
    this.#expiry.begin(identity.expiresAt, this.#heartAt);
    this.#outbox = new Outbox({ stream: response, encode: (event) => event, limits, clock });
    this.#subscriptions = new Subscriptions({
      hub, member: this, channelsMax: limits.channelsMax,
      send: (frame, stateKey, channel) => { this.#send(frame, stateKey, channel); },
      fail: (error) => { this.end(error); },
    });
  }

  /** @param placeOf where the client stood; ends the stream when a subscription fails */
  async begin(channels: readonly ChannelAddress[], placeOf: (channel: string) => Position | undefined): Promise<void> {
    const { hub, states, limits } = this.#options;
    hub.enter(this);
    this.#put(Buffer.from(`retry: ${limits.comeBackMs}\n\n`));
    try {
      await Promise.all(channels.map((channel) => {
        const roomId = roomOf(channel.name);
        return this.#subscriptions.subscribe({
          channel, replyTo: undefined, after: placeOf(channel.name),
          state: roomId === undefined ? () => states.ofShopper(this.shopper) : (head) => states.ofRoom(roomId, head),
        });
      }));
    } catch (thrown) {
      this.end(this.#asError(thrown));
    }
  }

  /** The connection is gone. */
  left(): void {
    this.#isEnded = true;
    this.#subscriptions.end();
    this.#options.hub.exit(this);
  }

  deliver(channel: ChannelAddress, frame: Buffer, stateKey: string | undefined): void {
    this.#subscriptions.deliver(channel, frame, stateKey);
  }

  resync(...loss: Parameters<Member['resync']>): void {
    this.#subscriptions.resync(...loss);
  }

  touched(): void {
    // No lists over a stream.
  }

  replaced(): void {
    this.end(new AppError('conflict', 'A newer connection of the same shopper took the place of this one.'));
  }

  async recheck(channel: ChannelAddress): Promise<void> {
    const { channels, identity } = this.#options;
    try {
      await channelOf(channels, channel.name, identity);
    } catch (thrown) {
      this.#subscriptions.unsubscribe(channel.name);
      this.#subscriptions.tellLeft(channel.name, this.#asError(thrown));
    }
  }

  beat(now: number): void {
    const { limits: { stalledMs, pingEveryMs } } = this.#options;
    const due = this.#expiry.due(now);
    if (due === 'end') this.end(new AppError('token_expired', 'The token has expired; connect again with a new one.'));
    else if (now - this.#outbox.waitingSince > stalledMs) this.end(new AppError('slow_consumer', 'Nothing was read for too long; connect again and resume.'));
    else if (due === 'warning') this.#send(encodeFrame({ type: 'token_expires', expiresInMs: this.#expiry.leftMs(now) }));
    else if (now - this.#heartAt >= pingEveryMs) {
      this.#heartAt = now;
      this.#put(HEARTBEAT, 'heartbeat');
    }
  }

  /** Says why, and when to come back: the browser does that by itself. What waits is dropped, what the system has taken is not. */
  end(error: AppError, retryAfterMs?: number): void {
    if (this.#isEnded) return;
    this.left();
    const { response, limits } = this.#options;
    const { comeBackMs, stayAwayMs, closeGraceMs, slowGraceMs } = limits;
    this.#outbox.clear();
    response.end(`retry: ${retryAfterMs ?? (error.retryable ? comeBackMs : stayAwayMs)}\ndata: ${errorFrame(error, undefined, retryAfterMs).toString()}\n\n`);
    const timer = setTimeout(() => { response.destroy(); }, error.code === 'slow_consumer' ? slowGraceMs : closeGraceMs);
    timer.unref();
    response.once('close', () => { clearTimeout(timer); });
  }

  drain(error: AppError, retryAfterMs: number): Promise<void> {
    this.end(error, retryAfterMs);
    return Promise.resolve();
  }

  terminate(): void {
    this.#options.response.destroy();
  }

  #asError(thrown: unknown): AppError {
    const error = asAppError(thrown);
    if (error.code === 'internal') this.#options.onFault(thrown);
    return error;
  }

  #send(frame: Buffer, stateKey?: string, channel?: ChannelAddress): void {
    const place = stateKey === undefined && channel !== undefined ? placeOf(frame) : undefined;
    if (place !== undefined) this.#places.set(channel!.name, place);
    const head = place === undefined ? 'data: ' : `id: ${this.#places.toString()}\ndata: `;
    this.#put(Buffer.concat([Buffer.from(head), frame, END]), stateKey);
  }

  #put(event: Buffer, stateKey?: string): void {
    if (this.#isEnded || this.#outbox.send(event, stateKey)) return;
    this.end(new AppError('slow_consumer', 'Events were not read fast enough; connect again and resume.'));
  }
}

const END = Buffer.from('\n\n');
/** Longest head of a frame: a name of 256 bytes, each escaped. */
const HEAD_BYTES_MAX = 2048;
const POSITION = /"epoch":"([0-9]{1,20})","offset":([0-9]{1,15})/u;

/** The position in the head of a frame. */
function placeOf(frame: Buffer): Position | undefined {
  const [, epoch, offset] = POSITION.exec(frame.toString('latin1', 0, HEAD_BYTES_MAX)) ?? [];
  return epoch === undefined ? undefined : { epoch, offset: Number(offset) };
}
