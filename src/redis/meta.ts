import { AppError } from '../errors.js';
import type { RedisClient } from './client.js';
import { PARTITIONS, type Keys } from './keys.js';

/**
 * Notes what the data in Redis depends on at the first start, and refuses to run on data that was laid out otherwise:
 * with another number of partitions every shopper would be looked for under another key.
 */
export async function checkLayout(redis: RedisClient, keys: Keys): Promise<void> {
  await redis.hsetnx(keys.meta, 'partitions', PARTITIONS);
  const stored = await redis.hget(keys.meta, 'partitions');
  if (Number(stored) !== PARTITIONS) {
    throw new AppError('conflict', `The data under "${keys.prefix}" is laid out in ${stored} partitions, this version uses ${PARTITIONS}. Use another KEY_PREFIX or an empty Redis.`);
  }
}
