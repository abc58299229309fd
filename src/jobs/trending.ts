import type { Logger } from 'pino';
import { INTEREST } from '../candidates/build-statistics.js';
import type { ShopperEvent } from '../domain/event.js';
import { SCENES } from '../domain/scene.js';
import type { Lease } from '../redis/lease.js';
import { TRENDING_LIMITS, type PublishedTrending, type TrendingCount, type TrendingStore, type TrendingWeight } from '../redis/trending-store.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import { RecentSet } from '../util/recent-set.js';
import { Rounds } from '../util/rounds.js';
import { isShopperRecord, type EventEntry, type StreamHandler } from './streams.js';

export const TRENDING_LIST_LIMITS = {
  /** Items of a published list. */
  items: 200,
  /** Event ids remembered, so that an entry that comes again does not count again. */
  idsMin: 50_000,
  /** Regions taken from one batch, the most met: names come from clients. */
  regionsPerBatch: 64,
  regionCharsMax: 64,
} as const;

const { shortHalfLifeMs, longHalfLifeMs } = TRENDING_LIMITS;

/**
 * Counts interest in items, decayed over hours and over a week, per scope. A batch is summed up here and added to the
 * counters in Redis. Idempotent by event id while this worker lives; when one dies within a batch, that batch may count
 * twice, which a decayed count over many shoppers bears.
 */
export class TrendingCounter implements StreamHandler {
  readonly name = 'trending';
  readonly #store: TrendingStore;
  readonly #clock: Clock;
  readonly #isFlagged: (shopper: string) => boolean;
  readonly #seen = new RecentSet(TRENDING_LIST_LIMITS.idsMin);
  #pending: TrendingWeight[] = [];

  /** @param isFlagged whether nothing of a shopper counts, because they look like abuse */
  constructor(store: TrendingStore, clock: Clock, isFlagged: (shopper: string) => boolean) {
    this.#store = store;
    this.#clock = clock;
    this.#isFlagged = isFlagged;
  }

  async handle(entries: readonly EventEntry[]): Promise<void> {
    await this.#flush();
    for (const weight of weigh(this.#fresh(entries), this.#clock())) this.#pending.push(weight);
    await this.#flush();
  }

  #fresh(entries: readonly EventEntry[]): ShopperEvent[] {
    const fresh: ShopperEvent[] = [];
    for (const { record } of entries) {
      if (isShopperRecord(record) || this.#isFlagged(record.shopper)) continue;
      const id = hash48(`${record.shopper}\n${record.id}`);
      if (this.#seen.has(id)) continue;
      this.#seen.add(id);
      fresh.push(record);
    }
    return fresh;
  }

  /** What was counted is not counted again when a later part fails: the rest waits for the next try. */
  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      await this.#store.count(this.#pending.slice(0, TRENDING_LIMITS.weightsPerCall), this.#clock());
      this.#pending = this.#pending.slice(TRENDING_LIMITS.weightsPerCall);
    }
  }
}

/** Sums the events up by scope and item. Pure. */
export function weigh(events: readonly ShopperEvent[], now: number): TrendingWeight[] {
  const scopes = new Map<string, Map<number, { short: number; long: number }>>();
  const regions = topRegions(events);
  for (const event of events) {
    const interest = INTEREST[event.type];
    if (interest === undefined || event.itemId === undefined) continue;
    const age = Math.max(0, now - event.at);
    const short = interest * 2 ** (-age / shortHalfLifeMs);
    const long = interest * 2 ** (-age / longHalfLifeMs);
    // Older than some months: it says nothing about now.
    if (long < 1e-6) continue;
    const item = hash48(event.itemId);
    for (const scope of scopesOf(event, regions)) {
      let items = scopes.get(scope);
      if (items === undefined) scopes.set(scope, items = new Map());
      const sum = items.get(item);
      if (sum === undefined) items.set(item, { short, long });
      else {
        sum.short += short;
        sum.long += long;
      }
    }
  }
  return [...scopes].flatMap(([scope, items]) => [...items].map(([item, sum]) => ({ scope, item, ...sum })));
}

function* scopesOf({ context }: ShopperEvent, regions: ReadonlySet<string>): Generator<string> {
  yield 'all';
  const scene = SCENES.find((known) => known === context?.['scene']);
  if (scene !== undefined) yield `scene:${scene}`;
  const region = regionOf(context);
  if (region !== undefined && regions.has(region)) yield `region:${region}`;
}

function topRegions(events: readonly ShopperEvent[]): Set<string> {
  const met = new Map<string, number>();
  for (const { context } of events) {
    const region = regionOf(context);
    if (region !== undefined) met.set(region, (met.get(region) ?? 0) + 1);
  }
  return new Set([...met].toSorted((a, b) => b[1] - a[1]).slice(0, TRENDING_LIST_LIMITS.regionsPerBatch).map(([region]) => region));
}

function regionOf(context: ShopperEvent['context']): string | undefined {
  const region = context?.['region'];
  return typeof region === 'string' && region.length <= TRENDING_LIST_LIMITS.regionCharsMax ? region : undefined;
}

/**
 * The items met more of late than a week's average lets expect, most unusual first. An item with a steady rate has
 * `short / long` = ratio of the half-lives; the excess over that is measured in standard deviations of a count
 * (√expected, plus one so that a single view does not win). Pure.
 */
export function trendingList(counts: readonly TrendingCount[]): [key: number, score: number][] {
  return counts
    .map(({ item, short, long }): [number, number] => {
      const expected = long * (shortHalfLifeMs / longHalfLifeMs);
      return [item, Number(((short - expected) / Math.sqrt(expected + 1)).toPrecision(4))];
    })
    .filter(([, score]) => score > 1e-3)
    .toSorted((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, TRENDING_LIST_LIMITS.items);
}

/**
 * The archive's line of a publication. Of the lists only the one over all items: it alone is a feature, the others propose
 * candidates, and which source proposed an item is in the log.
 */
export const trendingLine = ({ version, lists: { all = [] } }: PublishedTrending): string =>
  JSON.stringify({ entry: `${version}-0`, trending: { version, lists: { all } } satisfies PublishedTrending });

interface PublisherOptions {
  readonly store: TrendingStore;
  readonly lease: Lease;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told what is about to be published: a replay needs to know it. */
  readonly onPublish: (published: PublishedTrending) => Promise<void>;
}

/** Publishes the lists at intervals when counters changed; of all workers one does. */
export class TrendingPublisher {
  readonly #rounds: Rounds;

  constructor(private readonly options: PublisherOptions) {
    const { everyMs, lease, log } = options;
    this.#rounds = new Rounds({
      everyMs,
      // Longer than the interval, so that the role stays where it is while that worker lives.
      round: async () => { if (await lease.take(everyMs * 3)) await this.publish(); },
      onError: (error) => { log.warn({ err: error }, 'trending lists were not published'); },
    });
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.options.lease.release();
  }

  /** @returns whether there was anything new */
  async publish(): Promise<boolean> {
    const { store, clock, onPublish } = this.options;
    const { changes, published } = await store.changes();
    if (changes === published) return false;
    const lists: [string, [number, number][]][] = [];
    for (const scope of await store.scopes()) {
      const list = trendingList(await store.top(scope, clock()));
      if (list.length > 0) lists.push([scope, list]);
    }
    const data: PublishedTrending = { version: clock(), lists: Object.fromEntries(lists) };
    await onPublish(data);
    await store.publish(data, changes);
    return true;
  }
}
