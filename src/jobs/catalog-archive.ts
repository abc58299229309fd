import type { Logger } from 'pino';
import type { ArchiveWriter } from '../archive/writer.js';
import type { Item } from '../domain/item.js';
import type { CatalogEntry, CatalogStore } from '../redis/catalog-store.js';
import type { Lease } from '../redis/lease.js';
import type { Clock } from '../util/clock.js';
import { Rounds } from '../util/rounds.js';

export const CATALOG_ARCHIVE_LIMITS = {
  /** Between looks at the changes, and lease of who does it, ms. */
  everyMs: 500, leaseMs: 10_000,
  /** Changes read at once, and items in a line of a snapshot. */
  changes: 50, itemsPerLine: 100,
  /** A snapshot is written at least this often, so that day folders can be deleted, ms. */
  snapshotEveryMs: 86_400_000,
} as const;

/** A line of the archive. A snapshot is as of `sequence` once its last line (`done`) is read. */
export type CatalogLine =
  | { readonly entry: string; readonly snapshot: { readonly sequence: number; readonly items: readonly Item[]; readonly done: boolean } }
  | { readonly entry: string; readonly change: CatalogEntry['change'] };

interface Options {
  readonly store: CatalogStore;
  readonly writer: ArchiveWriter;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs?: number;
}

/**
 * Archives the catalog, so that a replay sees each item as it was: a snapshot, then every change, then another snapshot
 * a day later or when changes were missed. Of all workers one does.
 */
export class CatalogArchiver {
  readonly #rounds: Rounds;
  /** The latest entry archived; undefined: a snapshot is due. */
  #position: { readonly id: string; readonly sequence: number } | undefined;
  #snapshotAt = 0;

  constructor(private readonly options: Options) {
    const { log, everyMs = CATALOG_ARCHIVE_LIMITS.everyMs } = options;
    this.#rounds = new Rounds({
      everyMs, round: () => this.#round(),
      onError: (error) => {
        this.#position = undefined;
        log.warn({ err: error }, 'catalog not archived at the moment; a snapshot follows');
      },
    });
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.options.lease.release();
  }

  async #round(): Promise<void> {
    const { lease, clock } = this.options;
    if (!(await lease.take(CATALOG_ARCHIVE_LIMITS.leaseMs))) this.#position = undefined;
    else if (this.#position === undefined || clock() >= this.#snapshotAt + CATALOG_ARCHIVE_LIMITS.snapshotEveryMs) await this.#snapshot();
    else this.#position = await this.#follow(this.#position);
  }

  /** What changes meanwhile is in some pages and not in others; applied again after them, all is as of the end. */
  async #snapshot(): Promise<void> {
    const { store, writer, clock } = this.options;
    const before = await store.position();
    const lines: string[] = [];
    const line = (items: readonly Item[], sequence: number, done: boolean): void => {
      lines.push(JSON.stringify({ entry: `${clock()}-0`, snapshot: { sequence, items, done } } satisfies CatalogLine));
    };
    let cursor = '0';
    do {
      const page = await store.listItems(cursor, CATALOG_ARCHIVE_LIMITS.itemsPerLine);
      line(page.items, before.sequence, false);
      await writer.append('catalog', lines.splice(0));
      cursor = page.cursor;
    } while (cursor !== '0');
    line([], (await store.position()).sequence, true);
    await writer.append('catalog', lines);
    this.#position = before;
    this.#snapshotAt = clock();
  }

  /** @returns the new position, undefined when changes were missed */
  async #follow(position: { readonly id: string; readonly sequence: number }): Promise<typeof position | undefined> {
    const { store, writer } = this.options;
    const entries = await store.changesAfter(position.id, CATALOG_ARCHIVE_LIMITS.changes);
    let last = position;
    for (const { id, change } of entries) {
      if (change.sequence !== last.sequence + 1) return undefined;
      last = { id, sequence: change.sequence };
    }
    await writer.append('catalog', entries.map(({ id: entry, change }) => JSON.stringify({ entry, change } satisfies CatalogLine)));
    return last;
  }
}
