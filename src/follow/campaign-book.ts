import type { Logger } from 'pino';
import { mergeCampaigns } from '../campaigns/merge-campaigns.js';
import { CampaignSet } from '../campaigns/campaign-set.js';
import type { Campaign } from '../domain/campaign.js';
import type { CampaignStore } from '../redis/campaign-store.js';
import { Rounds } from '../util/rounds.js';

const CAMPAIGN_BOOK_LIMITS = {
  /** Between looks at the counter of changes, ms: how long a change takes at most. */
  everyMs: 1000,
} as const;

export interface CampaignBookOptions {
  readonly store: Pick<CampaignStore, 'version' | 'definitions'>;
  readonly builtIn: readonly Campaign[];
  readonly log: Logger;
}

/** This process's copy of the campaigns: those that come with the engine, and what operators made of them. */
export class CampaignBook {
  readonly #options: CampaignBookOptions;
  readonly #rounds: Rounds;
  #version = '';
  set: CampaignSet;

  constructor(options: CampaignBookOptions) {
    this.#options = options;
    this.set = new CampaignSet(options.builtIn);
    this.#rounds = new Rounds({
      everyMs: CAMPAIGN_BOOK_LIMITS.everyMs,
      round: () => this.look(),
      onError: (error) => { options.log.debug({ err: error }, 'campaigns cannot be followed at the moment; they stay as they are'); },
    });
  }

  /** Reads them for the first time, and follows them from then on. */
  async start(): Promise<void> {
    await this.look();
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** Reads what has changed since the last look. */
  async look(): Promise<void> {
    const { store, builtIn } = this.#options;
    // Before the definitions: a change in between makes the next look read again.
    const version = await store.version();
    if (version === this.#version) return;
    this.set = new CampaignSet(mergeCampaigns(builtIn, await store.definitions()));
    this.#version = version;
  }
}
