import type { Logger } from 'pino';
import { decodeIncrement } from '../candidates/statistics-increment.js';
import { emptyStatisticsData, Statistics, type StatisticsData } from '../candidates/statistics.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Notice } from '../domain/record.js';
import { connectRedis, type RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { StatisticsStore } from '../redis/statistics-store.js';
import { NOTHING_PUBLISHED, TrendingStore, type PublishedTrending } from '../redis/trending-store.js';
import { backoffMs, breathe, pause } from '../util/pause.js';

export const STATISTICS_FOLLOWER_LIMITS = {
  /** A notice may be lost, and items may have come that the statistics know: look this often without one, ms. */
  checkEveryMs: 5000,
  /** Between two bindings to a catalog that grows, ms. */
  bindEveryMs: 500,
  retryFromMs: 100,
  retryToMs: 5000,
} as const;

export interface StatisticsFollowerOptions {
  readonly url: string;
  readonly keys: Keys;
  /** Short commands. */
  readonly redis: RedisClient;
  readonly catalog: Catalog;
  readonly log: Logger;
  /** A shopper was erased somewhere: forget what this process keeps of them. */
  readonly onErased: (shopper: string) => void;
}

/**
 * Keeps this process's statistics and trending lists as the workers last published them. New ones are built beside the
 * old, in slices, and swapped in by one assignment: a request sees the one or the other.
 */
export class StatisticsFollower {
  readonly #options: StatisticsFollowerOptions;
  readonly #subscriber: RedisClient;
  readonly #statistics: StatisticsStore;
  readonly #trending: TrendingStore;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wake: AbortController = new AbortController();
  #data: StatisticsData = emptyStatisticsData();
  #dataVersion = '';
  #published: PublishedTrending = NOTHING_PUBLISHED;
  #version: string | undefined;
  /** Rows of the catalog when the statistics were bound to it, and when, by the monotonic clock, ms. */
  #boundRows = 0;
  #boundAt = 0;
  #trendingIsOld = true;
  #current: Statistics;
  /** Resolves when what was there at the start is loaded. */
  readonly ready: Promise<void>;
  #markReady: () => void = () => { /* Set below. */ };

  constructor(options: StatisticsFollowerOptions) {
    const { url, keys, redis, catalog } = options;
    this.#options = options;
    this.#statistics = new StatisticsStore(redis, keys);
    this.#trending = new TrendingStore(redis, keys);
    this.#current = new Statistics(this.#data, catalog);
    // Now, and not at some request: a replay could not tell which items it knew.
    void this.#current.likeness;
    this.ready = new Promise((resolve) => { this.#markReady = resolve; });
    this.#subscriber = connectRedis(url, 'listening', { timeoutMs: 0, name: 'rivulet-notices' });
    this.#subscriber.on('message', (_channel, text) => { this.#hear(text); });
    // Notices were missed while the connection was away.
    this.#subscriber.on('ready', () => { this.#hurry(); });
    this.#subscriber.subscribe(keys.notices).catch(() => { /* Only when we stop: it waits for Redis otherwise. */ });
    this.#running = this.#run();
  }

  /** Never undefined; empty until the first ones are there. */
  get current(): Statistics {
    return this.#current;
  }

  get version(): string | undefined {
    return this.#version;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    this.#subscriber.disconnect();
    await this.#running;
  }

  #hear(text: string): void {
    try {
      const notice = JSON.parse(text) as Notice;
      if (notice.kind === 'erased') this.#options.onErased(notice.shopper);
      else this.#hurry();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'notice not understood');
    }
  }

  /** Ends the pause before the next look. */
  #hurry(): void {
    this.#trendingIsOld = true;
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      let pauseMs: number = STATISTICS_FOLLOWER_LIMITS.checkEveryMs;
      this.#wake = new AbortController();
      try {
        await this.#look();
        failures = 0;
        if (this.#boundRows !== this.#options.catalog.rows) pauseMs = STATISTICS_FOLLOWER_LIMITS.bindEveryMs;
        this.#markReady();
      } catch (error) {
        failures += 1;
        pauseMs = backoffMs(failures, STATISTICS_FOLLOWER_LIMITS.retryFromMs, STATISTICS_FOLLOWER_LIMITS.retryToMs);
        if (!signal.aborted) this.#options.log.warn({ err: error, failures }, 'statistics cannot be loaded at the moment; the old ones stay');
      }
      if (!signal.aborted) await pause(pauseMs, this.#wake.signal);
    }
  }

  async #look(): Promise<void> {
    const { log } = this.#options;
    const version = await this.#statistics.currentVersion();
    if (version !== undefined && version !== this.#version) {
      const data = await this.#statistics.read(version);
      if (data === undefined) throw new Error(`statistics ${version} are gone`);
      this.#data = data;
      this.#dataVersion = version;
      await this.#bind();
      this.#version = version;
      log.info({ version, items: data.keys.length, pairs: data.targets.length }, 'statistics swapped in');
    } else if (this.#isUnbound()) await this.#bind();
    else await this.#catchUp(this.#current);
    if (!this.#trendingIsOld) return;
    this.#trendingIsOld = false;
    try {
      this.#published = await this.#trending.read();
    } catch (error) {
      this.#trendingIsOld = true;
      throw error;
    }
    this.#current.setTrending(this.#published.lists, this.#published.version);
  }

  /**
   * Items came that the statistics may know, but not by their rows yet. Not at every notice: while a catalog is loaded
   * there are always some.
   */
  #isUnbound(): boolean {
    return this.#boundRows !== this.#options.catalog.rows && performance.now() - this.#boundAt >= STATISTICS_FOLLOWER_LIMITS.bindEveryMs;
  }

  async #bind(): Promise<void> {
    const { catalog } = this.#options;
    const rows = catalog.rows;
    const statistics = await Statistics.build(this.#data, catalog, this.#dataVersion);
    await this.#catchUp(statistics);
    statistics.setTrending(this.#published.lists, this.#published.version);
    this.#current = statistics;
    this.#boundRows = rows;
    this.#boundAt = performance.now();
  }

  /** Takes over the increments of its version that it lacks: some at a time, and other work in between. */
  async #catchUp(statistics: Statistics): Promise<void> {
    if (this.#dataVersion === '') return;
    for (;;) {
      const increments = await this.#statistics.increments(this.#dataVersion, statistics.increments);
      for (const { number, bytes } of increments) {
        statistics.apply(decodeIncrement(bytes), number);
        await breathe();
      }
      if (increments.length === 0) return;
    }
  }
}
