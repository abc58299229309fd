import type { Clock } from '../util/clock.js';

export const CIRCUIT_LIMITS = {
  /** A run longer than this is slow, ms. */
  slowMs: 100,
  /** So many slow runs in a row open the circuit … */
  slowRuns: 3,
  /** … and one run longer than this does at once, ms. */
  stallMs: 500,
  /** Pause before one run is tried again, ms. */
  coolDownMs: 1000,
  /** The trial run may take this long, ms; it holds nobody up. */
  probeMs: 1000,
} as const;
export type CircuitLimits = { readonly [K in keyof typeof CIRCUIT_LIMITS]: number };

export type CircuitState = 'closed' | 'open' | 'probing';

/**
 * Circuit breaker of the model. A run holds up the whole event loop and cannot be cut short, so slowness is known only
 * afterwards: what can be done is to stop asking for a while, then to try with a single run.
 */
export class Circuit {
  #slowRuns = 0;
  /** Time until which the circuit is open; 0 when closed. */
  #openUntil = 0;
  #probing = false;

  constructor(readonly clock: Clock, readonly limits: CircuitLimits = CIRCUIT_LIMITS) {}

  get state(): CircuitState {
    if (this.#probing) return 'probing';
    return this.#openUntil === 0 ? 'closed' : 'open';
  }

  /** Whether a run may be asked for now. */
  get available(): boolean {
    return !this.#probing && (this.#openUntil === 0 || this.clock() >= this.#openUntil);
  }

  /** Asks for a run, which must be reported with `succeeded` or `failed`. @returns whether it may take place */
  admit(): boolean {
    if (!this.available) return false;
    this.#probing = this.#openUntil !== 0;
    return true;
  }

  succeeded(elapsedMs: number): void {
    const slow = elapsedMs > this.limits.slowMs;
    this.#slowRuns = slow ? this.#slowRuns + 1 : 0;
    if (elapsedMs > this.limits.stallMs || this.#slowRuns >= this.limits.slowRuns || (slow && this.#probing)) this.failed();
    else {
      this.#probing = false;
      this.#openUntil = 0;
    }
  }

  failed(): void {
    this.#probing = false;
    this.#slowRuns = 0;
    this.#openUntil = this.clock() + this.limits.coolDownMs;
  }
}
