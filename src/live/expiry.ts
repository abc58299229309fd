import { TOKEN_LIMITS } from './token.js';

/** The time of a token: when its client is to be told, and when it is over. Who was let in within the tolerance of clocks stays as long. A key has no end. */
export class Expiry {
  readonly #warningMs: number;
  #expiresAt = Infinity;
  #warnAt = Infinity;

  /** @param warningMs so long before the end comes the warning; of a shorter token half its time */
  constructor(warningMs: number) {
    this.#warningMs = warningMs;
  }

  /** A token counts from now on. @param expiresAt ms; Infinity for a key */
  begin(expiresAt: number, now: number): void {
    const leftMs = expiresAt - now;
    this.#expiresAt = expiresAt;
    this.#warnAt = now + Math.max(leftMs / 2, leftMs - this.#warningMs);
  }

  /** @returns what is due; the warning once */
  due(now: number): 'end' | 'warning' | undefined {
    if (now >= this.#expiresAt + TOKEN_LIMITS.clockToleranceS * 1000) return 'end';
    if (now < this.#warnAt) return undefined;
    this.#warnAt = Infinity;
    return 'warning';
  }

  /** What is left by the token's own words, ms; undefined: there is no end. */
  leftMs(now: number): number | undefined {
    return this.#expiresAt === Infinity ? undefined : Math.max(0, Math.round(this.#expiresAt - now));
  }
}
