import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { AppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { loopShare } from '../util/loop-share.js';
import type { LiveLimits } from './limits.js';
import { Outbox } from './outbox.js';
import { encodeFrame, errorFrame } from './protocol.js';
import { PING_FRAME, wireFrame } from './wire-frame.js';

const PING = encodeFrame({ type: 'ping' });
const MS_PER_MINUTE = 60_000;

export interface ConnectionOptions {
  readonly limits: LiveLimits;
  readonly clock: Clock;
  /** The stream below the WebSocket. Data frames are written to it as they are: by way of ws they cost half as much again. */
  readonly stream: Duplex;
  /** Called with one text frame at a time, in order; must not reject. */
  readonly onFrame: (text: string) => Promise<void>;
  /** Called once, when the socket is gone. */
  readonly onClosed: (code: number) => void;
}

/**
 * One socket with a bounded outbox, a limit on frames, a heartbeat and an orderly close.
 *
 * Frames of a client are handled one after another: what it sends after its events sees them. While too many wait,
 * nothing more is read from it. Frames to it go out while the system takes them; then they wait in the outbox, of those that
 * only say how things stand the latest. When the outbox is full or stands still, or nobody answers whether frames arrive, the client
 * is too slow and is told to come back and resume. It never slows others down.
 */
export class LiveConnection {
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  #work = Promise.resolve();
  #pending = 0;
  #allowance: number;
  #allowanceAt: number;
  #heardAt: number;
  #pingedAt: number;
  /** Frames went out since it was last asked whether they arrive. */
  #hasSent = false;
  /** Since when frames go out of which it is not known whether they arrive, ms, as far as it was noticed; 0: there are none. */
  #unprovenAt = 0;
  /** Since when the answer is awaited; 0: it has come. */
  #unansweredAt = 0;
  #isClosing = false;

  constructor(socket: WebSocket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#outbox = new Outbox({ stream: options.stream, encode: wireFrame, limits: options.limits, clock: options.clock });
    const now = options.clock();
    this.#allowance = options.limits.framesPerMinuteMax;
    this.#allowanceAt = now;
    this.#heardAt = now;
    this.#pingedAt = now;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#heardAt = options.clock();
      this.#unansweredAt = 0;
    });
    // A frame that breaks the WebSocket protocol or is too large: ws answers with its close code by itself.
    socket.on('error', () => this.#endWithin(options.limits.closeGraceMs));
    socket.once('close', (code) => {
      this.#isClosing = true;
      this.#outbox.clear();
      options.onClosed(code);
    });
  }

  get isOpen(): boolean {
    return !this.#isClosing;
  }

  /**
   * @param frame JSON text; the same buffer may go to many sockets
   * @param stateKey of a state frame: it takes the place of a waiting one of the same key
   */
  send(frame: Buffer, stateKey?: string): void {
    if (this.#isClosing || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#hasSent = true;
    if (!this.#outbox.send(frame, stateKey)) this.close(new AppError('slow_consumer', 'Frames were not read fast enough; connect again and resume.'));
  }

  /** Looks after the socket; called twice a second or so. */
  beat(now: number): void {
    if (this.#isClosing || this.#isPaused) return;
    const { pingEveryMs, pongWithinMs, stalledMs } = this.#options.limits;
    if (now - this.#heardAt > pingEveryMs + pongWithinMs) {
      this.#socket.terminate();
    } else if (now - this.#outbox.waitingSince > stalledMs || this.#unansweredAt > 0 && now - this.#unansweredAt > stalledMs) {
      this.close(new AppError('slow_consumer', 'Nothing was read for too long; connect again and resume.'));
    } else if (now - this.#pingedAt >= pingEveryMs) {
      this.#pingedAt = now;
      // The protocol's ping proves the peer alive even while its page sleeps; the frame shows the page that we are.
      this.#socket.ping();
      const hadSent = this.#hasSent;
      this.send(PING);
      this.#hasSent = hadSent;
    } else {
      this.#prove(now);
    }
  }

  /**
   * Asks whether frames arrive, a while after the first of which it is not known. Not at once, and not as soon as they pause: a frame to
   * thousands would be followed by thousands of answers, in the middle of what comes next.
   */
  #prove(now: number): void {
    if (this.#unprovenAt === 0) {
      if (this.#hasSent) this.#unprovenAt = now;
    } else if (this.#unansweredAt === 0 && now - this.#unprovenAt >= this.#options.limits.probeAfterMs) {
      this.#hasSent = false;
      this.#unprovenAt = 0;
      this.#unansweredAt = now;
      this.#options.stream.write(PING_FRAME);
    }
  }

  /**
   * Says why and whether to come back: in an error frame for people, and in the close frame for code, whose reason is
   * `{"code", "resume"?, "retryAfterMs"?}`. What waits in the outbox is dropped.
   */
  close(error: AppError, retryAfterMs?: number): void {
    if (this.#isClosing) return;
    const { closeGraceMs, slowGraceMs } = this.#options.limits;
    const isSlow = error.code === 'slow_consumer';
    this.#outbox.clear();
    if (!isSlow) this.#options.stream.write(wireFrame(errorFrame(error, undefined, retryAfterMs)));
    this.#isClosing = true;
    this.#socket.close(error.closeCode, JSON.stringify({ code: error.code, resume: error.retryable || undefined, retryAfterMs }));
    this.#endWithin(isSlow ? slowGraceMs : closeGraceMs);
  }

  /** Takes no more frames, finishes those it has taken, then closes. */
  async drain(error: AppError, retryAfterMs: number): Promise<void> {
    this.#socket.pause();
    await this.#work;
    this.close(error, retryAfterMs);
  }

  /** Ends the socket without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  get #isPaused(): boolean {
    return this.#pending >= this.#options.limits.framesPendingMax;
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#isClosing) return;
    this.#heardAt = this.#options.clock();
    if (isBinary) {
      this.close(new AppError('unsupported_media_type', 'Frames are JSON text, not binary.'));
    } else if (!this.#isWithinRate()) {
      this.close(new AppError('rate_limited', `More than ${this.#options.limits.framesPerMinuteMax} frames a minute; connect again in a while.`));
    } else {
      this.#handle(textOf(data));
    }
  }

  #handle(text: string): void {
    this.#pending += 1;
    if (this.#pending === this.#options.limits.framesPendingMax) this.#socket.pause();
    this.#work = this.#inTurn(this.#work, text);
  }

  async #inTurn(before: Promise<void>, text: string): Promise<void> {
    await before;
    for (let turn = loopShare(); turn !== undefined; turn = loopShare()) await turn;
    if (!this.#isClosing) await this.#options.onFrame(text);
    this.#pending -= 1;
    if (this.#pending !== this.#options.limits.framesPendingMax - 1 || this.#isClosing) return;
    // Time spent waiting for us is not the client's silence.
    this.#heardAt = this.#options.clock();
    if (this.#unansweredAt > 0) this.#unansweredAt = this.#heardAt;
    this.#socket.resume();
  }

  /** A bucket that holds one minute's frames and fills evenly. */
  #isWithinRate(): boolean {
    const { framesPerMinuteMax } = this.#options.limits;
    const refill = ((this.#heardAt - this.#allowanceAt) * framesPerMinuteMax) / MS_PER_MINUTE;
    this.#allowance = Math.min(framesPerMinuteMax, this.#allowance + Math.max(0, refill)) - 1;
    this.#allowanceAt = this.#heardAt;
    return this.#allowance >= 0;
  }

  #endWithin(graceMs: number): void {
    this.#isClosing = true;
    // A paused socket would never read the peer's answer to the close frame.
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.terminate(), graceMs);
    timer.unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}
