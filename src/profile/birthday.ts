import type { Attributes } from '../domain/attributes.js';
import { dayIn } from '../util/calendar.js';

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
  const today = dayIn(now, timezone ?? 'UTC') * DAY_MS;
  const year = new Date(today).getUTCFullYear();
  const next = Date.UTC(year, month - 1, day);
  return ((next >= today ? next : Date.UTC(year + 1, month - 1, day)) - today) / DAY_MS;
}
