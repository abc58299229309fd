import { StatisticsBuilder } from '../candidates/build-statistics.js';
import { compileFilter } from '../candidates/filter.js';
import { generateCandidates, type CandidateRequest } from '../candidates/generate.js';
import { CandidatePool, RowMarks, SOURCE_INDEX } from '../candidates/pool.js';
import { emptyStatisticsData, Statistics } from '../candidates/statistics.js';
import { contextRows, hiddenRows } from '../candidates/visible.js';
import { Catalog } from '../catalog/catalog.js';
import type { Item } from '../domain/item.js';
import { fold } from '../profile/fold.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import { USER_FEATURES, writeUserFeatures } from '../profile/vector.js';
import { FeatureWriter, ITEM_FEATURES } from '../ranking/features.js';
import { BoundedMap } from '../util/bounded-map.js';
import type { Random } from '../util/random.js';
import type { LoggedImpression, LogRecord } from './log.js';
import { DEED, type RankList } from './ranker/lists.js';
import { ReplayedTrending } from './trending.js';

/** How often the replay rebuilds neighbours and popularity, and trending lists: what jobs do in service, more often. */
const REBUILD_EVERY_MS = 86_400_000;
const TREND_EVERY_MS = 15 * 60_000;

export const REPLAY_LIMITS = {
  /** Profiles held at once, about 3 KB each; a shopper not met for longest is forgotten first. */
  shoppers: 200_000,
  /** Places from here on count as one. */
  places: 50,
} as const;

/** What the engine would have ranked at one impression, and what the shopper then did. */
export interface ReplayedList extends RankList {
  /** `shown`: exactly the list shown, with its places; `candidates`: what the sources propose, shown or not. */
  readonly kind: 'shown' | 'candidates';
  readonly at: number;
}

export interface ReplayOptions {
  readonly items: readonly Item[];
  /** In time order. */
  readonly records: Iterable<LogRecord> | AsyncIterable<LogRecord>;
  /** Impressions before this are not ranked: too little is known by then, ms. */
  readonly from: number;
  readonly candidatesMax: number;
  /** Item features to compute; the sources that only the others need do not propose. */
  readonly reads: ReadonlySet<string>;
  readonly random: Random;
}

/**
 * Replays records in time order through the engine's own fold, candidate sources and feature assembly, and yields each
 * impression with some engagement twice: as the list that was shown, ranked like a request for exactly these items, and
 * as the candidates a request of the scene would have got. A list sees the profile, the catalog and the statistics as
 * they were just before it. Its arrays are reused: copy what outlives the step.
 */
export async function* replay(options: ReplayOptions): AsyncGenerator<ReplayedList, void, undefined> {
  const state = new ReplayState(options);
  for await (const record of options.records) {
    state.advance(record.at);
    if (record.kind === 'event') state.fold(record.event);
    else if (record.at >= options.from && isEngaged(record)) {
      yield state.list(record, 'shown');
      yield state.list(record, 'candidates');
    }
  }
}

class ReplayState {
  readonly #options: ReplayOptions;
  readonly #catalog = new Catalog();
  readonly #arrivals: readonly Item[];
  readonly #profiles = new BoundedMap<string, Profile>(REPLAY_LIMITS.shoppers);
  readonly #builder = new StatisticsBuilder();
  readonly #trending = new ReplayedTrending();
  readonly #writer = new FeatureWriter();
  readonly #pool = new CandidatePool(new RowMarks());
  readonly #user = new Float32Array(USER_FEATURES.length);
  #items = new Float32Array(0);
  #statistics: Statistics;
  #arrived = 0;
  #rebuildAt = 0;
  #trendAt = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#arrivals = options.items.toSorted((a, b) => publishedAt(a) - publishedAt(b));
    this.#statistics = new Statistics(emptyStatisticsData(), this.#catalog);
  }

  /** Brings catalog, statistics and trending lists to a time: items arrive when they were published. */
  advance(at: number): void {
    for (let next = this.#arrivals[this.#arrived]; next !== undefined && publishedAt(next) <= at; next = this.#arrivals[++this.#arrived]) {
      this.#catalog.put(next);
    }
    const rebuilds = at >= this.#rebuildAt;
    if (rebuilds) {
      this.#statistics = new Statistics(this.#builder.build(), this.#catalog);
      this.#rebuildAt = at + REBUILD_EVERY_MS;
    }
    if (!rebuilds && at < this.#trendAt) return;
    this.#statistics.setTrending(this.#trending.lists(at));
    this.#trendAt = at + TREND_EVERY_MS;
  }

  fold(event: Parameters<typeof fold>[1]): void {
    const profile = this.#profiles.get(event.shopper) ?? emptyProfile();
    this.#profiles.set(event.shopper, profile);
    fold(profile, event, event.itemId === undefined ? undefined : this.#catalog.facts(event.itemId));
    this.#builder.add(event);
    this.#trending.add(event);
  }

  list(impression: LoggedImpression, kind: ReplayedList['kind']): ReplayedList {
    const profile = this.#profiles.get(impression.shopper) ?? emptyProfile();
    const pool = this.#pool;
    const asked = this.#candidates(impression, kind, profile);
    writeUserFeatures(this.#user, profile, impression.scene, impression.at);
    if (this.#items.length < pool.count * ITEM_FEATURES.length) this.#items = new Float32Array(pool.count * ITEM_FEATURES.length);
    this.#writer.write(this.#items, pool, asked);
    const deeds = new Uint8Array(pool.count);
    const places = new Uint8Array(pool.count);
    const done = deedsOf(impression);
    for (let slot = 0; slot < pool.count; slot++) {
      const { id } = this.#catalog.item(pool.rows[slot]!)!;
      deeds[slot] = done.get(id) ?? DEED.none;
      if (kind === 'shown') places[slot] = Math.min(REPLAY_LIMITS.places, 1 + impression.items.indexOf(id));
    }
    return { kind, at: impression.at, user: this.#user, items: this.#items, count: pool.count, deeds, places };
  }

  #candidates(impression: LoggedImpression, kind: ReplayedList['kind'], profile: Profile): CandidateRequest {
    const catalog = this.#catalog;
    const { scene, region, at } = impression;
    const context = contextRows(catalog, profile, scene, impression.itemId);
    if (kind === 'shown') {
      this.#pool.begin(catalog, impression.items.length, () => true);
      for (const id of impression.items) {
        const row = catalog.rowOf(id);
        if (row >= 0) this.#pool.add(row, SOURCE_INDEX.requested);
      }
      this.#pool.close();
    } else {
      this.#pool.begin(catalog, this.#options.candidatesMax, compileFilter(catalog, undefined, hiddenRows(catalog, profile, scene, context)));
    }
    const asked: CandidateRequest = {
      catalog, statistics: this.#statistics, profile, scene, region, contextRows: context, pinnedRows: [], now: at, random: this.#options.random, reads: this.#options.reads,
    };
    generateCandidates(this.#pool, asked);
    return asked;
  }
}

const isEngaged = ({ clicked, carted, bought }: LoggedImpression): boolean => clicked.length + carted.length + bought.length > 0;
const publishedAt = (item: Item): number => Date.parse(item.publishedAt ?? '1970-01-01');

/** The most that was done with each item. */
function deedsOf(impression: LoggedImpression): Map<string, number> {
  const deeds = new Map<string, number>();
  for (const deed of ['clicked', 'carted', 'bought'] as const) {
    for (const id of impression[deed]) deeds.set(id, DEED[deed]);
  }
  return deeds;
}
