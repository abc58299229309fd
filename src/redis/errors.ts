import { AppError } from '../errors.js';

/** What ioredis says when it could not even hand the command to the socket: certainly not executed. */
const NOT_SENT = /Stream isn't writeable/u;
const UNCERTAIN = /Command timed out|Command aborted|Reached the max retries|ECONNRESET|EPIPE|Connection is closed|Socket timeout/iu;
/** What a node of a Redis Cluster says, or ioredis of it, while the key's master is away or changes: certainly not executed. */
const ELSEWHERE = /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|READONLY|MASTERDOWN) |Too many Cluster redirections/u;

/** @returns whether a command that failed so may nevertheless have been executed */
export function isUncertain(error: unknown): boolean {
  return error instanceof Error && UNCERTAIN.test(error.message);
}

/** @returns whether it failed, by itself or by its cause, because Redis or the key's master is away: nothing is wrong with what was asked */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return NOT_SENT.test(error.message) || ELSEWHERE.test(error.message) || isUncertain(error) || isAway(error.cause);
}

/** A failure of the store as one of ours: refused for certain, or unknown. Both may be sent again with the same ids. */
export function storeError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isUncertain(error)) {
    return new AppError('write_unknown', 'The store did not answer in time; it may have taken this. Send the same ids again: nothing counts twice.', { cause: error });
  }
  const message = error instanceof Error && NOT_SENT.test(error.message) ? 'The store is not reachable' : 'The store refused';
  return new AppError('store_unavailable', `${message}; nothing was taken. Send it again in a moment.`, { cause: error });
}
