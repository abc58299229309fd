import type { Logger } from 'pino';
import { decodeBuyers, NO_BUYERS, type Buyers } from '../profile/buyers.js';
import type { SegmentStore } from '../redis/segment-store.js';
import { SegmentSet } from '../segments/segment-set.js';
import { Rounds } from '../util/rounds.js';

export const SEGMENT_FOLLOWER_LIMITS = {
  /** Between looks at the counters of changes, ms: how long a change takes at most. */
  everyMs: 1000,
} as const;

export interface SegmentFollowerOptions {
  readonly store: SegmentStore;
  readonly log: Logger;
  readonly everyMs?: number;
  /** Told when the segments are others than those for which all shoppers were looked at. */
  readonly onUnswept?: (version: string) => Promise<void>;
}

/** This process's copy of what all portraits depend on: the segments, compiled, and the sums over the store's buyers. */
export class SegmentFollower {
  readonly #options: SegmentFollowerOptions;
  readonly #rounds: Rounds;
  #definitionsVersion = '';
  #buyersVersion = '';
  /** Resolves after the first look. */
  readonly ready: Promise<void>;
  #markReady: () => void = () => { /* Set below. */ };
  segments: SegmentSet;
  buyers: Buyers = NO_BUYERS;

  constructor(options: SegmentFollowerOptions) {
    this.#options = options;
    this.segments = this.#compile([]);
    this.ready = new Promise((resolve) => { this.#markReady = resolve; });
    this.#rounds = new Rounds({
      everyMs: options.everyMs ?? SEGMENT_FOLLOWER_LIMITS.everyMs,
      round: () => this.look(),
      onError: (error) => { options.log.debug({ err: error }, 'segments cannot be followed at the moment; they stay as they are'); },
    });
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  /** Reads what has changed since the last look. */
  async look(): Promise<void> {
    const { store, onUnswept } = this.#options;
    const { definitions, swept, buyers } = await store.versions();
    if (definitions !== this.#definitionsVersion) {
      this.segments = this.#compile(await store.definitions());
      if (definitions !== swept) await onUnswept?.(definitions);
      this.#definitionsVersion = definitions;
    }
    if (buyers !== this.#buyersVersion) {
      this.buyers = decodeBuyers(await store.buyers());
      this.#buyersVersion = buyers;
    }
    this.#markReady();
  }

  #compile(stored: ConstructorParameters<typeof SegmentSet>[0]): SegmentSet {
    return new SegmentSet(stored, (segment, error) => { this.#options.log.error({ err: error, segment: segment.id }, 'segment cannot be read; nobody is in it'); });
  }
}
