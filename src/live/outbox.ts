import type { Writable } from 'node:stream';
import type { Clock } from '../util/clock.js';
import type { LiveLimits } from './limits.js';

export interface OutboxOptions {
  readonly stream: Pick<Writable, 'write' | 'cork' | 'uncork' | 'writableNeedDrain' | 'on'>;
  /** A frame as it goes out. */
  readonly encode: (frame: Buffer) => Buffer;
  readonly limits: Pick<LiveLimits, 'outboxFramesMax' | 'outboxBytesMax'>;
  readonly clock: Clock;
}

interface WaitingFrame {
  readonly frame: Buffer;
  readonly stateKey: string | undefined;
}

/** Frames on their way to one client: they go out while the system takes them; then they wait, of those that only say how things stand the latest. */
export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: WaitingFrame[] = [];
  #bytes = 0;
  /** When a waiting frame last got through, ms. */
  #movedAt = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    options.stream.on('drain', () => { this.#flush(); });
  }

  /**
   * @param frame may go to many clients; not copied while it waits
   * @param stateKey of a state frame: it takes the place of a waiting one of the same key
   * @returns false when it is full: the client is too slow
   */
  send(frame: Buffer, stateKey?: string): boolean {
    const { stream, encode, limits: { outboxFramesMax, outboxBytesMax }, clock } = this.#options;
    if (this.#waiting.length === 0 && !stream.writableNeedDrain) {
      stream.write(encode(frame));
      return true;
    }
    if (stateKey !== undefined) this.#dropWaiting(stateKey);
    if (this.#waiting.length >= outboxFramesMax || this.#bytes + frame.length > outboxBytesMax) return false;
    if (this.#waiting.length === 0) this.#movedAt = clock();
    this.#waiting.push({ frame, stateKey });
    this.#bytes += frame.length;
    return true;
  }

  /** Since when nothing of what waits has got through, ms; Infinity when nothing waits. */
  get waitingSince(): number {
    return this.#waiting.length === 0 ? Infinity : this.#movedAt;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const { stream, encode, clock } = this.#options;
    this.#movedAt = clock();
    stream.cork();
    while (this.#waiting.length > 0 && !stream.writableNeedDrain) {
      const { frame } = this.#waiting.shift()!;
      this.#bytes -= frame.length;
      stream.write(encode(frame));
    }
    stream.uncork();
  }

  /** The frame that replaces it goes to the end, so that no frame is overtaken by one that knows of it. */
  #dropWaiting(stateKey: string): void {
    const index = this.#waiting.findIndex((waiting) => waiting.stateKey === stateKey);
    if (index >= 0) this.#bytes -= this.#waiting.splice(index, 1)[0]!.frame.length;
  }
}
