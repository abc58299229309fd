import type { Channel } from '../domain/offer.js';
import { BoundedMap } from '../util/bounded-map.js';

/** How often a shopper may be addressed, over all channels; 0: no cap. Windows roll: the last 24 hours, the last 7 days. */
export interface ContactCaps {
  readonly perDayMax: number;
  readonly perWeekMax: number;
}

export const NO_CAPS: ContactCaps = { perDayMax: 0, perWeekMax: 0 };

export const DAY_MS = 86_400_000;
export const WEEK_MS = 7 * DAY_MS;

/** When a store leaves its shoppers alone. */
export interface QuietHours {
  /** Local hours, from … until before …; over midnight when `from` is the later one; the same twice: never. */
  readonly from: number;
  readonly until: number;
  /** IANA name, for shoppers who have not said theirs. */
  readonly timezone: string;
}

/** A contact that was made. */
export interface Contact {
  readonly id: string;
  /** ms */
  readonly at: number;
}

/** What came of trying to send something: `sent_before` and `sent` are both success. */
export type SendResult = 'sent' | 'sent_before' | 'cooldown' | 'capped' | 'no_consent';

/** @returns whether one more contact fits under the caps */
export function hasRoom({ perDayMax, perWeekMax }: ContactCaps, contacts: readonly Contact[], now: number): boolean {
  let [day, week] = [0, 0];
  for (const { at } of contacts) {
    if (at > now - DAY_MS) day += 1;
    if (at > now - WEEK_MS) week += 1;
  }
  return (perDayMax === 0 || day < perDayMax) && (perWeekMax === 0 || week < perWeekMax);
}

/** A page that the shopper opened shows what it shows; everything else reaches out to them. */
export const isPushed = (channel: Channel): boolean => channel !== 'page';

const HOUR_MS = 3_600_000;
const TIMEZONES_KEPT = 512;
const clocks = new BoundedMap<string, Intl.DateTimeFormat>(TIMEZONES_KEPT);

/**
 * @param timezone the shopper's own, where it is known; one that does not exist counts as unknown
 * @returns when the quiet hours that `now` is in end, ms; undefined outside of them
 */
export function quietUntil(quiet: QuietHours, timezone: string | undefined, now: number): number | undefined {
  const { from, until } = quiet;
  const isQuiet = (hour: number): boolean => (from <= until ? hour >= from && hour < until : hour >= from || hour < until);
  if (from === until) return undefined;
  const clock = clockOf(timezone) ?? clockOf(quiet.timezone);
  if (clock === undefined || !isQuiet(localHour(clock, now))) return undefined;
  // Hour by hour, because an hour may be missing or come twice that night.
  let at = now - (now % HOUR_MS) + HOUR_MS;
  for (let hours = 0; hours < 24 && isQuiet(localHour(clock, at)); hours++) at += HOUR_MS;
  return at;
}

/** Of most zones a whole number of hours from UTC; of the others quiet hours end up to 45 minutes late. */
const localHour = (clock: Intl.DateTimeFormat, at: number): number => Number(clock.format(at)) % 24;

/** @returns undefined for no or an unknown time zone */
function clockOf(timezone: string | undefined): Intl.DateTimeFormat | undefined {
  if (timezone === undefined) return undefined;
  const known = clocks.get(timezone);
  if (known !== undefined) return known;
  try {
    const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', hourCycle: 'h23', timeZone: timezone });
    clocks.set(timezone, clock);
    return clock;
  } catch {
    return undefined;
  }
}
