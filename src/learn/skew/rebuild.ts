import { eventEntries, impressionEntries, recordEntries, type ArchivedImpression, type Entry } from '../../archive/reader.js';
import type { ShopperEvent } from '../../domain/event.js';
import type { ShopperRecord } from '../../domain/record.js';
import { entryTime } from '../../util/entry-id.js';
import { CatalogHistory } from './catalog-history.js';
import { ProfileHistory } from './profile-history.js';
import { World, type Missing } from './world.js';

/** An event may reach its stream this much later, by Redis' clock, than the impression that knew it, by ours, ms. */
const CLOCKS_APART_MS = 10_000;

export interface RebuildOptions {
  /** @returns the folder of a model, by its label @throws when there is none */
  readonly folderOf: (label: string) => Promise<string>;
  /** Folder of a model for whose features the vectors are made, instead of those that served. */
  readonly as?: string | undefined;
  /** Impressions of hours that ended before are passed over, ms. */
  readonly since?: number;
}

export type Rebuilt =
  | { readonly impression: ArchivedImpression; readonly vectors: Float32Array }
  /** It cannot be rebuilt, and why. */
  | { readonly impression: ArchivedImpression; readonly missing: 'log' | 'profile' | Missing };

/**
 * Computes the vectors of logged impressions anew from the archive, by the code that served them: events folded up to the
 * one that the shopper's profile then knew, the catalog as of the change that the process had then, statistics and
 * trending lists of the versions it had. What chance decided is in the log: which items, and which sources proposed them.
 */
export async function* rebuildImpressions(dir: string, { folderOf, as, since = 0 }: RebuildOptions): AsyncGenerator<Rebuilt> {
  const world = new World(dir, folderOf, as);
  const shoppers = new Shoppers(dir);
  try {
    for await (const { value: impression } of impressionEntries(dir, since)) {
      await shoppers.readUntil(impression.at + CLOCKS_APART_MS);
      const profile = impression.events === undefined ? undefined : shoppers.profiles.at(impression.shopper, impression.events);
      const missing = impression.world === undefined || impression.events === undefined ? 'log' : profile === undefined ? 'profile' : await world.bring(impression.world);
      if (missing !== undefined) {
        yield { impression, missing };
        continue;
      }
      const vectors = await world.rebuild(impression, profile!);
      yield typeof vectors === 'string' ? { impression, missing: vectors } : { impression, vectors };
    }
  } finally {
    await world.close();
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
