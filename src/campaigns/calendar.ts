import type { Campaign } from '../domain/campaign.js';

const DEFAULT_HOUR = 9;
const DAYS_OF_LEAP_YEARS = '02-29';

/** A day of the store, and the hour of it. */
export interface StoreTime {
  /** `YYYY-MM-DD` */
  readonly day: string;
  readonly hour: number;
}

/** @param timezone IANA name, checked */
export function storeTime(now: number, timezone: string): StoreTime {
  // Sweden writes dates as ISO 8601 does.
  const text = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', hourCycle: 'h23' }).format(now);
  return { day: text.slice(0, 10), hour: Number(text.slice(11, 13)) };
}

/** @returns the birthdays (`MM-DD`) that are kept on a day: the 29th of February on the 1st of March of other years, as portraits do */
export function birthdaysOn(day: string): string[] {
  const isLeap = new Date(`${day.slice(0, 4)}-${DAYS_OF_LEAP_YEARS}T00:00:00Z`).getUTCDate() === 29;
  return day.endsWith('-03-01') && !isLeap ? ['03-01', DAYS_OF_LEAP_YEARS] : [day.slice(5)];
}

/** Whether a campaign of the calendar begins on that day, and its hour has come. */
export function isDayOf({ trigger }: Campaign, { day, hour }: StoreTime): boolean {
  if (trigger.on !== 'birthday' && trigger.on !== 'date') return false;
  if (hour < (trigger.hour ?? DEFAULT_HOUR)) return false;
  return trigger.on === 'birthday' || trigger.dates.some((date) => date === day || date === day.slice(5));
}
