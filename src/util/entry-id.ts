/** Ids of stream entries: `<ms>-<sequence>`, in order of time. */

/** @returns the entry's time, ms */
export const entryTime = (id: string): number => Number(id.slice(0, id.indexOf('-')));

/** @returns below 0 when `a` came first, above 0 when `b` did, 0 for the same */
export const compareEntries = (a: string, b: string): number =>
  entryTime(a) - entryTime(b) || Number(a.slice(a.indexOf('-') + 1)) - Number(b.slice(b.indexOf('-') + 1));
