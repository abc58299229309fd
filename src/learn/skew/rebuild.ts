import { eventEntries, impressionEntries, recordEntries, type ArchivedImpression, type Entry } from '../../archive/reader.js';
import { generateCandidates, type CandidateRequest } from '../../candidates/generate.js';
import { CandidatePool, RowMarks } from '../../candidates/pool.js';
import { Statistics } from '../../candidates/statistics.js';
import { contextRows } from '../../candidates/visible.js';
import type { ShopperEvent } from '../../domain/event.js';
import type { ShopperRecord } from '../../domain/record.js';
import { SCENES } from '../../domain/scene.js';
import type { Profile } from '../../profile/profile.js';
import { USER_FEATURES, writeUserFeatures } from '../../profile/vector.js';
import { FeatureWriter, ITEM_FEATURES } from '../../ranking/features.js';
import { SHOWN_FLOATS } from '../../redis/impression-log.js';
import { entryTime } from '../../util/entry-id.js';
import { CatalogHistory } from './catalog-history.js';
import { ProfileHistory } from './profile-history.js';
import { readIncrement, readStatistics, TrendingHistory } from './published.js';

/** An event may reach its stream this much later, by Redis' clock, than the impression that knew it, by ours, ms. */
const CLOCKS_APART_MS = 10_000;
const WIDTH = ITEM_FEATURES.length;

export type Rebuilt =
  | { readonly impression: ArchivedImpression; readonly vectors: Float32Array }
  /** It cannot be rebuilt, and why. */
  | { readonly impression: ArchivedImpression; readonly missing: 'log' | 'profile' | 'catalog' | 'statistics' | 'trending' | 'item' };

/**
 * Computes the vectors of logged impressions anew from the archive, by the code that served them: events folded up to the
 * one that the shopper's profile then knew, the catalog as of the change that the process had then, statistics and
 * trending lists of the versions it had. What chance decided is in the log: which items, and which sources proposed them.
 */
export async function* rebuildImpressions(dir: string, since = 0): AsyncGenerator<Rebuilt> {
  const world = new World(dir);
  const shoppers = new Shoppers(dir);
  for await (const { value: impression } of impressionEntries(dir, since)) {
    await shoppers.readUntil(impression.at + CLOCKS_APART_MS);
    const profile = impression.events === undefined ? undefined : shoppers.profiles.at(impression.shopper, impression.events);
    const missing = impression.world === undefined || impression.events === undefined ? 'log' : profile === undefined ? 'profile' : await world.bring(impression.world);
    if (missing !== undefined) yield { impression, missing };
    else yield world.rebuild(impression, profile!);
  }
}

/** Events and records in the order they came, fed to the profiles. */
class Shoppers {
  readonly profiles = new ProfileHistory();
  /** As of each event, for what the fold needs to know of its item. */
  readonly #catalog: CatalogHistory;
  readonly #events: AsyncGenerator<Entry<ShopperEvent>>;
  readonly #records: AsyncGenerator<Entry<ShopperRecord>>;
  #event: Entry<ShopperEvent> | undefined;
  #record: Entry<ShopperRecord> | undefined;
  #started = false;

  constructor(dir: string) {
    this.#catalog = new CatalogHistory(dir);
    this.#events = eventEntries(dir);
    this.#records = recordEntries(dir);
  }

  async readUntil(at: number): Promise<void> {
    if (!this.#started) {
      this.#started = true;
      await this.#nextEvent();
      await this.#nextRecord();
    }
    for (;;) {
      const eventAt = timeOf(this.#event);
      const recordAt = timeOf(this.#record);
      if (Math.min(eventAt, recordAt) > at) return;
      if (recordAt <= eventAt) {
        this.profiles.addRecord(this.#record!.value);
        await this.#nextRecord();
      } else {
        const { entry, value } = this.#event!;
        await this.#catalog.toEntry(entry);
        this.profiles.addEvent(value, value.itemId === undefined ? undefined : this.#catalog.catalog.facts(value.itemId));
        await this.#nextEvent();
      }
    }
  }

  async #nextEvent(): Promise<void> {
    this.#event = (await this.#events.next()).value as Entry<ShopperEvent> | undefined;
  }

  async #nextRecord(): Promise<void> {
    this.#record = (await this.#records.next()).value as Entry<ShopperRecord> | undefined;
  }
}

const timeOf = (entry: Entry<unknown> | undefined): number => (entry === undefined ? Infinity : entryTime(entry.entry));

/** All that ranking reads beside the profile, as the process that ranked had it. */
class World {
  readonly #dir: string;
  readonly #history: CatalogHistory;
  readonly #trending: TrendingHistory;
  readonly #pool = new CandidatePool(new RowMarks());
  readonly #writer = new FeatureWriter();
  #statistics: Statistics | undefined;
  /** Version of the statistics, and the change of the catalog they were bound at. */
  #bound = '';
  #trends = -1;

  constructor(dir: string) {
    this.#dir = dir;
    this.#history = new CatalogHistory(dir);
    this.#trending = new TrendingHistory(dir);
  }

  /** @returns what of it cannot be had */
  async bring(world: NonNullable<ArchivedImpression['world']>): Promise<'catalog' | 'statistics' | 'trending' | undefined> {
    const [version = '', increments = 0] = world.statistics.split('+');
    const bound = `${version} ${world.bound}`;
    if (bound !== this.#bound || this.#statistics!.increments > Number(increments)) {
      this.#bound = '';
      if (!(await this.#history.toSequence(world.bound))) return 'catalog';
      const data = await readStatistics(this.#dir, version);
      if (data === undefined) return 'statistics';
      this.#statistics = new Statistics(data, this.#history.catalog);
      this.#bound = bound;
      this.#trends = -1;
    }
    for (let number = this.#statistics!.increments + 1; number <= Number(increments); number++) {
      const increment = await readIncrement(this.#dir, version, number);
      if (increment === undefined) return 'statistics';
      this.#statistics!.apply(increment, number, this.#history.catalog);
    }
    if (!(await this.#history.toSequence(world.catalog))) return 'catalog';
    if (world.trending !== this.#trends) {
      const lists = await this.#trending.find(world.trending);
      if (lists === undefined) return 'trending';
      this.#statistics!.setTrending(lists, this.#history.catalog);
      this.#trends = world.trending;
    }
    return undefined;
  }

  rebuild(impression: ArchivedImpression, profile: Profile): Rebuilt {
    const { catalog } = this.#history;
    const pool = this.#pool;
    const { items, at: now, itemId, sources, proposedBy = [] } = impression;
    const scene = SCENES.find((known) => known === impression.scene)!;
    const rows = items.map((id) => catalog.rowOf(id));
    if (rows.includes(-1)) return { impression, missing: 'item' };
    const request: CandidateRequest = {
      catalog, statistics: this.#statistics!, profile, scene, region: undefined, contextRows: contextRows(catalog, profile, scene, itemId),
      pinnedRows: [], now, random: () => 0,
    };
    pool.begin(catalog, items.length, () => true);
    rows.forEach((row, i) => pool.add(row, sources[i]!));
    pool.close();
    generateCandidates(pool, request);
    proposedBy.forEach((bits, slot) => { pool.sources[slot] = bits; });
    const features = new Float32Array(items.length * WIDTH);
    const vectors = impression.vectors.slice();
    writeUserFeatures(vectors, profile, scene, now);
    this.#writer.write(features, pool, request);
    for (let i = 0; i < items.length; i++) vectors.set(features.subarray(i * WIDTH, (i + 1) * WIDTH), USER_FEATURES.length + i * SHOWN_FLOATS + SHOWN_FLOATS - WIDTH);
    return { impression, vectors };
  }
}
