import { pause } from '../../src/util/pause.js';

const PROBE = {
  /** Between an answer and the next try, ms. */
  everyMs: 20,
  /** A try without an answer by then has failed, ms. */
  answerMs: 3000,
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

  /** Whether it failed since a moment, and works again. */
  isBackSince(time: number): boolean {
    return this.#tries.some(({ askedAt, isGood }) => askedAt >= time && !isGood) && this.#tries.at(-1)?.isGood === true;
  }

  /** @returns when the first good answer came after the last bad one since a moment, ms of `performance.now()`; the moment itself when there was none */
  backAt(time: number): number {
    const last = this.#tries.findLast(({ at, isGood }) => at >= time && !isGood);
    return last === undefined ? time : this.#tries.find(({ askedAt, isGood }) => askedAt >= last.at && isGood)?.at ?? Infinity;
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
