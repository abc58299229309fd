import type { Logger } from 'pino';
import type { StreamKeeper } from '../redis/stream-keeper.js';
import { Rounds } from '../util/rounds.js';

interface TrimmingOptions {
  readonly keeper: StreamKeeper;
  readonly everyMs: number;
  /** Streams, and the groups that must be there before anything of them goes. */
  readonly plans: readonly { readonly streams: readonly string[]; readonly groups: readonly string[] }[];
  readonly log: Logger;
}

/** Lets the streams go behind their groups, at intervals. Several workers doing so does no harm. */
export class Trimming {
  readonly #rounds: Rounds;
  /** Entries that went. */
  trimmed = 0;

  constructor({ everyMs, plans, keeper, log }: TrimmingOptions) {
    this.#rounds = new Rounds({
      everyMs,
      round: async () => { for (const { streams, groups } of plans) this.trimmed += await keeper.trim(streams, groups); },
      onError: (error) => { log.debug({ err: error }, 'streams were not trimmed this time'); },
    });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }
}
