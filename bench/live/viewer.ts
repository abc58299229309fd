import type { Random } from '../../src/util/random.js';
import { Continuity, type Breach, type Subscribed } from './continuity.js';
import { readHead, type FrameHead } from './frame-head.js';
import { RawSocket, type Address } from './raw-socket.js';

/** How long to wait before coming back: a pause that doubles with each try, or what the engine asked for. */
export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

export interface ViewerOptions {
  readonly index: number;
  readonly userId: string;
  readonly channels: readonly string[];
  /** Where the next connection goes. */
  readonly nextAddress: () => Address;
  readonly localAddress: string | undefined;
  readonly token: string | undefined;
  readonly backoff: Backoff;
  readonly random: Random;
  readonly events: ViewerEvents;
}

/** Called with the viewer and the time, ms of `performance.now()`. */
export interface ViewerEvents {
  /** It begins a connection, which may or may not come about. */
  readonly onConnecting: (viewer: Viewer, at: number) => void;
  /** A frame of a channel. It lies in a buffer that the next read overwrites. */
  readonly onFrame: (viewer: Viewer, head: FrameHead, frame: Buffer, at: number) => void;
  /** Subscriptions are sent, and not answered yet. */
  readonly onGreeted: (viewer: Viewer) => void;
  /** Everything is subscribed. */
  readonly onLive: (viewer: Viewer, at: number) => void;
  readonly onClosed: (viewer: Viewer, code: number, reason: string, at: number) => void;
  readonly onBreach: (viewer: Viewer, channel: string, breach: Breach) => void;
  /** An error frame. */
  readonly onError: (viewer: Viewer, text: string) => void;
}

/** Frames of a channel that are not in its log: the latest counts. */
const STATE_FRAMES: ReadonlySet<string> = new Set(['stats']);
/** Close codes 4400–4499 say "stay away", but for these two, which say "later". */
const COME_BACK: ReadonlySet<number> = new Set([4408, 4429]);

/**
 * A client as the README says one is: it authenticates, subscribes, resumes where it stood, and comes back by its close code.
 * What it is told on each channel is checked for continuity over all of its connections.
 */
export class Viewer {
  readonly index: number;
  readonly userId: string;
  readonly channels: ReadonlyMap<string, Continuity>;
  readonly #options: ViewerOptions;
  #socket: RawSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #tries = 0;
  /** Channels that are not subscribed yet. */
  #missing = 0;
  #isOver = false;
  #waiting: (() => void)[] = [];

  constructor(options: ViewerOptions) {
    this.#options = options;
    this.index = options.index;
    this.userId = options.userId;
    this.channels = new Map(options.channels.map((name) => [name, new Continuity()]));
  }

  /** Everything is subscribed on a connection that is there. */
  get isLive(): boolean {
    return this.#socket !== undefined && this.#missing === 0;
  }

  connect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#missing = this.channels.size;
    const { nextAddress, localAddress, events } = this.#options;
    events.onConnecting(this, performance.now());
    const socket: RawSocket = new RawSocket({
      address: nextAddress(), localAddress,
      onOpen: () => { this.#greet(socket); },
      onFrame: (frame) => { if (socket === this.#socket) this.#receive(frame); },
      onClosed: (code, reason) => {
        if (socket !== this.#socket) return;
        this.#leave();
        events.onClosed(this, code, reason, performance.now());
        if (!this.#isOver && (code < 4400 || code >= 4500 || COME_BACK.has(code))) this.#comeBack(reason);
      },
    });
    this.#socket = socket;
  }

  /** Resolves when it is live, now or later. */
  untilLive(): Promise<void> {
    return this.isLive ? Promise.resolve() : new Promise((resolve) => { this.#waiting.push(resolve); });
  }

  /** Says something; whoever is not there, or not subscribed yet, says nothing. */
  send(frame: string): void {
    if (this.isLive) this.#socket?.send(frame);
  }

  /** The connection, to do it harm; undefined while there is none. */
  get socket(): RawSocket | undefined {
    return this.#socket;
  }

  /**
   * Goes away without a word and leaves the connection half open, as a phone that changes networks does; until `connect`.
   * @returns the deserted connection, which the caller destroys at last
   */
  desert(): RawSocket | undefined {
    const socket = this.#socket;
    socket?.stall();
    this.#leave();
    clearTimeout(this.#timer);
    return socket;
  }

  /** Goes for good. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #greet(socket: RawSocket): void {
    const { token } = this.#options;
    socket.send(JSON.stringify({ type: 'auth', userId: this.userId, token }));
    for (const [channel, continuity] of this.channels) {
      continuity.asked();
      socket.send(JSON.stringify({ type: 'subscribe', channel, ...continuity.position }));
    }
    this.#options.events.onGreeted(this);
  }

  #receive(frame: Buffer): void {
    const at = performance.now();
    const head = readHead(frame);
    const { type, channel = '' } = head;
    const continuity = this.channels.get(channel);
    if (type === 'subscribed') this.#subscribed(JSON.parse(frame.toString()) as Subscribed & { channel: string }, at);
    else if (type === 'error') this.#options.events.onError(this, frame.toString());
    else if (continuity !== undefined) {
      const breach = head.epoch === '' || STATE_FRAMES.has(type) ? undefined : continuity.frame(head);
      if (breach !== undefined) this.#options.events.onBreach(this, channel, breach);
      this.#options.events.onFrame(this, head, frame, at);
    }
  }

  #subscribed({ channel, ...told }: Subscribed & { channel: string }, at: number): void {
    const continuity = this.channels.get(channel);
    if (continuity === undefined) return;
    const isFirst = !continuity.isSubscribed;
    const breach = continuity.subscribed(told, at);
    if (breach !== undefined) this.#options.events.onBreach(this, channel, breach);
    if (!isFirst) return;
    this.#missing -= 1;
    if (this.#missing > 0) return;
    this.#tries = 0;
    this.#options.events.onLive(this, at);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #leave(): void {
    this.#socket = undefined;
    for (const continuity of this.channels.values()) continuity.left(performance.now());
  }

  #comeBack(reason: string): void {
    const { backoff: { firstMs, mostMs }, random } = this.#options;
    const pauseMs = retryAfterMs(reason) ?? Math.min(mostMs, firstMs * 2 ** this.#tries++) * (0.5 + random());
    this.#timer = setTimeout(() => { this.connect(); }, pauseMs);
  }
}

/** The reason of a close frame is `{"code", "retryAfterMs"?}`; of a lost connection it is what the system says. */
function retryAfterMs(reason: string): number | undefined {
  if (!reason.startsWith('{')) return undefined;
  const { retryAfterMs: ms } = JSON.parse(reason) as { retryAfterMs?: number };
  return ms;
}
