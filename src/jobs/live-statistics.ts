import { noCounts, eventEntries, readMarks } from '../archive/reader.js';
import { StatisticsBuilder } from '../candidates/build-statistics.js';
import type { StreamRecord } from '../domain/record.js';
import { encodeIncrement } from '../candidates/statistics-increment.js';
import type { StatisticsSettings } from '../candidates/statistics-settings.js';
import { isCluster, type RedisClient } from '../redis/client.js';
import { partitionOf } from '../redis/keys.js';
import type { StatisticsStore } from '../redis/statistics-store.js';
import type { Clock } from '../util/clock.js';
import { compareEntries } from '../util/entry-id.js';
import { pause } from '../util/pause.js';
import { loadCheckpoint, saveCheckpoint, type Publication } from './statistics-state.js';
import { ensureGroups, isShopperRecord, parseEvent, streamPlaces, type Fields } from './streams.js';

/**
 * Group that holds a place in the event streams and reads nothing: streams are not trimmed beyond the entries that the
 * last checkpoint contains.
 */
export const STATISTICS_GROUP = 'statistics';

/** Job that asks for all to be counted anew from the archive: erased shoppers' events are left out then. */
export const RECOUNT_STATISTICS = 'rebuild-statistics';

export const LIVE_STATISTICS_LIMITS = {
  /** Entries taken of each stream at once, and how long a read waits for one, ms. */
  perStream: 200, blockMs: 250,
  /** Between publications while events come, and at most while they come faster than they are counted, ms. */
  publishEveryMs: 1000, publishBehindMs: 5000,
  /** Items of an increment, about a kilobyte each; what changed less waits for the next. */
  itemsPerIncrement: 250,
  /** Increments, with those that wait, as long as the statistics themselves, or this, bytes: all is published whole … */
  incrementBytesMin: 4 * 2 ** 20,
  /** … unless that was less than this ago, ms, or so many times what it took. */
  wholeEveryMs: 10_000, wholeShare: 30,
  /** Pause between checkpoints, ms, and at least so many times what the last one took. */
  checkpointEveryMs: 1000, checkpointShare: 20,
} as const;

export interface LiveStatisticsOptions {
  /** Short commands. */
  readonly redis: RedisClient;
  /** A connection for reads that wait. */
  readonly listening: RedisClient;
  readonly store: StatisticsStore;
  /** Event streams, one per partition, in order. */
  readonly streams: readonly string[];
  readonly archiveDir: string;
  /** File of the checkpoint. */
  readonly statePath: string;
  readonly settings: StatisticsSettings;
  readonly clock: Clock;
  readonly onEvent: (event: LiveStatisticsEvent) => void;
  /** Told what is about to be published: a replay needs to know it. */
  readonly onVersion: (version: string, bytes: Uint8Array, before: string | undefined) => Promise<void>;
  readonly onIncrement: (version: string, number: number, bytes: Uint8Array) => Promise<void>;
}

export type LiveStatisticsEvent =
  | { readonly kind: 'resumed'; readonly items: number }
  | { readonly kind: 'recounted'; readonly reason: string; readonly read: number; readonly corrupt: number; readonly erased: number; readonly ms: number }
  | { readonly kind: 'published'; readonly version: string; readonly items: number; readonly pairs: number };

/**
 * Counts popularity and co-occurrence as events come, and publishes what changed within a second or two; one process of
 * all does it. The streams' positions are part of the counts: after a crash they go on from the last checkpoint, and
 * every entry after its positions, which the streams still hold, is counted once. Whatever fails is thrown: whoever
 * started this starts it again.
 */
export class LiveStatistics {
  readonly #options: LiveStatisticsOptions;
  #builder: StatisticsBuilder;
  #positions: string[];
  /** Where the group was left in each stream. */
  #marked: string[];
  #published: Publication | undefined;
  #publishAt = 0;
  #checkpointAt = 0;
  #wholeAt = 0;
  #hasNews = false;
  /** Shoppers who look like abuse: nothing of theirs counts; what counted before goes with the next recount. */
  #flagged = new Set<string>();

  constructor(options: LiveStatisticsOptions) {
    this.#options = options;
    this.#builder = new StatisticsBuilder(options.settings);
    this.#positions = options.streams.map(() => '0-0');
    this.#marked = [...this.#positions];
  }

  /** Counts until told to stop; then what was counted is kept. @throws what Redis and the disk throw */
  async run(signal: AbortSignal): Promise<void> {
    const { redis, streams, store, clock } = this.#options;
    await ensureGroups(redis, streams, STATISTICS_GROUP);
    if (!(await this.#resume())) await this.#recount('no counts to go on from');
    while (!signal.aborted) {
      const asked = await store.takeRecount();
      if (asked !== undefined) await this.#recount(asked);
      const isBehind = await this.#read();
      if (clock() >= this.#publishAt + (isBehind ? LIVE_STATISTICS_LIMITS.publishBehindMs : 0)) await this.#publish();
      if (this.#hasNews && clock() >= this.#checkpointAt) await this.#checkpoint();
    }
    await this.#checkpoint();
  }

  async #resume(): Promise<boolean> {
    const { redis, streams, store, archiveDir, statePath, settings, onEvent } = this.#options;
    const checkpoint = await loadCheckpoint(statePath);
    if (checkpoint === undefined || JSON.stringify(checkpoint.settings) !== JSON.stringify(settings)) return false;
    const places = await streamPlaces(redis, streams, STATISTICS_GROUP);
    // A checkpoint older than what the streams were trimmed behind: of another machine, or restored.
    if (places.some(({ delivered }, partition) => compareEntries(delivered, checkpoint.positions[partition]!) > 0)) return false;
    this.#flagged = new Set((await readMarks(archiveDir)).flagged());
    this.#builder = StatisticsBuilder.restore(settings, checkpoint.counts);
    this.#positions = [...checkpoint.positions];
    this.#marked = places.map(({ delivered }) => delivered);
    // Increments that followed the checkpoint are published; what they said will be said again, perhaps in others.
    this.#published = { ...checkpoint.published, increments: await store.lastIncrement(checkpoint.published.version) };
    onEvent({ kind: 'resumed', items: checkpoint.counts.keys.length });
    return true;
  }

  /**
   * Counts anew: of each partition the archive up to where its stream begins, then the stream. No entry is missed or
   * met twice, because the streams are held while they are looked at, and what they hold no more is archived.
   */
  async #recount(reason: string): Promise<void> {
    const { redis, streams, archiveDir, settings, onEvent } = this.#options;
    const startedAt = performance.now();
    await Promise.all(streams.map((stream) => redis.xgroup('SETID', stream, STATISTICS_GROUP, '0')));
    const places = await streamPlaces(redis, streams, STATISTICS_GROUP);
    this.#builder = new StatisticsBuilder(settings);
    const counts = noCounts();
    const marks = await readMarks(archiveDir);
    this.#flagged = new Set(marks.flagged());
    for await (const { entry, value: event } of eventEntries(archiveDir, counts)) {
      const { first } = places[partitionOf(event.shopper)]!;
      if (first !== undefined && compareEntries(entry, first) >= 0) continue;
      const shopper = marks.ownerOf(event.shopper, entry);
      if (shopper === undefined) counts.erased += 1;
      else if (marks.isFlagged(shopper)) counts.flagged += 1;
      else this.#builder.add({ ...event, shopper });
    }
    this.#builder.trackChanges();
    this.#positions = places.map(({ first, last }) => (first === undefined ? last : '0-0'));
    this.#marked = streams.map(() => '0-0');
    this.#published = undefined;
    this.#hasNews = true;
    onEvent({ kind: 'recounted', reason, read: counts.read, corrupt: counts.corrupt, erased: counts.erased, ms: Math.round(performance.now() - startedAt) });
  }

  /** Counts the next entries. @returns whether more wait */
  async #read(): Promise<boolean> {
    const { streams } = this.#options;
    let isBehind = false;
    for (const [stream, entries] of await this.#next()) {
      const partition = streams.indexOf(stream.toString());
      for (const [id, fields] of entries) {
        const entry = parseEvent(partition, id.toString(), fields);
        if (entry !== undefined) this.#take(entry.record);
        this.#positions[partition] = id.toString();
      }
      this.#hasNews = true;
      isBehind ||= entries.length === LIVE_STATISTICS_LIMITS.perStream;
    }
    return isBehind;
  }

  /** On a Redis Cluster no command reads two slots: each stream is asked, and again a little later when none has anything. */
  async #next(): Promise<readonly (readonly [stream: Buffer, entries: readonly (readonly [id: Buffer, fields: Fields])[]])[]> {
    const { redis, listening, streams } = this.#options;
    const { perStream, blockMs } = LIVE_STATISTICS_LIMITS;
    if (!isCluster(redis)) return await listening.xreadBuffer('COUNT', perStream, 'BLOCK', blockMs, 'STREAMS', ...streams, ...this.#positions) ?? [];
    const replies = await Promise.all(streams.map((stream, i) => redis.xreadBuffer('COUNT', perStream, 'STREAMS', stream, this.#positions[i]!)));
    const read = replies.flatMap((reply) => reply ?? []);
    if (read.length === 0) await pause(blockMs);
    return read;
  }

  #take(record: StreamRecord): void {
    if (record.type === 'risk') {
      if (record.flagged) this.#flagged.add(record.shopper);
      else this.#flagged.delete(record.shopper);
    } else if (!isShopperRecord(record) && !this.#flagged.has(record.shopper)) this.#builder.add(record);
  }

  async #publish(): Promise<void> {
    const { store, clock } = this.#options;
    this.#publishAt = clock() + LIVE_STATISTICS_LIMITS.publishEveryMs;
    const published = this.#published;
    const isCurrent = published !== undefined && (await store.currentVersion()) === published.version;
    if (!isCurrent || (clock() >= this.#wholeAt && this.#isLong(published))) await this.#publishWhole();
    else if (this.#builder.changes > 0) await this.#publishIncrement(published);
  }

  #isLong({ wholeBytes, increments, incrementBytes }: Publication): boolean {
    const { incrementBytesMin, itemsPerIncrement } = LIVE_STATISTICS_LIMITS;
    const waiting = increments === 0 ? 0 : this.#builder.changes / itemsPerIncrement * (incrementBytes / increments);
    return incrementBytes + waiting > Math.max(incrementBytesMin, wholeBytes);
  }

  async #publishWhole(): Promise<Publication> {
    const { store, clock, onVersion, onEvent } = this.#options;
    const { wholeEveryMs, wholeShare } = LIVE_STATISTICS_LIMITS;
    const startedAt = clock();
    const data = this.#builder.build();
    let wholeBytes = 0;
    const version = await store.write(data, clock, async (name, bytes) => {
      wholeBytes = bytes.length;
      await onVersion(name, bytes, this.#published?.version);
    });
    this.#wholeAt = clock() + Math.max(wholeEveryMs, (clock() - startedAt) * wholeShare);
    onEvent({ kind: 'published', version, items: data.keys.length, pairs: data.targets.length });
    return (this.#published = { version, wholeBytes, increments: 0, incrementBytes: 0 });
  }

  async #publishIncrement({ increments, incrementBytes, ...published }: Publication): Promise<void> {
    const { store, onIncrement } = this.#options;
    const bytes = encodeIncrement({ items: this.#builder.takeChanges(LIVE_STATISTICS_LIMITS.itemsPerIncrement) });
    await onIncrement(published.version, increments + 1, bytes);
    await store.append(published.version, increments + 1, bytes);
    this.#published = { ...published, increments: increments + 1, incrementBytes: incrementBytes + bytes.length };
  }

  /** Only what a checkpoint contains may leave the streams. */
  async #checkpoint(): Promise<void> {
    const { redis, streams, statePath, settings, clock } = this.#options;
    const startedAt = clock();
    const published = this.#published ?? await this.#publishWhole();
    await saveCheckpoint(statePath, { settings, positions: this.#positions, counts: this.#builder.state(), published });
    await Promise.all(streams.map(async (stream, partition) => {
      const position = this.#positions[partition]!;
      if (position !== this.#marked[partition]) await redis.xgroup('SETID', stream, STATISTICS_GROUP, position);
      this.#marked[partition] = position;
    }));
    this.#hasNews = false;
    const { checkpointEveryMs, checkpointShare } = LIVE_STATISTICS_LIMITS;
    this.#checkpointAt = clock() + Math.max(checkpointEveryMs, (clock() - startedAt) * checkpointShare);
  }
}
