import { pause } from './pause.js';

interface RoundsOptions {
  /** From the end of a round to the next, ms. */
  readonly everyMs: number;
  readonly round: () => Promise<unknown>;
  /** Told what a round threw; the next comes all the same. */
  readonly onError: (error: unknown) => void;
}

/** Does something again and again, from `start` to `stop`. */
export class Rounds {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(private readonly options: RoundsOptions) {}

  /** The first round begins at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the round under way is done. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { everyMs, round, onError } = this.options;
    while (!this.#stopping.signal.aborted) {
      try {
        await round();
      } catch (error) {
        onError(error);
      }
      await pause(everyMs, this.#stopping.signal);
    }
  }
}
