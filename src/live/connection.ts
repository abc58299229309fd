import type { RawData, WebSocket } from 'ws';
import { AppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { loopShare } from '../util/loop-share.js';
import type { LiveLimits } from './limits.js';
import { encodeFrame, errorFrame } from './protocol.js';

const PING = encodeFrame({ type: 'ping' });
const MS_PER_MINUTE = 60_000;

export interface ConnectionOptions {
  readonly limits: LiveLimits;
  readonly clock: Clock;
  /** Called with one text frame at a time, in order; must not reject. */
  readonly onFrame: (text: string) => Promise<void>;
  /** Called once, when the socket is gone. */
  readonly onClosed: (code: number) => void;
}

/**
 * One socket with a bounded outbox, a limit on frames, a heartbeat and an orderly close.
 *
 * Frames of a client are handled one after another: what it sends after its events sees them. While too many wait,
 * nothing more is read from it. Frames to it go out while the system takes them; then they wait in the outbox, and
 * when that is full or stands still the client is too slow and is told to come back. It never slows others down.
 */
export class LiveConnection {
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  #outbox: Buffer[] = [];
  #outboxBytes = 0;
  #work = Promise.resolve();
  #pending = 0;
  #allowance: number;
  #allowanceAt: number;
  #heardAt: number;
  #pingedAt: number;
  /** When a waiting outbox last moved. */
  #movedAt = 0;
  #isClosing = false;

  constructor(socket: WebSocket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    const now = options.clock();
    this.#allowance = options.limits.framesPerMinuteMax;
    this.#allowanceAt = now;
    this.#heardAt = now;
    this.#pingedAt = now;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => { this.#heardAt = options.clock(); });
    // A frame that breaks the WebSocket protocol or is too large: ws answers with its close code by itself.
    socket.on('error', () => this.#endSoon());
    socket.once('close', (code) => {
      this.#isClosing = true;
      this.#outbox = [];
      options.onClosed(code);
    });
  }

  get isOpen(): boolean {
    return !this.#isClosing;
  }

  /** @param frame JSON text; not copied, so the same buffer may go to many sockets */
  send(frame: Buffer): void {
    if (this.#isClosing) return;
    if (this.#outbox.length === 0 && this.#socket.bufferedAmount < this.#options.limits.windowBytes) {
      this.#write(frame);
      return;
    }
    const { outboxFramesMax, outboxBytesMax } = this.#options.limits;
    if (this.#outbox.length >= outboxFramesMax || this.#outboxBytes + frame.length > outboxBytesMax) {
      this.close(new AppError('slow_consumer', 'Frames were not read fast enough; connect again.'));
      return;
    }
    if (this.#outbox.length === 0) this.#movedAt = this.#options.clock();
    this.#outbox.push(frame);
    this.#outboxBytes += frame.length;
  }

  /** Looks after the socket; called every second or so. */
  beat(now: number): void {
    if (this.#isClosing) return;
    const { pingEveryMs, pongWithinMs, stalledMs } = this.#options.limits;
    if (now - this.#heardAt > pingEveryMs + pongWithinMs) {
      this.#socket.terminate();
    } else if (this.#outbox.length > 0 && now - this.#movedAt > stalledMs) {
      this.close(new AppError('slow_consumer', 'Nothing was read for too long; connect again.'));
    } else if (now - this.#pingedAt >= pingEveryMs) {
      this.#pingedAt = now;
      // The protocol's ping proves the peer alive even while its page sleeps; the frame shows the page that we are.
      this.#socket.ping();
      this.send(PING);
    }
  }

  /**
   * Says why and whether to come back: in an error frame for people, and in the close frame for code, whose reason is
   * `{"code", "retryAfterMs"?}`. What waits in the outbox is dropped.
   */
  close(error: AppError, retryAfterMs?: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#outbox = [];
    if (error.code !== 'slow_consumer') this.#socket.send(errorFrame(error, undefined, retryAfterMs), { binary: false });
    this.#socket.close(error.closeCode, JSON.stringify({ code: error.code, retryAfterMs }));
    this.#endSoon();
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

  #write(frame: Buffer): void {
    this.#socket.send(frame, { binary: false }, this.#written);
  }

  readonly #written = (error?: Error | null): void => {
    if (error !== undefined && error !== null) return; // the socket is closing
    while (this.#outbox.length > 0 && this.#socket.bufferedAmount < this.#options.limits.windowBytes) {
      const frame = this.#outbox.shift()!;
      this.#outboxBytes -= frame.length;
      this.#movedAt = this.#options.clock();
      this.#write(frame);
    }
  };

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

  #endSoon(): void {
    this.#isClosing = true;
    // A paused socket would never read the peer's answer to the close frame.
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.terminate(), this.#options.limits.closeGraceMs);
    timer.unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}
