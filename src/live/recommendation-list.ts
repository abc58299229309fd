import type { ChannelAddress, Position } from '../domain/channel.js';
import type { Scene } from '../domain/scene.js';
import type { ShopperKey } from '../domain/shopper.js';
import type { Clock } from '../util/clock.js';
import type { Member } from './audience.js';
import type { LiveLimits } from './limits.js';

export interface RecommendationListOptions {
  readonly shopper: ShopperKey;
  readonly limits: Pick<LiveLimits, 'refreshAfterMs' | 'refreshEveryMs'>;
  readonly clock: Clock;
  /** Makes a list and sends it, unless nobody wants it any more. */
  readonly refresh: (wanted: WantedList) => Promise<void>;
  readonly onFault: (error: unknown) => void;
}

export interface WantedList {
  readonly scene: Scene;
  readonly limit?: number;
}

/** The channel `recommendations` of one socket: a fresh list after the shopper's events, in one go for all that come close together. */
export class RecommendationList implements Member {
  readonly shopper: ShopperKey;
  /** undefined: nobody wants it. */
  wanted: WantedList | undefined;
  readonly #options: RecommendationListOptions;
  #timer: NodeJS.Timeout | undefined;
  #refreshedAt = 0;
  #isRefreshing = false;
  /** Something happened while a list was made. */
  #isStale = false;

  constructor(options: RecommendationListOptions) {
    this.shopper = options.shopper;
    this.#options = options;
  }

  touched(): void {
    if (this.wanted === undefined || this.#timer !== undefined) return;
    if (this.#isRefreshing) {
      this.#isStale = true;
      return;
    }
    const { limits: { refreshAfterMs, refreshEveryMs }, clock } = this.#options;
    this.#timer = setTimeout(() => void this.#refresh(), Math.max(refreshAfterMs, this.#refreshedAt + refreshEveryMs - clock()));
  }

  end(): void {
    this.wanted = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  deliver(_channel: ChannelAddress, _frame: Buffer): void {
    // Frames are another subscription's.
  }

  resync(_channel: ChannelAddress, _head: Position): void {
    this.touched();
  }

  replaced(): void {
    // The socket is told.
  }

  /** What happens meanwhile asks for the next one. */
  async #refresh(): Promise<void> {
    this.#timer = undefined;
    if (this.wanted === undefined) return;
    this.#isRefreshing = true;
    this.#isStale = false;
    this.#refreshedAt = this.#options.clock();
    try {
      await this.#options.refresh(this.wanted);
    } catch (error) {
      this.#options.onFault(error);
    }
    this.#isRefreshing = false;
    if (this.#isStale) this.touched();
  }
}
