/** Calendar days of time zones, as numbers: days since 1970-01-01. */

const DAY_MS = 86_400_000;
/** Formats by time zone: making one costs a hundred times what using it does. There are some 600 names. */
const formats = new Map<string, Intl.DateTimeFormat | undefined>();

/** @param timezone IANA name; UTC for one that is not known here. @returns the day it is there */
export function dayIn(at: number, timezone: string): number {
  const format = timezone === 'UTC' ? undefined : formatOf(timezone);
  return Math.floor((format === undefined ? at : Date.parse(`${format.format(at)}T00:00:00Z`)) / DAY_MS);
}

/** Weeks begin on Mondays; 1970-01-01 was a Thursday. */
export const weekOf = (day: number): number => Math.floor((day + 3) / 7);

export function monthOf(day: number): number {
  const date = new Date(day * DAY_MS);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** @param text `YYYY-MM-DD`, or `MM-DD` of any year. @returns whether there is such a day */
export function isDay(text: string): boolean {
  const [month, day] = text.slice(-'MM-DD'.length).split('-').map(Number) as [number, number];
  const year = text.length > 'MM-DD'.length ? Number(text.slice(0, 4)) : 2000;
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}

/** @returns `YYYY-MM-DD` */
export const nameOfDay = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

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
