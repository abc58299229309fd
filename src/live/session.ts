import type { ChannelAddress } from '../domain/channel.js';
import type { ShopperKey } from '../domain/shopper.js';
import { AppError, asAppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { Member } from './audience.js';
import { requireScope, type Identity } from './authentication.js';
import { channelOf } from './channels.js';
import type { LiveConnection } from './connection.js';
import { Expiry } from './expiry.js';
import type { LiveHub } from './hub.js';
import type { LiveLimits } from './limits.js';
import { encodeFrame, errorFrame, parseFrame, recommendationsFrame, type ClientFrame, type ClientFrameOf } from './protocol.js';
import { RecommendationList, type WantedList } from './recommendation-list.js';
import { answerRequest } from './requests.js';
import type { LiveServices } from './services.js';
import { Subscriptions } from './subscriptions.js';

export interface LiveSessionOptions {
  readonly hub: LiveHub;
  readonly services: LiveServices;
  readonly limits: LiveLimits;
  readonly clock: Clock;
  readonly connection: LiveConnection;
}

/** The one channel without a log. */
const LIST = 'recommendations';

/** What one socket says and hears: who it speaks for, what it subscribed to, and the answer to each frame. */
export class LiveSession implements Member {
  readonly #options: LiveSessionOptions;
  /** When it must have authenticated, ms. */
  readonly #authBy: number;
  /** Whom the socket speaks for, by the token that counts now. */
  #shopper: Identity | undefined;
  readonly #expiry: Expiry;
  readonly #subscriptions: Subscriptions;
  #list: RecommendationList | undefined;
  #badFrames = 0;

  constructor(options: LiveSessionOptions) {
    const { hub, connection, limits } = options;
    this.#options = options;
    this.#expiry = new Expiry(limits.tokenWarningMs);
    this.#authBy = options.clock() + limits.authMs;
    this.#subscriptions = new Subscriptions({
      hub, member: this, channelsMax: limits.channelsMax,
      send: (frame, stateKey) => { connection.send(frame, stateKey); },
      fail: (error) => { connection.close(error); },
    });
  }

  /** Of a socket that has authenticated: only such a one is a member of anything. */
  get shopper(): ShopperKey {
    return this.#shopper?.key ?? '';
  }

  /** Answers one frame; never rejects. */
  async handle(text: string): Promise<void> {
    this.beat(this.#options.clock());
    if (!this.#options.connection.isOpen) return;
    const parsed = parseFrame(text);
    if ('fault' in parsed) {
      this.#refuse(parsed.fault, parsed.replyTo);
      return;
    }
    try {
      await this.#answer(parsed.frame);
    } catch (thrown) {
      this.#options.connection.send(errorFrame(this.#asError(thrown), parsed.frame.id));
    }
  }

  /** Warns of a token that expires, and ends with it, or without one; called every second or so, and before each answer. */
  beat(now: number): void {
    const { connection, limits } = this.#options;
    if (this.#shopper === undefined) {
      if (now >= this.#authBy) connection.close(new AppError('auth_timeout', `No auth frame within ${limits.authMs} ms.`));
      return;
    }
    const due = this.#expiry.due(now);
    if (due === 'end') connection.close(new AppError('token_expired', 'The token has expired; connect again with a new one.'));
    else if (due === 'warning') connection.send(encodeFrame({ type: 'token_expires', expiresInMs: this.#expiry.leftMs(now) }));
  }

  /** The socket is gone. */
  end(): void {
    if (this.#shopper === undefined) return;
    const { hub, services } = this.#options;
    this.#subscriptions.end();
    this.#list?.end();
    if (this.#list !== undefined) hub.leave(services.channels.ofShopper(this.shopper), this.#list);
    hub.exit(this);
  }

  deliver(channel: ChannelAddress, frame: Buffer, stateKey: string | undefined): void {
    this.#subscriptions.deliver(channel, frame, stateKey);
  }

  resync(...loss: Parameters<Member['resync']>): void {
    this.#subscriptions.resync(...loss);
  }

  touched(): void {
    // The list is a member of its own.
  }

  replaced(): void {
    this.#options.connection.close(new AppError('conflict', 'A newer socket of the same shopper took the place of this one.'));
    this.end();
  }

  async recheck({ name }: ChannelAddress): Promise<void> {
    if (this.#shopper !== undefined) await this.#recheck(name, this.#shopper);
  }

  async #answer(frame: ClientFrame): Promise<void> {
    const shopper = this.#shopper;
    if (frame.type === 'auth') await this.#authenticate(frame);
    else if (shopper === undefined) this.#options.connection.close(new AppError('unauthorized', 'The first frame must be auth.'));
    else if (frame.type === 'refresh') await this.#refreshToken(frame, shopper);
    else if (frame.type === 'subscribe') await this.#subscribe(frame, shopper);
    else if (frame.type === 'unsubscribe') this.#unsubscribe(frame, shopper);
    // A pong has said all by arriving.
    else if (frame.type !== 'pong') await answerRequest(frame, { subscriptions: this.#subscriptions, shopper, ...this.#options });
  }

  async #authenticate({ id, type: _type, ...credentials }: ClientFrameOf<'auth'>): Promise<void> {
    if (this.#shopper !== undefined) throw new AppError('conflict', 'This socket is authenticated; open another one for another shopper.');
    let shopper: Identity;
    try {
      shopper = await this.#options.services.authenticate(credentials);
    } catch (thrown) {
      this.#options.connection.close(this.#asError(thrown));
      return;
    }
    if (!this.#options.connection.isOpen) return;
    this.#shopper = shopper;
    const now = this.#options.clock();
    this.#expiry.begin(shopper.expiresAt, now);
    this.#options.hub.enter(this);
    const { pingEveryMs, frameBytesMax, framesPerMinuteMax } = this.#options.limits;
    this.#options.connection.send(encodeFrame({ type: 'ready', replyTo: id, expiresInMs: this.#expiry.leftMs(now), pingEveryMs, frameBytesMax, framesPerMinuteMax }));
  }

  /** Goes on with a newer token of the same shopper, and with what that one may; one that does not count leaves the old one as it is. */
  async #refreshToken({ id, token }: ClientFrameOf<'refresh'>, { ids }: Identity): Promise<void> {
    const { services, connection, clock } = this.#options;
    let shopper: Identity;
    try {
      shopper = await services.authenticate({ token, ...ids });
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'forbidden')) throw error;
      connection.close(error);
      return;
    }
    this.#shopper = shopper;
    const now = clock();
    this.#expiry.begin(shopper.expiresAt, now);
    connection.send(encodeFrame({ type: 'refreshed', replyTo: id, expiresInMs: this.#expiry.leftMs(now) }));
    const names = [...this.#subscriptions.names, ...this.#list?.wanted === undefined ? [] : [LIST]];
    for (const name of names) await this.#recheck(name, shopper);
  }

  async #recheck(name: string, shopper: Identity): Promise<void> {
    try {
      await this.#authorise(name, shopper);
    } catch (thrown) {
      this.#leave(name, shopper);
      this.#subscriptions.tellLeft(name, this.#asError(thrown));
    }
  }

  async #subscribe({ id, channel: name, scene, limit, epoch, offset }: ClientFrameOf<'subscribe'>, shopper: Identity): Promise<void> {
    const isList = name === LIST;
    if (!isList && (scene !== undefined || limit !== undefined)) throw new AppError('invalid_request', 'scene and limit belong to the channel recommendations.');
    if (isList && (epoch ?? offset) !== undefined) throw new AppError('invalid_request', 'recommendations has no log: epoch and offset belong to other channels.');
    if ((epoch === undefined) !== (offset === undefined)) throw new AppError('invalid_request', 'epoch and offset go together.');
    const channel = await this.#authorise(name, shopper);
    if (isList) {
      await this.#subscribeList(id, { scene: scene ?? 'home', ...(limit === undefined ? {} : { limit }) }, shopper);
      return;
    }
    const { states } = this.#options.services;
    await this.#orComeBack(() => this.#subscriptions.subscribe({
      channel, replyTo: id, after: epoch === undefined || offset === undefined ? undefined : { epoch, offset },
      state: name.startsWith('user:') ? () => states.ofShopper(shopper.key) : (head) => states.ofRoom(name.slice('room:'.length), head),
    }));
  }

  async #subscribeList(replyTo: string | undefined, wanted: WantedList, { key, ids }: Identity): Promise<void> {
    const { hub, services, limits, clock, connection } = this.#options;
    const list = this.#list ??= new RecommendationList({
      shopper: key, limits, clock, onFault: services.onFault,
      refresh: async (latest) => {
        const body = await services.recommend(Object.assign({}, latest, ids));
        if (list.wanted !== undefined) connection.send(recommendationsFrame(body, undefined));
      },
    });
    await this.#orComeBack(async () => {
      if (await hub.join(services.channels.ofShopper(key), list) === undefined) return;
      list.wanted = wanted;
      connection.send(encodeFrame({ type: 'subscribed', replyTo, channel: LIST }));
    });
  }

  #unsubscribe({ id, channel: name }: ClientFrameOf<'unsubscribe'>, shopper: Identity): void {
    this.#leave(name, shopper);
    this.#options.connection.send(encodeFrame({ type: 'unsubscribed', replyTo: id, channel: name }));
  }

  #leave(name: string, shopper: Identity): void {
    const { hub, services } = this.#options;
    if (name !== LIST) this.#subscriptions.unsubscribe(name);
    else if (this.#list !== undefined) {
      this.#list.end();
      hub.leave(services.channels.ofShopper(shopper.key), this.#list);
    }
  }

  /** @returns where the channel is. @throws AppError where the shopper may not listen, by the token that counts now */
  async #authorise(name: string, shopper: Identity): Promise<ChannelAddress> {
    requireScope(shopper, 'recommend');
    const { channels } = this.#options.services;
    return name === LIST ? channels.ofShopper(shopper.key) : channelOf(channels, name, shopper);
  }

  /** Connecting again is what every client knows how to do; subscribing again is not. */
  async #orComeBack(subscribe: () => Promise<void>): Promise<void> {
    try {
      await subscribe();
    } catch (thrown) {
      const error = this.#asError(thrown);
      if (!error.retryable) throw error;
      this.#options.connection.close(error);
    }
  }

  #asError(thrown: unknown): AppError {
    const error = asAppError(thrown);
    if (error.code === 'internal' && error !== thrown) this.#options.services.onFault(thrown);
    return error;
  }

  #refuse(fault: AppError, replyTo: string | undefined): void {
    this.#badFrames += 1;
    if (this.#shopper === undefined || this.#badFrames > this.#options.limits.badFramesMax) this.#options.connection.close(fault);
    else this.#options.connection.send(errorFrame(fault, replyTo));
  }
}
