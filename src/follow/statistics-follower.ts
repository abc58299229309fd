import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { Statistics, emptyStatisticsData, type StatisticsData, type TrendingData } from '../candidates/statistics.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Notice } from '../domain/record.js';
import { connectRedis } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { StatisticsStore } from '../redis/statistics-store.js';
import { TrendingStore } from '../redis/trending-store.js';

/** Looked at again this often even without a notice: notices are not kept for who was away, ms. */
const LOOK_EVERY_MS = 5000;

export interface StatisticsFollowerOptions {
  readonly url: string;
  readonly keys: Keys;
  /** For the reading; notices come over a connection of the follower's own. */
  readonly redis: Redis;
  readonly catalog: Catalog;
  readonly log: Logger;
  readonly onErased: (shopper: string) => void;
}

/** Keeps a process's statistics like the current ones in Redis; a new version replaces the old one in one assignment. */
export class StatisticsFollower {
  readonly #options: StatisticsFollowerOptions;
  readonly #subscriber: Redis;
  readonly #statistics: StatisticsStore;
  readonly #trendingStore: TrendingStore;
  readonly #timer: NodeJS.Timeout;
  #current: Statistics;
  #data: StatisticsData = emptyStatisticsData();
  #trending: TrendingData = {};
  #version: string | undefined;
  /** Catalog rows the current statistics know; more have come when the catalog has grown. */
  #rows = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: StatisticsFollowerOptions) {
    this.#options = options;
    this.#statistics = new StatisticsStore(options.redis, options.keys);
    this.#trendingStore = new TrendingStore(options.redis, options.keys);
    this.#current = new Statistics(this.#data, options.catalog);
    this.#subscriber = connectRedis(options.url, 'listening', { timeoutMs: LOOK_EVERY_MS, name: 'rivulet-notices' });
    this.#subscriber.on('message', (_channel, text) => { this.#hear(JSON.parse(text) as Notice); });
    this.#subscriber.subscribe(options.keys.notices).catch((error: unknown) => { options.log.warn({ err: error }, 'no notices yet'); });
    this.#timer = setInterval(() => { this.#look(); }, LOOK_EVERY_MS).unref();
    this.#look();
  }

  get current(): Statistics {
    return this.#current;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#subscriber.disconnect();
    await this.#turn;
  }

  #hear(notice: Notice): void {
    if (notice.kind === 'erased') this.#options.onErased(notice.shopper);
    else this.#look();
  }

  /** One look after another: a slow one is not overtaken. */
  #look(): void {
    this.#turn = this.#turn.then(() => this.#refresh()).catch((error: unknown) => {
      this.#options.log.debug({ err: error }, 'statistics not read; the ones there are stay');
    });
  }

  async #refresh(): Promise<void> {
    const { catalog } = this.#options;
    const version = await this.#statistics.currentVersion();
    const data = version === undefined || version === this.#version ? undefined : await this.#statistics.read(version);
    this.#trending = await this.#trendingStore.read();
    if (data !== undefined || catalog.rows !== this.#rows) {
      this.#data = data ?? this.#data;
      const next = await Statistics.build(this.#data, catalog);
      this.#rows = catalog.rows;
      this.#current = next;
      if (data !== undefined) this.#version = version;
    }
    this.#current.setTrending(this.#trending, catalog);
  }
}
