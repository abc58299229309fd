import type { Logger } from 'pino';
import { answered } from '../redis/answered.js';
import { isCluster, type RedisClient } from '../redis/client.js';
import { isAway } from '../redis/errors.js';
import { within } from '../util/deadline.js';
import { backoffMs, pause } from '../util/pause.js';
import { ensureGroups, type Fields, type StreamHandler } from './streams.js';

export const CONSUMER_LIMITS = {
  /** Entries taken of each stream at once. */
  perStream: 50,
  /** A read waits this long for entries, ms. */
  blockMs: 5000,
  /** On a Redis Cluster the streams are asked again after a pause, which doubles from … to … while none has anything, ms. */
  pollFromMs: 10,
  pollToMs: 250,
  /** A read that has not answered this long after its time is given up with its connection, ms. */
  blockGraceMs: 10_000,
  /** Entries somebody took and did not acknowledge for this long are taken over, ms. */
  claimIdleMs: 60_000,
  claimEveryMs: 30_000,
  claimPerStream: 100,
  /** Pause after a failure: doubles from … to …, ms. */
  retryFromMs: 100,
  retryToMs: 5000,
  /** Time that an idle read gets to come back when the consumer stops, ms. */
  unblockMs: 500,
} as const;

export interface ConsumerOptions<E> {
  /** One per partition, in order. */
  readonly streams: readonly string[];
  readonly handler: StreamHandler<E>;
  /** @returns undefined for an entry that cannot be read: it is counted and passed over */
  readonly parse: (partition: number, id: string, fields: Fields) => E | undefined;
  /** Short commands. */
  readonly redis: RedisClient;
  /** Makes the connection that the reads block, which the consumer ends; not called on a Redis Cluster. */
  readonly connect: () => RedisClient;
  /** Name within the group: unique among the processes that run. */
  readonly consumer: string;
  readonly log: Logger;
  /** Pause after a batch unless more waits, so that a trickle of entries is not read one by one, ms. Default 50. */
  readonly gatherMs?: number;
  /** Entries taken of each stream at once. Default 50; fewer where entries are big. */
  readonly perStream?: number;
  readonly claimIdleMs?: number;
  readonly claimEveryMs?: number;
}

interface Batch<E> {
  readonly entries: E[];
  /** Entry ids per partition, the unreadable ones included: all that is to be acknowledged. */
  readonly ids: Map<number, string[]>;
  unreadable: number;
  /** A stream gave as many as were asked for: more wait. */
  hasMore: boolean;
}
type Read = readonly (readonly [stream: Buffer, entries: RawEntries])[];
type RawEntries = readonly (readonly [id: Buffer, fields: Fields | null] | null)[];

/**
 * Hands the entries of all partitions' streams to a handler, at least once. An entry is this consumer's from the read
 * to the acknowledgement; whatever goes wrong in between, it is read again: by us at the start and after every failure
 * or lost connection, by another worker when we stay silent.
 */
export class StreamConsumer<E> {
  readonly #options: ConsumerOptions<E>;
  /** Undefined on a Redis Cluster. */
  readonly #listening: RedisClient | undefined;
  readonly #partitionOf: ReadonlyMap<string, number>;
  readonly #stopping = new AbortController();
  /** A read that is under way is not waited for any more. */
  readonly #leaving = new AbortController();
  #running: Promise<void> | undefined;
  /** Something may be ours that we do not hold: groups are to be made sure of, and our pending entries read. */
  #mustRecover = true;
  #isHandling = false;
  /** By the monotonic clock, ms. */
  #claimAt = 0;
  /** Failures of the handler in a row. */
  #failures = 0;
  #clientId: number | undefined;
  /** Entries handled, batches failed, entries passed over as unreadable or given up. */
  readonly counts = { handled: 0, failures: 0, skipped: 0 };

  constructor(options: ConsumerOptions<E>) {
    this.#options = options;
    this.#partitionOf = new Map(options.streams.map((stream, partition) => [stream, partition]));
    this.#listening = isCluster(options.redis) ? undefined : options.connect();
    // A reply that was under way when the connection broke is lost, its entries are ours all the same.
    this.#listening?.on('close', () => { this.#mustRecover = true; });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the batch under way is handled and acknowledged, or has failed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#running !== undefined) {
      if (!this.#isHandling && this.#clientId !== undefined) {
        this.#options.redis.client('UNBLOCK', this.#clientId).catch(() => { /* Redis is away; the next step ends the read. */ });
        await within(this.#running, CONSUMER_LIMITS.unblockMs);
      }
      this.#listening?.disconnect();
      this.#leaving.abort();
      await this.#running;
    }
    this.#listening?.disconnect();
  }

  async #run(): Promise<void> {
    const { log, handler, gatherMs = 50 } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        if (this.#mustRecover) await this.#recover();
        await this.#claimWhenDue();
        const batch = this.#batchOf(await this.#read('>', CONSUMER_LIMITS.blockMs));
        await this.#process(batch);
        failures = 0;
        if (batch.ids.size > 0 && !batch.hasMore) await pause(gatherMs, this.#stopping.signal);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#mustRecover = true;
        failures += 1;
        // A missing group is the normal sign of an emptied Redis, and the recovery makes it anew.
        if (failures > 1 || !isNoGroup(error)) log.warn({ err: error, group: handler.name, failures }, 'stream batch failed; it will be read again');
        await pause(backoffMs(failures, CONSUMER_LIMITS.retryFromMs, CONSUMER_LIMITS.retryToMs), this.#stopping.signal);
      }
    }
  }

  /** Makes sure of the groups, and handles what is ours already. */
  async #recover(): Promise<void> {
    const { redis, streams, handler } = this.#options;
    this.#mustRecover = false;
    await ensureGroups(redis, streams, handler.name);
    if (this.#listening !== undefined) this.#clientId = await this.#answered(this.#listening, this.#listening.client('ID'), 0);
    await this.#handlePending();
  }

  /** Handles what was given to us and is not acknowledged. */
  async #handlePending(): Promise<void> {
    for (;;) {
      const batch = this.#batchOf(await this.#read('0', 0));
      if (batch.ids.size === 0 || this.#stopping.signal.aborted) return;
      await this.#process(batch);
    }
  }

  /**
   * Reads all streams in one call.
   * @param from `>` for new entries, `0` for our pending ones
   */
  async #read(from: '>' | '0', blockMs: number): Promise<Read> {
    const listening = this.#listening;
    if (listening === undefined) return this.#poll(from, blockMs);
    const { handler, consumer, streams, perStream = CONSUMER_LIMITS.perStream } = this.#options;
    const all = [...streams, ...streams.map(() => from)];
    return (await this.#answered(listening, blockMs > 0
      ? listening.xreadgroupBuffer('GROUP', handler.name, consumer, 'COUNT', perStream, 'BLOCK', blockMs, 'STREAMS', ...all)
      : listening.xreadgroupBuffer('GROUP', handler.name, consumer, 'COUNT', perStream, 'STREAMS', ...all), blockMs)) ?? [];
  }

  /**
   * The same on a Redis Cluster, where no command reads two slots, and one that waits holds up its node's connection: each stream is
   * asked without waiting.
   */
  async #poll(from: '>' | '0', blockMs: number): Promise<Read> {
    const { redis, handler, consumer, streams, perStream = CONSUMER_LIMITS.perStream } = this.#options;
    const { signal } = this.#stopping;
    const until = performance.now() + blockMs;
    for (let pauseMs: number = CONSUMER_LIMITS.pollFromMs; ; pauseMs = Math.min(CONSUMER_LIMITS.pollToMs, pauseMs * 2)) {
      const replies = await Promise.all(streams.map((stream) => redis.xreadgroupBuffer('GROUP', handler.name, consumer, 'COUNT', perStream, 'STREAMS', stream, from)));
      const read = (replies as (Read | null)[]).flatMap((reply) => reply ?? []);
      if (read.length > 0 || signal.aborted || performance.now() + pauseMs > until) return read;
      await pause(pauseMs, signal);
    }
  }

  #answered<T>(listening: RedisClient, reply: Promise<T>, blockMs: number): Promise<T> {
    return answered(listening, reply, blockMs + CONSUMER_LIMITS.blockGraceMs, this.#leaving.signal);
  }

  #batchOf(read: Read): Batch<E> {
    const batch: Batch<E> = { entries: [], ids: new Map(), unreadable: 0, hasMore: false };
    for (const [stream, entries] of read) this.#collect(batch, this.#partitionOf.get(stream.toString()) ?? 0, entries);
    return batch;
  }

  #collect(batch: Batch<E>, partition: number, entries: RawEntries): void {
    if (entries.length === 0) return;
    const ids: string[] = [];
    for (const entry of entries) {
      if (entry === null) continue;
      const id = entry[0].toString();
      ids.push(id);
      const parsed = entry[1] === null ? undefined : this.#options.parse(partition, id, entry[1]);
      if (parsed === undefined) batch.unreadable += 1;
      else batch.entries.push(parsed);
    }
    if (ids.length > 0) batch.ids.set(partition, ids);
    batch.hasMore ||= entries.length >= (this.#options.perStream ?? CONSUMER_LIMITS.perStream);
  }

  async #process(batch: Batch<E>): Promise<void> {
    if (batch.ids.size === 0) return;
    this.#isHandling = true;
    try {
      if (batch.entries.length > 0) await this.#handle(batch.entries);
      this.counts.skipped += batch.unreadable;
      await this.#acknowledge(batch.ids);
      this.counts.handled += batch.entries.length;
    } finally {
      this.#isHandling = false;
    }
  }

  async #handle(entries: readonly E[]): Promise<void> {
    const { handler, redis } = this.#options;
    try {
      await handler.handle(entries);
      this.#failures = 0;
    } catch (error) {
      this.counts.failures += 1;
      // While Redis is away everything fails, and nothing is the entries' fault.
      if (redis.status === 'ready' && !isAway(error)) this.#failures += 1;
      if (handler.attemptsMax === undefined || this.#failures < handler.attemptsMax) throw error;
      await this.#handleEach(entries);
      this.#failures = 0;
    }
  }

  /** One entry that cannot be handled does not hold up the others for ever. */
  async #handleEach(entries: readonly E[]): Promise<void> {
    const { handler, log } = this.#options;
    for (const entry of entries) {
      try {
        await handler.handle([entry]);
      } catch (error) {
        this.counts.skipped += 1;
        log.error({ err: error, group: handler.name }, 'stream entry given up');
      }
    }
  }

  async #acknowledge(ids: ReadonlyMap<number, readonly string[]>): Promise<void> {
    const { redis, streams, handler } = this.#options;
    await Promise.all([...ids].map(([partition, list]) => redis.xack(streams[partition]!, handler.name, ...list)));
  }

  /** Makes ours what others (or we, in a lost reply) took and did not finish, and handles it. */
  async #claimWhenDue(): Promise<void> {
    const { redis, streams, handler, consumer, claimIdleMs = CONSUMER_LIMITS.claimIdleMs, claimEveryMs = CONSUMER_LIMITS.claimEveryMs } = this.#options;
    const now = performance.now();
    if (now < this.#claimAt) return;
    this.#claimAt = now + claimEveryMs;
    const replies = await Promise.all(streams.map((stream) =>
      redis.xautoclaim(stream, handler.name, consumer, claimIdleMs, '0', 'COUNT', CONSUMER_LIMITS.claimPerStream, 'JUSTID')));
    const claimed = replies.map((reply) => (reply as [string, string[]])[1].length);
    if (claimed.every((count) => count === 0)) return;
    this.#options.log.info({ group: handler.name, entries: claimed.reduce((sum, count) => sum + count) }, 'took over entries of a silent worker');
    await this.#handlePending();
    // More than one helping: come again at once.
    if (claimed.includes(CONSUMER_LIMITS.claimPerStream)) this.#claimAt = 0;
  }
}

const isNoGroup = (error: unknown): boolean => error instanceof Error && error.message.includes('NOGROUP');
