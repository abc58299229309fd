import { within } from './deadline.js';

/** Lets those of this process who want the same thing at it one after another, in the order in which they came. */
export class Turns {
  readonly #waitMs: number;
  /** Key → the end of the last turn that was taken. */
  readonly #last = new Map<string, Promise<void>>();

  /** @param waitMs longest wait for one's turn; then it begins out of turn */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Whether somebody has a turn, or waits for one. */
  isTaken(key: string): boolean {
    return this.#last.has(key);
  }

  /** Waits for all who came before. @returns what ends the turn */
  async take(key: string): Promise<() => void> {
    const before = this.#last.get(key);
    let end!: () => void;
    const turn = new Promise<void>((resolve) => { end = resolve; });
    this.#last.set(key, turn);
    if (before !== undefined) await within(before, this.#waitMs);
    return () => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
      end();
    };
  }
}
