import { AppError } from '../errors.js';
import { Type } from '../util/type.js';

/** Entries of a page when a request does not say how many. */
const PAGE_DEFAULT = 50;

/** The `limit` of a query for a page of at most `max` entries; `pageSize` reads it. */
export const pageLimit = (max: number, fallback = PAGE_DEFAULT) => Type.Optional(Type.String({ maxLength: 20, description: `1 to ${max}, default ${fallback}` }));

/**
 * @returns how many entries a page gets; where more than `max` are asked for, `max`
 * @throws AppError `invalid_request`
 */
export function pageSize(limit: string | undefined, max: number, fallback = PAGE_DEFAULT): number {
  if (limit === undefined) return fallback;
  if (!(/^[0-9]*[1-9][0-9]*$/u).test(limit)) throw new AppError('invalid_request', `limit is "${limit}", not a whole number from 1 to ${max}.`);
  return Math.min(max, Number(limit));
}
