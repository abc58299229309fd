import { BoundedMap } from '../util/bounded-map.js';
import type { Clock } from '../util/clock.js';

/** How many requests a minute are taken of each; 0: any number. */
export interface VelocityLimits { readonly user: number; readonly device: number; readonly ip: number }
export type Subject = keyof VelocityLimits;
export const NO_LIMITS: VelocityLimits = { user: 0, device: 0, ip: 0 };

export const VELOCITY_LIMITS = {
  /** Subjects counted; the longest unseen are forgotten. */
  subjectsMax: 200_000,
  /** A subject that has used less than this part of a limit is nobody else's business. */
  sharedFrom: 0.125,
} as const;
const MINUTE_MS = 60_000;

/** Counts of one subject, by minutes of the clock. */
interface Window {
  minute: number;
  /** Of this process in this minute, and those of them that others were not told. */
  own: number;
  untold: number;
  /** Of other processes, as last heard. */
  others: number;
  /** Of all in the minute before. */
  before: number;
}

/** What others are to be told: so many more in that minute. */
export interface Untold { readonly key: string; readonly minute: number; readonly count: number }

/**
 * Requests in the last minute: those of this minute, and of the minute before the part that still lies within sixty seconds. Counted in this
 * process, without waiting for anybody; processes tell each other their counts once a second, so that together they let pass at
 * most what comes in that second too much.
 */
export class VelocityLimiter {
  readonly #windows = new BoundedMap<string, Window>(VELOCITY_LIMITS.subjectsMax);
  readonly #untold = new Set<string>();

  constructor(private readonly limits: VelocityLimits, private readonly clock: Clock) {}

  /** @returns undefined when it is taken and counted, else seconds after which it may be tried again */
  take(who: Readonly<Partial<Record<Subject, string>>>, count = 1): number | undefined {
    const now = this.clock();
    const windows: [string, Window, number][] = [];
    for (const subject of SUBJECTS) {
      const [name, limit] = [who[subject], this.limits[subject]];
      if (name === undefined || limit === 0) continue;
      const key = `${subject}:${name}`;
      const window = this.#window(key, now);
      if (weightOf(window, now) + count > Math.max(limit, count)) return Math.ceil((MINUTE_MS - now % MINUTE_MS) / 1000);
      windows.push([key, window, limit]);
    }
    for (const [key, window, limit] of windows) {
      window.own += count;
      window.untold += count;
      if (window.own >= limit * VELOCITY_LIMITS.sharedFrom) this.#untold.add(key);
    }
    return undefined;
  }

  /** @returns what others do not know yet; it counts as told */
  takeUntold(): Untold[] {
    const told: Untold[] = [];
    for (const key of this.#untold) {
      const window = this.#windows.get(key);
      if (window === undefined || window.untold === 0) continue;
      told.push({ key, minute: window.minute, count: window.untold });
      window.untold = 0;
    }
    this.#untold.clear();
    return told;
  }

  /** @param total of all processes in that minute */
  learn(key: string, minute: number, total: number): void {
    const window = this.#windows.get(key);
    if (window?.minute === minute) window.others = Math.max(0, total - (window.own - window.untold));
  }

  #window(key: string, now: number): Window {
    const minute = Math.floor(now / MINUTE_MS);
    const window = this.#windows.get(key);
    if (window?.minute === minute) return window;
    const before = window?.minute === minute - 1 ? window.own + window.others : 0;
    const fresh = { minute, own: 0, untold: 0, others: 0, before };
    this.#windows.set(key, fresh);
    return fresh;
  }
}

const SUBJECTS = ['user', 'device', 'ip'] as const satisfies readonly Subject[];
const weightOf = ({ own, others, before }: Window, now: number): number => own + others + before * (1 - now % MINUTE_MS / MINUTE_MS);
