import { StatisticsBuilder } from '../candidates/build-statistics.js';
import { compileFilter } from '../candidates/filter.js';
import { generateCandidates, type CandidateRequest } from '../candidates/generate.js';
import { CandidatePool, RowMarks, SOURCE_INDEX } from '../candidates/pool.js';
import { emptyStatisticsData, Statistics } from '../candidates/statistics.js';
import { contextRows, hiddenRows } from '../candidates/visible.js';
import { Catalog } from '../catalog/catalog.js';
import type { DemoRecord, ImpressionRecord } from '../demo/records.js';
import type { Item } from '../domain/item.js';
import type { Scene } from '../domain/scene.js';
import { fold } from '../profile/fold.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import { USER_FEATURES, writeUserFeatures } from '../profile/vector.js';
import { FeatureWriter, ITEM_FEATURES } from '../ranking/features.js';
import type { Random } from '../util/random.js';
import type { RankList } from './mlp.js';
import { ReplayedTrending } from './trending.js';

/** What an engagement is worth to the loss: a click, putting into the cart, buying. */
export const WORTH = { clicked: 1, carted: 2, bought: 4 } as const;

/** How often the replay rebuilds neighbours and popularity, and trending lists: what jobs do in service, more often. */
const REBUILD_EVERY_MS = 86_400_000;
const TREND_EVERY_MS = 15 * 60_000;

/** What the engine would have ranked at one impression, and what the shopper then did. */
export interface ReplayedList extends RankList {
  /** `shown`: exactly the list shown; `candidates`: what the sources propose, shown or not. */
  readonly kind: 'shown' | 'candidates';
  readonly at: number;
  readonly scene: Scene;
  /** 1 for an item that was in the list shown. */
  readonly shown: Uint8Array;
  /** Events the engine knew of this shopper. */
  readonly events: number;
  /** Items of worth in the list shown, whether among the rows here or not. */
  readonly wanted: number;
}

export interface ReplayOptions {
  readonly items: readonly Item[];
  /** In time order. */
  readonly records: Iterable<DemoRecord>;
  /** Impressions before this are not ranked: too little is known by then, ms. */
  readonly from: number;
  readonly candidatesMax: number;
  readonly random: Random;
}

/**
 * Replays records in time order through the engine's own fold, candidate sources and feature assembly, and yields each
 * impression with some engagement twice: as the list that was shown, ranked like a request for exactly these items, and
 * as the candidates a request of the scene would have got. A list sees the profile, the catalog and the statistics as
 * they were just before it. Its arrays are reused: copy what outlives the step.
 */
export function* replay(options: ReplayOptions): Generator<ReplayedList, void, undefined> {
  const state = new ReplayState(options);
  for (const record of options.records) {
    state.advance(record.at);
    if (record.kind === 'event') state.fold(record.event);
    else if (record.clicked.length > 0 && record.at >= options.from) {
      yield state.list(record, 'shown');
      yield state.list(record, 'candidates');
    }
  }
}

class ReplayState {
  readonly #options: ReplayOptions;
  readonly #catalog = new Catalog();
  readonly #arrivals: readonly Item[];
  readonly #profiles = new Map<string, Profile>();
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
    this.#statistics.setTrending(this.#trending.lists(at), this.#catalog);
    this.#trendAt = at + TREND_EVERY_MS;
  }

  fold(event: Parameters<typeof fold>[1]): void {
    let profile = this.#profiles.get(event.shopper);
    if (profile === undefined) {
      profile = emptyProfile();
      this.#profiles.set(event.shopper, profile);
    }
    fold(profile, event, event.itemId === undefined ? undefined : this.#catalog.facts(event.itemId));
    this.#builder.add(event);
    this.#trending.add(event);
  }

  list(impression: ImpressionRecord, kind: ReplayedList['kind']): ReplayedList {
    const profile = this.#profiles.get(impression.shopper) ?? emptyProfile();
    const pool = this.#pool;
    const asked = this.#candidates(impression, kind, profile);
    writeUserFeatures(this.#user, profile, impression.scene, impression.at);
    if (this.#items.length < pool.count * ITEM_FEATURES.length) this.#items = new Float32Array(pool.count * ITEM_FEATURES.length);
    this.#writer.write(this.#items, pool, asked);
    const worth = new Float32Array(pool.count);
    const shown = new Uint8Array(pool.count);
    const values = worthOf(impression);
    for (let slot = 0; slot < pool.count; slot++) {
      const id = this.#catalog.item(pool.rows[slot]!)!.id;
      worth[slot] = values.get(id) ?? 0;
      if (values.has(id)) shown[slot] = 1;
    }
    return {
      kind, at: impression.at, scene: impression.scene, events: profile.events,
      wanted: impression.clicked.length, user: this.#user, items: this.#items, worth, shown, count: pool.count,
    };
  }

  #candidates(impression: ImpressionRecord, kind: ReplayedList['kind'], profile: Profile): CandidateRequest {
    const catalog = this.#catalog;
    const { scene, region, at } = impression;
    const context = contextRows(catalog, profile, scene, impression.itemId);
    if (kind === 'shown') {
      this.#pool.begin(catalog, impression.items.length, () => true);
      for (const id of impression.items) this.#pool.add(catalog.rowOf(id), SOURCE_INDEX.requested);
      this.#pool.close();
    } else {
      this.#pool.begin(catalog, this.#options.candidatesMax, compileFilter(catalog, undefined, hiddenRows(catalog, profile, context)));
    }
    const asked: CandidateRequest = {
      catalog, statistics: this.#statistics, profile, scene, region, contextRows: context, pinnedRows: [], now: at, random: this.#options.random,
    };
    generateCandidates(this.#pool, asked);
    return asked;
  }
}

const publishedAt = (item: Item): number => Date.parse(item.publishedAt ?? '1970-01-01');

/** Worth of each item shown: the most it came to. */
function worthOf(impression: ImpressionRecord): Map<string, number> {
  const worth = new Map(impression.items.map((id) => [id, 0]));
  for (const deed of ['clicked', 'carted', 'bought'] as const) {
    for (const id of impression[deed]) worth.set(id, WORTH[deed]);
  }
  return worth;
}
