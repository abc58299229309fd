import type { Scope } from '../config.js';
import type { OfferMessage } from '../domain/offer-message.js';
import type { RecommendationInput } from '../domain/recommendation.js';
import type { Scene } from '../domain/scene.js';
import { shopperKey } from '../domain/shopper.js';
import { AppError, asAppError, type ErrorCode } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { Authenticate, Identity } from './authentication.js';
import type { LiveConnection } from './connection.js';
import type { LiveHub, Member } from './hub.js';
import type { LiveLimits } from './limits.js';
import { encodeFrame, errorFrame, parseFrame, recommendationsFrame, type Channel, type ClientFrame, type ClientFrameOf } from './protocol.js';

/** What the engine does for a socket: the same paths as over HTTP. */
export interface LiveServices {
  readonly ingest: (events: readonly unknown[]) => Promise<IngestReport>;
  /** @returns the reply as a JSON object's text */
  readonly recommend: (input: RecommendationInput) => Promise<Buffer>;
  /** Offers that were sent to the shopper and still stand. */
  readonly pendingOffers: (shopper: string) => Promise<readonly OfferMessage[]>;
  readonly authenticate: Authenticate;
  readonly onFault: (error: unknown) => void;
}

export interface IngestReport {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: readonly { readonly index: number; readonly code: ErrorCode; readonly message: string }[];
}

export interface LiveSessionOptions {
  readonly hub: LiveHub;
  readonly services: LiveServices;
  readonly limits: LiveLimits;
  readonly clock: Clock;
  readonly connection: LiveConnection;
}

/** What one socket says and hears: who it speaks for, what it subscribed to, and the answer to each frame. */
export class LiveSession implements Member {
  readonly #hub: LiveHub;
  readonly #services: LiveServices;
  readonly #limits: LiveLimits;
  readonly #clock: Clock;
  readonly #connection: LiveConnection;
  readonly #authTimer: NodeJS.Timeout;
  /** Whom the socket speaks for, by the token that counts now. */
  #shopper: Identity | undefined;
  /** When its client is to be told that the token expires, ms. */
  #warnAt = Infinity;
  #hasOffers = false;
  #list: { scene: Scene; limit?: number } | undefined;
  #refreshTimer: NodeJS.Timeout | undefined;
  #refreshedAt = 0;
  #isRefreshing = false;
  /** Something happened while a list was made. */
  #isStale = false;
  #badFrames = 0;

  constructor({ hub, services, limits, clock, connection }: LiveSessionOptions) {
    this.#hub = hub;
    this.#clock = clock;
    this.#services = services;
    this.#limits = limits;
    this.#connection = connection;
    this.#authTimer = setTimeout(() => {
      connection.close(new AppError('auth_timeout', `No auth frame within ${limits.authMs} ms.`));
    }, limits.authMs);
  }

  /** Answers one frame; never rejects. */
  async handle(text: string): Promise<void> {
    this.beat(this.#clock());
    if (!this.#connection.isOpen) return;
    const parsed = parseFrame(text);
    if ('fault' in parsed) {
      this.#refuse(parsed.fault, parsed.replyTo);
      return;
    }
    try {
      await this.#answer(parsed.frame);
    } catch (thrown) {
      const error = asAppError(thrown);
      if (error.code === 'internal') this.#services.onFault(thrown);
      this.#connection.send(errorFrame(error, parsed.frame.id));
    }
  }

  /** Warns of a token that expires, and ends with it; called every second or so, and before each answer. */
  beat(now: number): void {
    const { expiresAt = Infinity } = this.#shopper ?? {};
    if (now >= expiresAt) {
      this.#connection.close(new AppError('token_expired', 'The token has expired; connect again with a new one.'));
    } else if (now >= this.#warnAt) {
      this.#warnAt = Infinity;
      this.#connection.send(encodeFrame({ type: 'token_expires', expiresInMs: this.#expiresInMs() }));
    }
  }

  /** The socket is gone. */
  end(): void {
    clearTimeout(this.#authTimer);
    clearTimeout(this.#refreshTimer);
    this.#list = undefined;
    if (this.#shopper !== undefined) this.#hub.leave(this.#shopper.key, this);
  }

  deliver(channel: Channel, frame: Buffer): void {
    if (channel === 'offers' ? this.#hasOffers : this.#list !== undefined) this.#connection.send(frame);
  }

  touched(): void {
    if (this.#list === undefined || this.#refreshTimer !== undefined) return;
    if (this.#isRefreshing) {
      this.#isStale = true;
      return;
    }
    const { refreshAfterMs, refreshEveryMs } = this.#limits;
    const waitMs = Math.max(refreshAfterMs, this.#refreshedAt + refreshEveryMs - this.#clock());
    this.#refreshTimer = setTimeout(() => void this.#refresh(), waitMs);
  }

  async restored(): Promise<void> {
    if (this.#hasOffers && this.#shopper !== undefined) await this.#sendPending(this.#shopper);
    this.touched();
  }

  replaced(): void {
    this.#connection.close(new AppError('conflict', 'A newer socket of the same shopper took the place of this one.'));
    this.end();
  }

  async #answer(frame: ClientFrame): Promise<void> {
    const shopper = this.#shopper;
    if (frame.type === 'auth') await this.#authenticate(frame);
    else if (shopper === undefined) this.#connection.close(new AppError('unauthorized', 'The first frame must be auth.'));
    else if (frame.type === 'refresh') await this.#refreshToken(frame, shopper);
    else if (frame.type === 'subscribe') await this.#subscribe(frame, shopper);
    else if (frame.type === 'unsubscribe') this.#unsubscribe(frame);
    else if (frame.type === 'events') await this.#ingest(frame, shopper);
    else if (frame.type === 'recommendations') await this.#recommend(frame, shopper);
    // A pong has said all by arriving.
  }

  async #authenticate({ id, type: _type, ...credentials }: ClientFrameOf<'auth'>): Promise<void> {
    if (this.#shopper !== undefined) throw new AppError('conflict', 'This socket is authenticated; open another one for another shopper.');
    let shopper: Identity;
    try {
      shopper = await this.#services.authenticate(credentials);
    } catch (thrown) {
      const error = asAppError(thrown);
      if (error.code === 'internal') this.#services.onFault(thrown);
      this.#connection.close(error);
      return;
    }
    if (!this.#connection.isOpen) return;
    clearTimeout(this.#authTimer);
    this.#speakFor(shopper);
    this.#hub.join(shopper.key, this);
    const { pingEveryMs, frameBytesMax, framesPerMinuteMax } = this.#limits;
    this.#connection.send(encodeFrame({ type: 'ready', replyTo: id, expiresInMs: this.#expiresInMs(), pingEveryMs, frameBytesMax, framesPerMinuteMax }));
  }

  /** Goes on with a newer token of the same shopper; one that does not count leaves the old one as it is. */
  async #refreshToken({ id, token }: ClientFrameOf<'refresh'>, { ids }: Identity): Promise<void> {
    try {
      this.#speakFor(await this.#services.authenticate({ token, ...ids }));
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'forbidden')) throw error;
      this.#connection.close(error);
      return;
    }
    this.#connection.send(encodeFrame({ type: 'refreshed', replyTo: id, expiresInMs: this.#expiresInMs() }));
  }

  #speakFor(shopper: Identity): void {
    this.#shopper = shopper;
    const now = this.#clock();
    const leftMs = shopper.expiresAt - now;
    // Of a token that is shorter than the warning time, half is left to get the next.
    this.#warnAt = now + Math.max(leftMs / 2, leftMs - this.#limits.tokenWarningMs);
  }

  /** Time left to the token, ms; undefined for a key, which has no end. */
  #expiresInMs(): number | undefined {
    const { expiresAt = Infinity } = this.#shopper ?? {};
    return expiresAt === Infinity ? undefined : Math.max(0, Math.round(expiresAt - this.#clock()));
  }

  async #subscribe({ id, channel, scene, limit }: ClientFrameOf<'subscribe'>, shopper: Identity): Promise<void> {
    requireScope(shopper, 'recommend');
    if (channel === 'offers' && (scene !== undefined || limit !== undefined)) {
      throw new AppError('invalid_request', 'scene and limit belong to the channel recommendations.');
    }
    try {
      await this.#hub.listen(shopper.key);
      if (channel === 'offers') this.#hasOffers = true;
      else this.#list = { scene: scene ?? 'home', ...(limit === undefined ? {} : { limit }) };
      this.#connection.send(encodeFrame({ type: 'subscribed', replyTo: id, channel }));
      if (channel === 'offers') await this.#sendPending(shopper);
    } catch (error) {
      // Connecting again is what every client knows how to do; subscribing again is not.
      this.#connection.close(asAppError(error));
    }
  }

  #unsubscribe({ id, channel }: ClientFrameOf<'unsubscribe'>): void {
    if (channel === 'offers') this.#hasOffers = false;
    else this.#list = undefined;
    this.#connection.send(encodeFrame({ type: 'unsubscribed', replyTo: id, channel }));
  }

  /** Events without ids are the shopper's; events of somebody else are rejected, each by itself. */
  async #ingest({ id, events }: ClientFrameOf<'events'>, shopper: Identity): Promise<void> {
    requireScope(shopper, 'events');
    const own: unknown[] = [];
    const indexes: number[] = [];
    const rejected: { index: number; code: ErrorCode; message: string }[] = [];
    events.forEach((event, index) => {
      const whole = asOwn(event, shopper);
      if (whole === undefined) {
        rejected.push({ index, code: 'forbidden', message: 'The event belongs to another shopper than the socket.' });
        return;
      }
      own.push(whole);
      indexes.push(index);
    });
    const report = own.length === 0 ? { accepted: 0, duplicates: 0, rejected: [] } : await this.#services.ingest(own);
    for (const { index, ...rejection } of report.rejected) rejected.push({ index: indexes[index]!, ...rejection });
    rejected.sort((a, b) => a.index - b.index);
    this.#connection.send(encodeFrame({ type: 'ack', replyTo: id, accepted: report.accepted, duplicates: report.duplicates, rejected }));
  }

  async #recommend({ type: _type, id, ...input }: ClientFrameOf<'recommendations'>, shopper: Identity): Promise<void> {
    requireScope(shopper, 'recommend');
    if (input.events !== undefined) requireScope(shopper, 'events');
    const named = shopperKey(input);
    if (named !== undefined && named !== shopper.key) throw new AppError('forbidden', 'The recommendations asked for are those of another shopper.');
    const { userId: _userId, anonymousId: _anonymousId, ...rest } = input;
    this.#connection.send(recommendationsFrame(await this.#services.recommend({ ...rest, ...shopper.ids }), id));
  }

  async #sendPending(shopper: Identity): Promise<void> {
    for (const offer of await this.#services.pendingOffers(shopper.key)) this.#connection.send(encodeFrame({ type: 'offer', offer }));
  }

  /** Sends a fresh list; what happens meanwhile asks for the next one. */
  async #refresh(): Promise<void> {
    this.#refreshTimer = undefined;
    const [list, shopper] = [this.#list, this.#shopper];
    if (list === undefined || shopper === undefined) return;
    this.#isRefreshing = true;
    this.#isStale = false;
    this.#refreshedAt = this.#clock();
    try {
      const body = await this.#services.recommend({ ...list, ...shopper.ids });
      if (this.#list !== undefined) this.#connection.send(recommendationsFrame(body, undefined));
    } catch (error) {
      this.#services.onFault(error);
    }
    this.#isRefreshing = false;
    if (this.#isStale) this.touched();
  }

  #refuse(fault: AppError, replyTo: string | undefined): void {
    this.#badFrames += 1;
    if (this.#shopper === undefined || this.#badFrames > this.#limits.badFramesMax) this.#connection.close(fault);
    else this.#connection.send(errorFrame(fault, replyTo));
  }
}

function requireScope({ scopes }: Identity, scope: Scope): void {
  if (!scopes.has(scope) && !scopes.has('admin')) throw new AppError('forbidden', `The key or token lacks the scope "${scope}".`);
}

/** @returns the event with its shopper, whatever else may be wrong with it; undefined when it names another one */
function asOwn(event: unknown, shopper: Identity): unknown {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
  if (!('userId' in event) && !('anonymousId' in event)) return { ...event, ...shopper.ids };
  const { userId, anonymousId } = event as { userId?: unknown; anonymousId?: unknown };
  const isNamed = [userId, anonymousId].every((id) => id === undefined || typeof id === 'string');
  if (!isNamed) return event; // of no shopper at all: the event path says so
  return shopperKey({ userId: userId as string | undefined, anonymousId: anonymousId as string | undefined }) === shopper.key ? event : undefined;
}
