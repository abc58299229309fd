import { Type } from 'typebox';

/** Entries of a page when a request does not say how many. */
const PAGE_DEFAULT = 50;

/** The `limit` of a query for a page of at most `max` entries (below 1,000). */
export const pageLimit = (max: number) => Type.Optional(Type.String({ pattern: '^[0-9]{1,3}$', description: `1 to ${max}, default ${PAGE_DEFAULT}` }));

/** @returns how many entries a page gets */
export function pageSize(limit: string | undefined, max: number, fallback = PAGE_DEFAULT): number {
  return Math.min(max, Math.max(1, Number(limit ?? fallback)));
}
