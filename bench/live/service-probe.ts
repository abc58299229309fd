import { pause } from '../../src/util/pause.js';

const PROBE = {
  /** Between an answer and the next try, ms. */
  everyMs: 20,
  /** A try without an answer by then has failed, ms. */
  answerMs: 3000,
  /** Good answers in a row that tell that it works. */
  row: 10,
} as const;

interface Try {
  readonly askedAt: number;
  readonly at: number;
  readonly isGood: boolean;
}

/** Asks for one thing again and again, to tell since when it works. */
export class ServiceProbe {
  readonly #tries: Try[] = [];
  readonly #ask: (signal: AbortSignal) => Promise<boolean>;
  readonly #running: Promise<void>;
  #isOver = false;

  /** @param ask resolves with whether the answer is a good one; rejects when there is none */
  constructor(ask: (signal: AbortSignal) => Promise<boolean>) {
    this.#ask = ask;
    this.#running = this.#run();
  }

  /**
   * @returns when the first of `PROBE.row` good answers in a row came after a failure since a moment, ms of `performance.now()`; the moment itself
   *   when nothing failed; undefined when it is not back yet
   */
  backAt(time: number): number | undefined {
    const first = this.#tries.findIndex(({ at, isGood }) => at >= time && !isGood);
    if (first < 0) return time;
    let from = first;
    for (let next = first; next < this.#tries.length; next++) {
      if (!this.#tries[next]!.isGood) from = next + 1;
      else if (next - from + 1 === PROBE.row) return this.#tries[from]!.at;
    }
    return undefined;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const askedAt = performance.now();
      const isGood = await this.#ask(AbortSignal.timeout(PROBE.answerMs)).catch(() => false);
      this.#tries.push({ askedAt, at: performance.now(), isGood });
      await pause(PROBE.everyMs);
    }
  }
}
