import { encodeStatistics, StatisticsDecoder } from '../candidates/statistics-codec.js';
import type { StatisticsData } from '../candidates/statistics.js';
import type { Notice } from '../domain/record.js';
import type { Clock } from '../util/clock.js';
import { entryTime } from '../util/entry-id.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

const STATISTICS_STORE_LIMITS = {
  chunkBytes: 256 * 1024,
  /** Chunks written by one command. A reader, which may be serving requests, takes one at a time. */
  chunksPerWrite: 4,
  /** Increments read at once: some hundred kilobytes each at most. */
  incrementsPerRead: 4,
  /** A version that is no longer, or not yet, the current one stays this long: a reader is done with it by then, s. */
  staleS: 600,
} as const;

/** The statistics that all processes rank by: versions in chunks, and which of them is current. */
export class StatisticsStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  /**
   * Stores a new version, makes it the current one and says so.
   * @param onVersion called before it becomes the current one
   * @returns the version
   */
  async write(data: StatisticsData, clock: Clock, onVersion?: (version: string, bytes: Uint8Array) => Promise<void>): Promise<string> {
    const { redis, keys } = this;
    const bytes = encodeStatistics(data);
    const version = `${clock()}-${bytes.readUInt32LE(16).toString(16)}`;
    const key = keys.statistics(version);
    const { chunkBytes, chunksPerWrite, staleS } = STATISTICS_STORE_LIMITS;
    await redis.del(key);
    for (let from = 0; from < bytes.length; from += chunkBytes * chunksPerWrite) {
      const chunks: Buffer[] = [];
      for (let at = from; at < Math.min(bytes.length, from + chunkBytes * chunksPerWrite); at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes));
      await redis.multi().rpush(key, ...chunks).expire(key, staleS).exec();
    }
    await onVersion?.(version, bytes);
    const old = await this.currentVersion();
    const swap = redis.multi().persist(key).set(keys.statisticsVersion, version);
    if (old !== undefined && old !== version) swap.expire(keys.statistics(old), staleS).expire(keys.statisticsIncrements(old), staleS);
    await swap.exec();
    const notice: Notice = { kind: 'statistics', version };
    await redis.publish(keys.notices, JSON.stringify(notice));
    return version;
  }

  /**
   * Adds an increment to the current version and says so.
   * @param number 1, 2, …
   * @throws Error when there is one of this number already: somebody else counts, too
   */
  async append(version: string, number: number, increment: Buffer): Promise<void> {
    const { redis, keys } = this;
    await redis.xadd(keys.statisticsIncrements(version), `${number}-0`, 'i', increment);
    const notice: Notice = { kind: 'statistics', version };
    await redis.publish(keys.notices, JSON.stringify(notice));
  }

  /** @returns the next increments of a version after so many, at most `STATISTICS_STORE_LIMITS.incrementsPerRead`, in order */
  async increments(version: string, after: number): Promise<{ number: number; bytes: Buffer }[]> {
    const entries = await this.redis.xrangeBuffer(this.keys.statisticsIncrements(version), `(${after}-0`, '+', 'COUNT', STATISTICS_STORE_LIMITS.incrementsPerRead);
    return entries.map(([id, fields]) => ({ number: entryTime(id.toString()), bytes: fields[1]! }));
  }

  /** @returns how many increments a version has had */
  async lastIncrement(version: string): Promise<number> {
    const [last] = await this.redis.xrevrange(this.keys.statisticsIncrements(version), '+', '-', 'COUNT', 1);
    return last === undefined ? 0 : entryTime(last[0]);
  }

  /** Asks whoever counts to count anew from the archive. */
  async askRecount(reason: string): Promise<void> {
    await this.redis.set(this.keys.statisticsRecount, reason);
  }

  /** @returns why a recount is asked for; each asking once */
  async takeRecount(): Promise<string | undefined> {
    return (await this.redis.getdel(this.keys.statisticsRecount)) ?? undefined;
  }

  async currentVersion(): Promise<string | undefined> {
    return (await this.redis.get(this.keys.statisticsVersion)) ?? undefined;
  }

  /**
   * @returns undefined when there is no such version any more
   * @throws Error when it is damaged
   */
  async read(version: string): Promise<StatisticsData | undefined> {
    const { redis } = this;
    const key = this.keys.statistics(version);
    const chunks = await redis.llen(key);
    if (chunks === 0) return undefined;
    const last = await redis.lindexBuffer(key, -1);
    if (last === null) return undefined;
    const decoder = new StatisticsDecoder((chunks - 1) * STATISTICS_STORE_LIMITS.chunkBytes + last.length);
    for (let at = 0; at < chunks; at++) {
      const chunk = await redis.lindexBuffer(key, at);
      if (chunk !== null) decoder.push(chunk);
    }
    return decoder.finish();
  }
}
