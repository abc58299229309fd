import type { Logger } from 'pino';
import type { GrowthRules } from '../domain/growth.js';
import { DEFAULT_RULES, prepareRules, type PreparedRules } from '../growth/prepared-rules.js';
import type { GrowthStore } from '../redis/growth-store.js';
import { Rounds } from '../util/rounds.js';

export const GROWTH_FOLLOWER_LIMITS = {
  /** Between looks at the rules, ms: how long a change takes at most. */
  everyMs: 1000,
} as const;

/** This process's copy of the rules of growth. */
export class GrowthRulesFollower {
  readonly #store: Pick<GrowthStore, 'rules'>;
  readonly #log: Logger;
  readonly #rounds: Rounds;
  current: PreparedRules = DEFAULT_RULES;

  constructor(store: Pick<GrowthStore, 'rules'>, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#rounds = new Rounds({
      everyMs: GROWTH_FOLLOWER_LIMITS.everyMs, round: () => this.look(),
      onError: (error) => { log.debug({ err: error }, 'rules of growth cannot be followed at the moment; they stay as they are'); },
    });
  }

  /** Resolves when the rules are here: with others, points would be given by the wrong ones. */
  async start(): Promise<void> {
    await this.look();
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  async look(): Promise<void> {
    const stored = await this.#store.rules();
    if ((stored?.version ?? 0) === this.current.version) return;
    try {
      this.current = stored === undefined ? DEFAULT_RULES : prepareRules(JSON.parse(stored.json) as GrowthRules, stored.version);
    } catch (error) {
      this.#log.error({ err: error, version: stored?.version }, 'rules of growth cannot be read; those before stay');
    }
  }
}
