import type { Logger } from 'pino';
import type { RiskStore } from '../redis/risk-store.js';
import { Rounds } from '../util/rounds.js';

export const FLAGGED_FOLLOWER_LIMITS = {
  /** Between looks at who is flagged, ms: how long a flag takes at most. */
  everyMs: 5000,
} as const;

/** This process's copy of who is flagged: for what must not wait for Redis. */
export class FlaggedFollower {
  readonly #store: Pick<RiskStore, 'flagged'>;
  readonly #rounds: Rounds;
  #shoppers: ReadonlySet<string> = new Set();

  constructor(store: Pick<RiskStore, 'flagged'>, log: Logger) {
    this.#store = store;
    this.#rounds = new Rounds({
      everyMs: FLAGGED_FOLLOWER_LIMITS.everyMs, round: () => this.look(),
      onError: (error) => { log.debug({ err: error }, 'flags cannot be followed at the moment; those known stay'); },
    });
  }

  /** Resolves when the flags are here. */
  async start(): Promise<void> {
    await this.look();
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  has(shopper: string): boolean {
    return this.#shoppers.has(shopper);
  }

  async look(): Promise<void> {
    this.#shoppers = new Set(await this.#store.flagged());
  }
}
