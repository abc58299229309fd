import type { Logger } from 'pino';
import type { StreamKeeper } from '../redis/stream-keeper.js';
import { pause } from '../util/pause.js';

interface TrimmingOptions {
  readonly keeper: StreamKeeper;
  readonly everyMs: number;
  /** Streams, and the groups that must be there before anything of them goes. */
  readonly plans: readonly { readonly streams: readonly string[]; readonly groups: readonly string[] }[];
  readonly log: Logger;
}

/** Lets the streams go behind their groups, at intervals. Several workers doing so does no harm. */
export class Trimming {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Entries that went. */
  trimmed = 0;

  constructor(private readonly options: TrimmingOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { everyMs, plans, keeper, log } = this.options;
    while (!this.#stopping.signal.aborted) {
      await pause(everyMs, this.#stopping.signal);
      try {
        for (const { streams, groups } of plans) this.trimmed += await keeper.trim(streams, groups);
      } catch (error) {
        log.debug({ err: error }, 'streams were not trimmed this time');
      }
    }
  }
}
