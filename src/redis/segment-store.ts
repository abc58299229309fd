import type { Redis } from 'ioredis';
import type { Segment } from '../domain/segment.js';
import { AppError } from '../errors.js';
import type { Random } from '../util/random.js';
import { mastersOf, type RedisClient } from './client.js';
import { PARTITIONS, type Keys } from './keys.js';

const SEGMENT_STORE_LIMITS = {
  /** Keys looked at by one step of a scan. */
  scanCount: 500,
} as const;

/** Where a list of members goes on: by partition, and by shopper within it. */
interface Cursor { readonly partition: number; readonly after: string }

/** Definitions of segments, their members and sizes, and the sums over all buyers. */
export class SegmentStore {
  readonly #redis: RedisClient;
  readonly #keys: Keys;
  readonly #partitions = Array.from({ length: PARTITIONS }, (_, i) => i);

  constructor(redis: RedisClient, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** The operators' segments. */
  async definitions(): Promise<Segment[]> {
    return Object.values(await this.#redis.hgetall(this.#keys.segments)).map((json) => JSON.parse(json) as Segment);
  }

  async put(segment: Segment): Promise<void> {
    await this.#redis.multi().hset(this.#keys.segments, segment.id, JSON.stringify(segment)).incr(this.#keys.segmentsVersion).exec();
  }

  /** @returns whether there was one */
  async remove(id: string): Promise<boolean> {
    const removed = await this.#redis.hdel(this.#keys.segments, id);
    if (removed === 1) await this.#redis.incr(this.#keys.segmentsVersion);
    return removed === 1;
  }

  /** @returns counters of changes of the definitions, and of the sums over buyers; and for which definitions all shoppers were looked at */
  async versions(): Promise<{ definitions: string; swept: string; buyers: string }> {
    const [definitions, swept, buyers] = await this.#redis.mget(this.#keys.segmentsVersion, this.#keys.segmentsSwept, this.#keys.buyersVersion);
    return { definitions: definitions ?? '0', swept: swept ?? '', buyers: buyers ?? '0' };
  }

  async noteSwept(definitions: string): Promise<void> {
    await this.#redis.set(this.#keys.segmentsSwept, definitions);
  }

  /** @returns members by segment id */
  async sizes(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const fields of await Promise.all(this.#partitions.map((partition) => this.#redis.hgetall(this.#keys.segmentSizes(partition))))) {
      for (const [id, size] of Object.entries(fields)) sizes.set(id, (sizes.get(id) ?? 0) + Number(size));
    }
    return sizes;
  }

  /**
   * Members by partition and name: whoever is in the segment all the while is listed once.
   * @param cursor what the last page gave, '' to begin
   * @returns the cursor of the next page, '' after the last
   * @throws AppError `invalid_request` for a cursor of no page
   */
  async members(id: string, cursor: string, limit: number): Promise<{ members: string[]; cursor: string }> {
    const { partition: first, after } = parseCursor(cursor);
    const counts = await Promise.all(this.#partitions.slice(first).map((partition) => this.#redis.zcard(this.#keys.segmentMembers(partition, id))));
    const members: string[] = [];
    for (let partition = first; partition < PARTITIONS; partition++) {
      if (counts[partition - first] === 0) continue;
      const page = await this.#redis.zrange(
        this.#keys.segmentMembers(partition, id), partition === first && after !== '' ? `(${after}` : '-', '+', 'BYLEX', 'LIMIT', 0, limit - members.length,
      );
      members.push(...page);
      if (members.length === limit) return { members, cursor: cursorOf({ partition, after: members.at(-1)! }) };
    }
    return { members, cursor: '' };
  }

  /** @returns members of the segments, of each partition's about that share, drawn at random */
  async sample(ids: readonly string[], share: number, random: Random): Promise<string[]> {
    const drawn = await Promise.all(this.#partitions.map(async (partition) => {
      const sizes = await this.#redis.hmget(this.#keys.segmentSizes(partition), ...ids);
      return Promise.all(ids.map(async (id, i) => {
        // Of half a shopper every other one is drawn.
        const count = Math.floor(Number(sizes[i] ?? 0) * share + random());
        return count === 0 ? [] : this.#redis.zrandmember(this.#keys.segmentMembers(partition, id), count);
      }));
    }));
    return drawn.flat(2);
  }

  /** All shoppers with a profile, a page at a time; each at least once, some perhaps twice. */
  async *profiles(): AsyncGenerator<string[]> {
    yield* this.#scan('profile');
  }

  /** Shoppers who are in a segment, or count as buyers, and have no profile any more. */
  async *orphans(): AsyncGenerator<string[]> {
    for await (const page of this.#scan('segments')) yield await this.#withoutProfile(page);
    for (const partition of this.#partitions) {
      let cursor = '0';
      do {
        const [next, fields] = await this.#redis.hscan(this.#keys.buyers(partition), cursor, 'COUNT', SEGMENT_STORE_LIMITS.scanCount);
        yield await this.#withoutProfile(fields.filter((_, i) => i % 2 === 0));
        cursor = next;
      } while (cursor !== '0');
    }
  }

  /** Counts of all partitions by field `<metric>:<bucket>`, one row each. */
  async buyerCounts(): Promise<(readonly [field: string, count: number])[]> {
    const partitions = await Promise.all(this.#partitions.map((partition) => this.#redis.hgetall(this.#keys.buyerCounts(partition))));
    return partitions.flatMap((fields) => Object.entries(fields).map(([field, count]) => [field, Number(count)] as const));
  }

  /** What the buyers of all partitions come to, as JSON; '' before it was first published. */
  async buyers(): Promise<string> {
    return await this.#redis.get(this.#keys.buyersPublished) ?? '';
  }

  async publishBuyers(json: string): Promise<void> {
    await this.#redis.multi().set(this.#keys.buyersPublished, json).incr(this.#keys.buyersVersion).exec();
  }

  async *#scan(what: 'profile' | 'segments'): AsyncGenerator<string[]> {
    for (const master of mastersOf(this.#redis)) yield* this.#scanOne(master, what);
  }

  async *#scanOne(redis: Redis, what: 'profile' | 'segments'): AsyncGenerator<string[]> {
    const pattern = `${this.#keys.prefix.replaceAll(/[*?[\]\\]/gu, '\\$&')}{p*}:${what}:*`;
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', SEGMENT_STORE_LIMITS.scanCount);
      yield keys.map((key) => key.slice(key.indexOf(`}:${what}:`) + what.length + '}::'.length));
      cursor = next;
    } while (cursor !== '0');
  }

  async #withoutProfile(shoppers: readonly string[]): Promise<string[]> {
    const exist = await Promise.all(shoppers.map((shopper) => this.#redis.exists(this.#keys.profile(shopper))));
    return shoppers.filter((_, i) => exist[i] === 0);
  }
}

const cursorOf = ({ partition, after }: Cursor): string => Buffer.from(`${partition}:${after}`).toString('base64url');

function parseCursor(text: string): Cursor {
  if (text === '') return { partition: 0, after: '' };
  const [, partition, after] = /^([0-9]{1,2}):(.+)$/su.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (partition === undefined || after === undefined || Number(partition) >= PARTITIONS) {
    throw new AppError('invalid_request', 'cursor is none that a page of members gave; send it as it came, or none to begin.');
  }
  return { partition: Number(partition), after };
}
