import { randomUUID } from 'node:crypto';

/** Ids of what a process makes: random per process, then counted. */
export function idSource(): () => string {
  const prefix = randomUUID().slice(0, 13);
  let count = 0;
  return () => `${prefix}-${(count++).toString(36)}`;
}
