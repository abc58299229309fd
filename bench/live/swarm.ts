import { LATE, within } from '../../src/util/deadline.js';
import type { Random } from '../../src/util/random.js';
import type { Breach } from './continuity.js';
import type { FrameHead } from './frame-head.js';
import type { Address } from './raw-socket.js';
import { Viewer, type Backoff } from './viewer.js';

export interface SwarmOptions {
  readonly viewers: number;
  /** Each connection goes to the next of them in turn. */
  readonly addresses: readonly Address[];
  readonly userIdOf: (index: number) => string;
  readonly channelsOf: (index: number) => readonly string[];
  readonly random: Random;
  /** Source addresses 127.0.0.1, 127.0.0.2, … that the viewers are spread over. Default 1. */
  readonly sources?: number;
  readonly tokenOf?: (index: number) => string;
  /** Default: that of the demo page. */
  readonly backoff?: Backoff;
  readonly onConnecting?: (viewer: Viewer, at: number) => void;
  readonly onFrame?: (viewer: Viewer, head: FrameHead, frame: Buffer, at: number) => void;
  readonly onGreeted?: (viewer: Viewer) => void;
  readonly onLive?: (viewer: Viewer, at: number) => void;
  readonly onClosed?: (viewer: Viewer, code: number, reason: string, at: number) => void;
}

export interface SwarmBreach extends Breach {
  readonly viewer: string;
  readonly channel: string;
}

export const SWARM_LIMITS = {
  /** Viewers that connect for the first time at once. */
  openingMax: 128,
  /** Breaches that are kept; all are counted. */
  breachesMax: 100,
  backoff: { firstMs: 500, mostMs: 15_000 },
} as const;

/** Many viewers, connected, resuming and coming back, and what was wrong with what they were told. */
export class Swarm {
  readonly viewers: readonly Viewer[];
  /** The first ones. */
  readonly breaches: SwarmBreach[] = [];
  breachCount = 0;
  /** Connections lost so far, by close code; those without one by what the system said; and error frames, by their text. */
  readonly closes = new Map<number, number>();
  readonly losses = new Map<string, number>();
  readonly errors = new Map<string, number>();
  #connections = 0;
  #isOver = false;

  constructor(options: SwarmOptions) {
    const { viewers, userIdOf, channelsOf, random, tokenOf, sources = 1, backoff = SWARM_LIMITS.backoff } = options;
    const events = {
      onConnecting: options.onConnecting ?? NOTHING,
      onFrame: options.onFrame ?? NOTHING, onGreeted: options.onGreeted ?? NOTHING, onLive: options.onLive ?? NOTHING,
      onClosed: (viewer: Viewer, code: number, reason: string, at: number) => {
        if (this.#isOver) return;
        count(this.closes, code);
        if (!reason.startsWith('{')) count(this.losses, reason);
        options.onClosed?.(viewer, code, reason, at);
      },
      onBreach: (viewer: Viewer, channel: string, breach: Breach) => { this.#note({ viewer: viewer.userId, channel, ...breach }); },
      onError: (_viewer: Viewer, text: string) => { count(this.errors, text); },
    };
    const nextAddress = (): Address => options.addresses[this.#connections++ % options.addresses.length]!;
    this.viewers = Array.from({ length: viewers }, (_, index) => new Viewer({
      index, userId: userIdOf(index), channels: channelsOf(index), nextAddress, token: tokenOf?.(index), backoff, random, events,
      localAddress: sources === 1 ? undefined : `127.0.0.${1 + (index % sources)}`,
    }));
  }

  /** Viewers that are connected and subscribed now. */
  get live(): number {
    return this.viewers.reduce((sum, { isLive }) => sum + Number(isLive), 0);
  }

  /** Connects all, some at a time. @throws when not all are there in time */
  async open(withinMs: number): Promise<void> {
    const queue = this.viewers.values();
    const lane = async (): Promise<void> => {
      for (const viewer of queue) {
        viewer.connect();
        await viewer.untilLive();
      }
    };
    const { openingMax } = SWARM_LIMITS;
    await this.#inTime(Promise.all(Array.from({ length: openingMax }, lane)), withinMs);
  }

  /** @throws when not all are connected and subscribed in time */
  async untilAllLive(withinMs: number): Promise<void> {
    await this.#inTime(Promise.all(this.viewers.map((viewer) => viewer.untilLive())), withinMs);
  }

  end(): void {
    this.#isOver = true;
    for (const viewer of this.viewers) viewer.end();
  }

  /** Resumes by their answer, over all viewers and channels. */
  get resumes(): { readonly recovered: number; readonly lost: number } {
    const sum = { recovered: 0, lost: 0 };
    for (const { channels } of this.viewers) {
      for (const { recovered, lost } of channels.values()) {
        sum.recovered += recovered;
        sum.lost += lost;
      }
    }
    return sum;
  }

  #note(breach: SwarmBreach): void {
    this.breachCount += 1;
    if (this.breaches.length < SWARM_LIMITS.breachesMax) this.breaches.push(breach);
  }

  async #inTime(work: Promise<unknown>, withinMs: number): Promise<void> {
    if (await within(work, withinMs) !== LATE) return;
    const told = [...this.errors, ...this.closes, ...this.losses].slice(0, 5).map(([what, times]) => `${times} × ${what}`).join('; ');
    throw new Error(`After ${withinMs} ms ${this.live} of ${this.viewers.length} viewers are live. ${told}`);
  }
}

const NOTHING = (): void => { /* Nobody asked. */ };

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
