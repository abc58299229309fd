import { readFileSync } from 'node:fs';
import { AppError } from '../errors.js';
import { HEAD_BYTES, TOKEN_BYTES } from '../profile/codec.js';
import { ByteWriter } from '../util/byte-writer.js';
import { groupBy } from '../util/group-by.js';
import { isCluster, type RedisClient } from './client.js';
import { partitionOf, type Keys } from './keys.js';

export type WriteResult =
  | { readonly written: true }
  /** Somebody else wrote first; `current` is what is there now. */
  | { readonly written: false; readonly current: Buffer | null };

interface ProfileScripts {
  writeProfilesBuffer(keyCount: number, ...keysAndWrites: (string | Buffer)[]): Promise<number | (number | Buffer)[]>;
  eraseProfile(keyCount: number, ...keysAndRecord: string[]): Promise<number>;
}

const WRITE_LIMITS = {
  /** Profiles of one script call, and the bytes after which no further one joins it. */
  profilesMax: 64,
  bytesMax: 256 * 1024,
} as const;

/** A write that waits for the end of the turn, when all of one partition go to Redis together. */
interface WaitingWrite {
  readonly shopper: string;
  readonly read: Buffer | null;
  readonly value: Buffer;
  readonly events: readonly string[];
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

const NO_TOKEN = Buffer.alloc(TOKEN_BYTES);
export const readScript = (name: string): string => readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');

/** Profiles in Redis: plain reads, and one compare-and-set script that writes profiles and their events together. */
export class ProfileStore {
  readonly #redis: RedisClient;
  readonly #scripts: ProfileScripts;
  readonly #keys: Keys;
  readonly #streamMax: number;
  readonly #ttlS: number;
  readonly #packed = new ByteWriter();
  /** By partition; not empty until the end of the turn. */
  readonly #waiting = new Map<number, WaitingWrite[]>();

  constructor(redis: RedisClient, keys: Keys, limits: { profileTtlS: number; streamEntriesMax: number }) {
    const lua = readScript('write-profiles').replaceAll('$TTL_S', String(limits.profileTtlS)).replaceAll('$STREAM_MAX', String(limits.streamEntriesMax));
    redis.defineCommand('writeProfiles', { lua });
    redis.defineCommand('eraseProfile', { lua: readScript('erase-profile') });
    this.#redis = redis;
    this.#scripts = redis as unknown as ProfileScripts;
    this.#keys = keys;
    this.#streamMax = limits.streamEntriesMax;
    this.#ttlS = limits.profileTtlS;
  }

  /** The whole value, for a writer. */
  read(shopper: string): Promise<Buffer | null> {
    return this.#redis.getBuffer(this.#keys.profile(shopper));
  }

  /**
   * The whole values of many shoppers, in one command: each command of its own would cost 6 µs of CPU. On a Redis Cluster one for
   * each partition.
   */
  async readMany(shoppers: readonly string[]): Promise<(Buffer | null)[]> {
    if (!isCluster(this.#redis)) return this.#redis.mgetBuffer(shoppers.map(this.#keys.profile));
    const found = new Map<string, Buffer | null>();
    await Promise.all(groupBy(shoppers, partitionOf).map(async ([, own]) => {
      const values = await this.#redis.mgetBuffer(own.map(this.#keys.profile));
      own.forEach((shopper, i) => { found.set(shopper, values[i]!); });
    }));
    return shoppers.map((shopper) => found.get(shopper) ?? null);
  }

  /** All but the recent event ids, for a reader: at most `HEAD_BYTES`. */
  async readHead(shopper: string): Promise<Buffer | null> {
    const head = await this.#redis.getrangeBuffer(this.#keys.profile(shopper), 0, HEAD_BYTES - 1);
    return head.length === 0 ? null : head;
  }

  /**
   * Writes of one turn to one partition travel in one call: a batch of 100 shoppers takes half as many calls, and a call costs
   * the client far more than what is in it.
   * @param read the value that was read, null for none
   * @param events JSON of the events folded into it
   * @throws AppError `backlog_full` when the stream holds as many entries as allowed; Redis errors as they come
   */
  write(shopper: string, read: Buffer | null, value: Buffer, events: readonly string[]): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      // After all microtasks: whatever the replies of this turn lead to has been asked for by then.
      if (this.#waiting.size === 0) process.nextTick(() => { this.#flush(); });
      const write = { shopper, read, value, events, resolve, reject };
      const partition = partitionOf(shopper);
      const writes = this.#waiting.get(partition);
      if (writes === undefined) this.#waiting.set(partition, [write]);
      else writes.push(write);
    });
  }

  #flush(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [partition, writes] of waiting) {
      for (let from = 0; from < writes.length;) from = this.#send(partition, writes, from);
    }
  }

  /** @returns where the next call begins */
  #send(partition: number, writes: readonly WaitingWrite[], from: number): number {
    const packed = this.#packed;
    const keys = [this.#keys.events(partition)];
    let to = from;
    for (; to < writes.length && to - from < WRITE_LIMITS.profilesMax && packed.length < WRITE_LIMITS.bytesMax; to++) {
      const { shopper, read, value, events } = writes[to]!;
      keys.push(this.#keys.profile(shopper));
      packed.bytes(read === null ? NO_TOKEN : read.subarray(0, TOKEN_BYTES));
      packed.uint32(value.length);
      packed.bytes(value);
      packed.uint32(events.length);
      for (const event of events) packed.sizedText(event);
    }
    void this.#call(keys, packed.take(), writes.slice(from, to));
    return to;
  }

  async #call(keys: readonly string[], packed: Buffer, writes: readonly WaitingWrite[]): Promise<void> {
    try {
      this.#settle(writes, await this.#scripts.writeProfilesBuffer(keys.length, ...keys, packed));
    } catch (error) {
      for (const write of writes) write.reject(error);
    }
  }

  #settle(writes: readonly WaitingWrite[], results: number | (number | Buffer)[]): void {
    writes.forEach(({ resolve, reject }, i) => {
      const result = typeof results === 'number' ? results : results[i]!;
      if (result === 1) resolve({ written: true });
      else if (typeof result !== 'number') resolve({ written: false, current: result.length === 0 ? null : result });
      else reject(new AppError('backlog_full', `${this.#streamMax} events of this partition wait to be archived; start a worker, or send again later.`));
    });
  }

  /** Appends a record to the shopper's stream; said twice, it is there twice. */
  async tell(shopper: string, record: string): Promise<void> {
    await this.#redis.xadd(this.#keys.eventsOf(shopper), '*', 'e', record);
  }

  /** Removes all by which there is such a shopper. @returns whether there was anything */
  async erase(shopper: string, record: string): Promise<boolean> {
    const { eventsOf, wallet, profile, attributes, visitors, inbox, growth, risk } = this.#keys;
    const names = [eventsOf, wallet, profile, attributes, visitors, inbox, growth, risk].map((keyOf) => keyOf(shopper));
    return (await this.#scripts.eraseProfile(names.length, ...names, record)) === 1;
  }

  /** Notes that a visitor's signpost leads to the user, for as long as a signpost stays. */
  async noteVisitor(user: string, visitor: string): Promise<void> {
    const key = this.#keys.visitors(user);
    await Promise.all([this.#redis.sadd(key, visitor), this.#redis.expire(key, this.#ttlS)]);
  }

  /** Visitors who were merged into the user. */
  visitorsOf(user: string): Promise<string[]> {
    return this.#redis.smembers(this.#keys.visitors(user));
  }
}
