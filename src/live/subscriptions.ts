import type { ChannelAddress, Position } from '../domain/channel.js';
import { AppError, asAppError } from '../errors.js';
import type { Member } from './audience.js';
import type { Joined, LiveHub } from './hub.js';
import { encodeFrame, subscribedFrame } from './protocol.js';

/** Frames that wait for the answer to their subscription; with more something is wrong. */
const HELD_FRAMES_MAX = 512;

export interface SubscriptionsOptions {
  readonly hub: LiveHub;
  /** Whose they are: hands on to `deliver` and `resync` what the hub tells it. */
  readonly member: Member;
  /** @param channel of a frame that has a place in its log, or may have */
  readonly send: (frame: Buffer, stateKey: string | undefined, channel: ChannelAddress | undefined) => void;
  /** Ends the member's connection: it then comes back and resumes. */
  readonly fail: (error: AppError) => void;
  readonly channelsMax: number;
}

export interface SubscribeRequest {
  readonly channel: ChannelAddress;
  /** Of the client's frame. */
  readonly replyTo: string | undefined;
  /** Where the client stood. */
  readonly after: Position | undefined;
  /** Reads the channel's state as of its head or later. */
  readonly state: (head: Position) => Promise<string>;
}

interface Subscription {
  readonly channel: ChannelAddress;
  readonly state: SubscribeRequest['state'];
  /** What came before the answer was out, in order; undefined: what comes goes out at once. */
  held: { readonly frame: Buffer; readonly stateKey: string | undefined }[] | undefined;
  /** Set when everything up to there was lost while the answer was made. */
  lostAt: Position | undefined;
}

/** Where a subscription goes on, and what is to be sent first. */
interface Start {
  readonly at: Position;
  /** Of a resume: whether it can. */
  readonly recovered: boolean | undefined;
  readonly frames: readonly { readonly json: Buffer }[];
}

/**
 * The logged channels of one connection. A client is told where it stands, then gets every frame after that place, once and in order, or is
 * told that some are lost and what things have come to.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  /** By push channel. */
  readonly #channels = new Map<string, Subscription>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** As clients name the channels. */
  get names(): string[] {
    return [...this.#channels.values()].map(({ channel }) => channel.name);
  }

  has(channel: ChannelAddress): boolean {
    return this.#channels.has(channel.push);
  }

  /** @throws AppError when there are too many, or the store fails: the client is not subscribed then */
  async subscribe({ channel, replyTo, after, state }: SubscribeRequest): Promise<void> {
    const { hub, member, channelsMax } = this.#options;
    if (!this.has(channel) && this.#channels.size >= channelsMax) {
      throw new AppError('conflict', `At most ${channelsMax} channels on one connection; leave some first.`);
    }
    const subscription: Subscription = { channel, state, held: [], lostAt: undefined };
    this.#channels.set(channel.push, subscription);
    try {
      const joined = await hub.join(channel, member, after);
      if (joined !== undefined) await this.#start(subscription, replyTo, startOf(joined, after));
    } catch (error) {
      this.#leave(channel);
      throw error;
    }
  }

  /** @param name as clients name the channel */
  unsubscribe(name: string): void {
    for (const { channel } of this.#channels.values()) if (channel.name === name) this.#leave(channel);
  }

  /** Says why a channel was left that nobody asked to leave; for a reason that may pass the connection ends, and the client comes back and asks again. */
  tellLeft(name: string, error: AppError): void {
    if (error.retryable) this.#options.fail(error);
    else this.#options.send(encodeFrame({ type: 'unsubscribed', channel: name, code: error.code }), undefined, undefined);
  }

  /** The connection is gone. */
  end(): void {
    for (const { channel } of this.#channels.values()) this.#leave(channel);
  }

  deliver(channel: ChannelAddress, frame: Buffer, stateKey: string | undefined): void {
    const subscription = this.#channels.get(channel.push);
    if (subscription === undefined) return;
    if (subscription.held === undefined) this.#options.send(frame, stateKey, channel);
    else if (subscription.held.push({ frame, stateKey }) > HELD_FRAMES_MAX) {
      this.#options.fail(new AppError('store_unavailable', 'The state of a channel could not be read in time; connect again in a moment.'));
    }
  }

  resync(channel: ChannelAddress, head: Position): void {
    const subscription = this.#channels.get(channel.push);
    if (subscription === undefined) return;
    const isAnswered = subscription.held === undefined;
    subscription.held = [];
    if (isAnswered) void this.#startAnew(subscription, head);
    else subscription.lostAt = head;
  }

  #leave(channel: ChannelAddress): void {
    this.#channels.delete(channel.push);
    this.#options.hub.leave(channel, this.#options.member);
  }

  async #startAnew(subscription: Subscription, head: Position): Promise<void> {
    try {
      await this.#start(subscription, undefined, { at: head, recovered: false, frames: [] });
    } catch (thrown) {
      const { channel } = subscription;
      this.#leave(channel);
      // What there is no more, a room for one, is no reason to leave the other channels.
      this.tellLeft(channel.name, asAppError(thrown));
    }
  }

  async #start(subscription: Subscription, replyTo: string | undefined, wanted: Start): Promise<void> {
    const { channel } = subscription;
    let start = lossOf(subscription) ?? wanted;
    let state: string | undefined;
    for (let loss: Start | undefined = start; loss !== undefined; loss = lossOf(subscription)) {
      start = loss;
      state = start.recovered === true ? undefined : await subscription.state(start.at);
    }
    if (this.#channels.get(channel.push) !== subscription) return;
    const { send } = this.#options;
    send(subscribedFrame({ replyTo, channel: channel.name, ...start.at, recovered: start.recovered, state }), undefined, channel);
    for (const { json } of start.frames) send(json, undefined, channel);
    for (const { frame, stateKey } of subscription.held ?? []) send(frame, stateKey, channel);
    subscription.held = undefined;
  }
}

function startOf({ head, missed }: Joined, after: Position | undefined): Start {
  if (after === undefined) return { at: head, recovered: undefined, frames: [] };
  return missed === undefined ? { at: head, recovered: false, frames: [] } : { at: after, recovered: true, frames: missed };
}

/** @returns where to begin when the thread was lost meanwhile; asked once */
function lossOf(subscription: Subscription): Start | undefined {
  const { lostAt } = subscription;
  subscription.lostAt = undefined;
  return lostAt === undefined ? undefined : { at: lostAt, recovered: false, frames: [] };
}
