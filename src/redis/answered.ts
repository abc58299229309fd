import { LATE, within } from '../util/deadline.js';
import type { RedisClient } from './client.js';

/**
 * Waits for what a connection reads. One that is dead without knowing it would wait for ever, and of one that is ended while it
 * reconnects ioredis never answers what was under way.
 * @param ms after which the connection is made anew
 * @param signal from when on nobody wants the answer any more, and the connection is ended
 * @throws Error when there is no answer
 */
export async function answered<T>(listening: RedisClient, reply: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const value = await within(reply, ms, signal);
  if (value !== LATE) return value;
  if (!signal.aborted) listening.disconnect(true);
  throw new Error('Redis did not answer a read; connecting anew.');
}
