import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';
import { AppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { Random } from '../util/random.js';
import type { LiveLimits } from './limits.js';
import { isOriginAllowed, type OriginRule } from './origin.js';

/** Whoever is connected, by a socket or a stream. */
export interface Guest {
  /** Looks after it; called twice a second or so. */
  beat(now: number): void;
  /** Finishes what was begun, then says goodbye and when to come back. */
  drain(error: AppError, retryAfterMs: number): Promise<void>;
  /** Ends it without a word. */
  terminate(): void;
}

export interface GuestsOptions {
  readonly origins: OriginRule;
  readonly limits: Pick<LiveLimits, 'socketsMax' | 'socketsPerIpMax' | 'sweepEveryMs' | 'sweepSteps' | 'leaveEveryMs' | 'leaveMs' | 'comeBackMs' | 'closeGraceMs'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** What is known of a client before anything is said. */
interface Caller {
  readonly headers: IncomingHttpHeaders;
  readonly ip: string;
}

/** Who is here, and who may come in: pages of allowed origins, as long as there is room and not too many have come from one address. */
export class Guests {
  readonly #options: GuestsOptions;
  readonly #guests = new Set<Guest>();
  readonly #byAddress = new Map<string, number>();
  readonly #sweep: NodeJS.Timeout;
  /** Whom this sweep looks after, and how far it is. */
  #round: readonly Guest[] = [];
  #step = 0;
  #leaving: Promise<void> | undefined;

  constructor(options: GuestsOptions) {
    const { limits: { sweepEveryMs, sweepSteps } } = options;
    this.#options = options;
    const look = (): void => { this.#look(); };
    // After whatever has arrived was read: if this process was held up, that is not the clients' silence.
    this.#sweep = setInterval(() => { setImmediate(look); }, sweepEveryMs / sweepSteps);
    this.#sweep.unref();
  }

  /** Looks after some of them. */
  #look(): void {
    const { clock, limits: { sweepSteps } } = this.#options;
    if (this.#step === 0) this.#round = [...this.#guests];
    const startOf = (step: number): number => Math.floor((this.#round.length * step) / sweepSteps);
    const now = clock();
    for (const guest of this.#round.slice(startOf(this.#step), startOf(this.#step + 1))) if (this.#guests.has(guest)) guest.beat(now);
    this.#step = (this.#step + 1) % sweepSteps;
  }

  get count(): number {
    return this.#guests.size;
  }

  /** @returns why a caller may not come in */
  refusal({ headers, ip }: Caller): AppError | undefined {
    const { origins, limits: { socketsMax, socketsPerIpMax } } = this.#options;
    if (this.#leaving !== undefined) return new AppError('shutting_down', 'This process is shutting down; connect again in a moment.');
    if (!isOriginAllowed(origins, headers.origin, headers.host)) {
      return new AppError('forbidden', 'Pages of this origin may not connect; see CORS_ORIGINS.');
    }
    if (this.#guests.size >= socketsMax) return new AppError('overloaded', 'This process has as many sockets as it may; connect again in a while.');
    if (socketsPerIpMax > 0 && (this.#byAddress.get(homeOf(ip) ?? '') ?? 0) >= socketsPerIpMax) {
      return new AppError('rate_limited', 'This address has as many sockets as it may (SOCKETS_PER_IP_MAX); connect again in a while.');
    }
    return undefined;
  }

  enter(guest: Guest, ip: string): void {
    this.#guests.add(guest);
    this.#countAddress(ip, 1);
  }

  /** @param ip as it entered */
  leave(guest: Guest, ip: string): void {
    if (this.#guests.delete(guest)) this.#countAddress(ip, -1);
  }

  /** Lets nobody in any more, and all out. */
  close(): Promise<void> {
    this.#leaving ??= this.#letOut();
    return this.#leaving;
  }

  /**
   * Says goodbye to one after the other and waits until all are gone. At an even pace, so that whoever serves them next is
   * not met by all at once, while each of them is away but for a moment.
   */
  async #letOut(): Promise<void> {
    const { limits: { leaveEveryMs, leaveMs, comeBackMs, closeGraceMs }, random } = this.#options;
    const goodbye = new AppError('shutting_down', 'This process is shutting down; connect again after retryAfterMs.');
    const everyMs = Math.min(leaveEveryMs, leaveMs / this.#guests.size);
    const leaving: Promise<void>[] = [];
    const startedAt = performance.now();
    let dueAt = startedAt;
    for (const guest of this.#guests) {
      const turnAt = startedAt + leaving.length * everyMs;
      // Held up, it makes up for lost time, but not all at once.
      dueAt = Math.max(turnAt, Math.max(dueAt, performance.now() - CATCH_UP.lateMs) + everyMs / CATCH_UP.pace);
      const aheadMs = dueAt - performance.now();
      if (aheadMs > 0) await pause(aheadMs);
      // Counted from its turn: whoever is told late comes back in time all the same.
      const backAt = turnAt + comeBackMs * (1 + random()) / 2;
      leaving.push(guest.drain(goodbye, Math.max(0, Math.floor(backAt - performance.now()))));
    }
    const deadline = performance.now() + 2 * closeGraceMs;
    await Promise.race([Promise.all(leaving), pause(closeGraceMs)]);
    while (this.#guests.size > 0 && performance.now() < deadline) await pause(20);
    for (const guest of this.#guests) guest.terminate();
    clearInterval(this.#sweep);
  }

  #countAddress(ip: string, change: 1 | -1): void {
    const home = homeOf(ip);
    if (home === undefined) return;
    const count = (this.#byAddress.get(home) ?? 0) + change;
    if (count === 0) this.#byAddress.delete(home);
    else this.#byAddress.set(home, count);
  }
}

/** Whose turn to leave was longer ago than this, ms, leaves at this many times the usual pace. */
const CATCH_UP = { lateMs: 50, pace: 1.5 } as const;

/** Hextets of a network that is handed to one household. */
const NETWORK_PARTS = 4;

/**
 * What counts as one address: of IPv6 the network, because whoever has one address there has 2⁶⁴ of them.
 * @returns undefined for loopback: behind it is a proxy, or a test, and never a crowd of its own
 */
function homeOf(ip: string): string | undefined {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  if (address.range() === 'loopback') return undefined;
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, NETWORK_PARTS).join(':') : address.toString();
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms).unref(); });
