/** A day, or a minute and more of it; `Date.parse` alone takes much else, each engine what it likes. */
const ISO_8601 = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:(?<time>[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)(?<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?$/u;

/** @returns ms since 1970 of an ISO 8601 time, in UTC where it has no offset, wherever this runs; NaN for anything else */
export function isoTime(text: string): number {
  const { groups } = ISO_8601.exec(text) ?? {};
  if (groups === undefined) return NaN;
  return Date.parse(groups['time'] !== undefined && groups['offset'] === undefined ? `${text}Z` : text);
}
