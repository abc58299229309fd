import type { Random } from '../../src/util/random.js';
import type { FuzzFrames, FuzzKind } from './fuzz-frames.js';
import { RawSocket, type Address } from './raw-socket.js';

export interface FuzzClientOptions {
  readonly address: Address;
  readonly shopper: string;
  readonly token: string;
  readonly channels: readonly string[];
  readonly frames: FuzzFrames;
  readonly random: Random;
  /** Each frame that comes back. */
  readonly onFrame: (client: FuzzClient, frame: Buffer) => void;
  /** The engine has dealt with these frames. */
  readonly onDone: (kinds: readonly FuzzKind[]) => void;
  readonly onClosed: (code: number) => void;
}

const FUZZ = {
  burstMax: 16,
  /** Share of connections that never say who they are. */
  silentShare: 0.1,
  /** An answer that takes longer is none, ms. */
  answerMs: 30_000,
} as const;

/** A client that says its name, subscribes to what it may, talks nonsense until it is thrown out, and comes back. */
export class FuzzClient {
  readonly shopper: string;
  readonly #options: FuzzClientOptions;
  #marks = 0;
  #settle: (isOpen: boolean) => void = () => { /* Nothing is asked. */ };

  constructor(options: FuzzClientOptions) {
    this.#options = options;
    this.shopper = options.shopper;
  }

  /** @throws Error when the engine answers no more */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.#connection(isOver);
  }

  async #connection(isOver: () => boolean): Promise<void> {
    const { address, token, channels, frames, random, onFrame, onDone, onClosed } = this.#options;
    const socket = new RawSocket({
      address,
      onOpen: () => { this.#settle(true); },
      onFrame: (frame) => {
        onFrame(this, frame);
        if (frame.includes(`"replyTo":"mark-${this.#marks}"`)) this.#settle(true);
      },
      onClosed: (code) => {
        onClosed(code);
        this.#settle(false);
      },
    });
    let isOpen = await this.#settled('a connection');
    if (random() >= FUZZ.silentShare) {
      socket.send(JSON.stringify({ type: 'auth', token }));
      for (const channel of channels) socket.send(JSON.stringify({ type: 'subscribe', channel }));
    }
    while (isOpen && !isOver()) {
      const burst = Array.from({ length: 1 + Math.floor(random() * FUZZ.burstMax) }, () => frames.next());
      const kinds = burst.map(({ kind }) => kind);
      for (const { bytes } of burst) socket.sendBytes(bytes);
      socket.send(`{"type":"unsubscribe","id":"mark-${++this.#marks}","channel":"recommendations"}`);
      isOpen = await this.#settled(kinds.join(', '));
      // Of a burst that ended the socket, what came behind the frame that did it was not looked at.
      onDone(isOpen ? kinds : kinds.slice(0, 1));
    }
    socket.destroy();
  }

  /** @returns false when the connection is gone */
  #settled(what: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error(`no answer within ${FUZZ.answerMs} ms to ${what}`)); }, FUZZ.answerMs);
      this.#settle = (isOpen) => {
        clearTimeout(timer);
        resolve(isOpen);
      };
    });
  }
}
