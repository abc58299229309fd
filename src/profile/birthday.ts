import type { Attributes } from '../domain/attributes.js';

/** A day of the year; month and day from 1. */
export interface YearDay { readonly month: number; readonly day: number }

const DAY_MS = 86_400_000;

export function birthdayOf(attributes: Attributes | undefined): YearDay | undefined {
  const [month, day] = attributes?.birthday?.slice(-'MM-DD'.length).split('-').map(Number) ?? [];
  return month === undefined || day === undefined ? undefined : { month, day };
}

/**
 * @param timezone IANA name; UTC without one, or with one that is not known here
 * @returns whole days from today to the next such day, 0 today; the 29th of February is kept on the 1st of March of other years
 */
export function daysUntil({ month, day }: YearDay, now: number, timezone: string | undefined): number {
  const today = dateIn(now, timezone);
  const year = new Date(today).getUTCFullYear();
  const next = Date.UTC(year, month - 1, day);
  return ((next >= today ? next : Date.UTC(year + 1, month - 1, day)) - today) / DAY_MS;
}

/** Formats by time zone: making one costs a hundred times what using it does. There are some 600 names. */
const formats = new Map<string, Intl.DateTimeFormat | undefined>();

/** @returns the date there, as midnight UTC, ms */
function dateIn(now: number, timezone: string | undefined): number {
  const utc = Math.floor(now / DAY_MS) * DAY_MS;
  if (timezone === undefined) return utc;
  const format = formatOf(timezone);
  return format === undefined ? utc : Date.parse(`${format.format(now)}T00:00:00Z`);
}

function formatOf(timezone: string): Intl.DateTimeFormat | undefined {
  if (formats.has(timezone)) return formats.get(timezone);
  let format: Intl.DateTimeFormat | undefined;
  try {
    // Sweden writes dates as ISO 8601 does.
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit' });
  } catch {
    return undefined;
  }
  formats.set(timezone, format);
  return format;
}
