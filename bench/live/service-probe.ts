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
  /** What is wrong with the answer; '' of a good one. */
  readonly fault: string;
}

/** Asks for one thing again and again, to tell since when it works. */
export class ServiceProbe {
  readonly #tries: Try[] = [];
  readonly #ask: (signal: AbortSignal) => Promise<string>;
  readonly #running: Promise<void>;
  #isOver = false;

  /** @param ask resolves with what is wrong with the answer, '' for nothing; rejects when there is none */
  constructor(ask: (signal: AbortSignal) => Promise<string>) {
    this.#ask = ask;
    this.#running = this.#run();
  }

  /**
   * @returns when the first of `PROBE.row` good answers in a row came after a failure since a moment, ms of `performance.now()`; the moment itself
   *   when nothing failed; undefined when it is not back yet
   */
  backAt(time: number): number | undefined {
    const first = this.#tries.findIndex(({ at, fault }) => at >= time && fault !== '');
    if (first < 0) return time;
    let from = first;
    for (let next = first; next < this.#tries.length; next++) {
      if (this.#tries[next]!.fault !== '') from = next + 1;
      else if (next - from + 1 === PROBE.row) return this.#tries[from]!.at;
    }
    return undefined;
  }

  /** What was answered wrongly in a time, how often, and after how long at most. */
  faults(from: number, to: number): string {
    const found = new Map<string, number[]>();
    for (const { askedAt, at, fault } of this.#tries) if (fault !== '' && at >= from && at < to) found.set(fault, [...found.get(fault) ?? [], at - askedAt]);
    return [...found].map(([fault, times]) => `${times.length} × ${fault} after ${Math.max(...times).toFixed(0)} ms`).join(', ');
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const askedAt = performance.now();
      const fault = await this.#ask(AbortSignal.timeout(PROBE.answerMs)).catch(String);
      this.#tries.push({ askedAt, at: performance.now(), fault });
      await pause(PROBE.everyMs);
    }
  }
}
