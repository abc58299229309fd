import { listSlots } from '../../archive/files.js';
import { mergedLines } from '../../archive/lines.js';
import { Catalog } from '../../catalog/catalog.js';
import type { Item } from '../../domain/item.js';
import type { CatalogLine } from '../../jobs/catalog-archive.js';
import { compareEntries } from '../../util/entry-id.js';

/** The catalog as it was, brought forward along the archive: to a change, or to what had happened when an event came. */
export class CatalogHistory {
  readonly catalog = new Catalog();
  readonly #lines: AsyncGenerator<CatalogLine>;
  #next: CatalogLine | undefined;
  /** Ids of a snapshot that is being read, until it is complete. */
  #snapshot: Set<string> | undefined;
  #synced = false;

  constructor(dir: string) {
    this.#lines = readLines(dir);
  }

  /** @returns whether the catalog is now as of this change, exactly */
  async toSequence(sequence: number): Promise<boolean> {
    while (!this.#synced || this.catalog.sequence < sequence) {
      const line = await this.#peek();
      if (line === undefined) return false;
      this.#take(line);
    }
    return this.catalog.sequence === sequence;
  }

  /** Applies all that was changed before an entry; what came before the first snapshot sees that. */
  async toEntry(entry: string): Promise<void> {
    for (let line = await this.#peek(); line !== undefined && (!this.#synced || compareEntries(line.entry, entry) < 0); line = await this.#peek()) this.#take(line);
  }

  /** Applies all that the archive holds. */
  async toEnd(): Promise<void> {
    for (let line = await this.#peek(); line !== undefined; line = await this.#peek()) this.#take(line);
  }

  async #peek(): Promise<CatalogLine | undefined> {
    if (this.#next === undefined) {
      const { value, done } = await this.#lines.next();
      this.#next = done === true ? undefined : value;
    }
    return this.#next;
  }

  #take(line: CatalogLine): void {
    this.#next = undefined;
    if ('change' in line) this.#change(line.change);
    else if (!this.#synced) this.#page(line.snapshot);
  }

  #page({ sequence, items, done }: { sequence: number; items: readonly Item[]; done: boolean }): void {
    this.#snapshot ??= new Set();
    for (const item of items) {
      this.#snapshot.add(item.id);
      this.catalog.put(item);
    }
    if (!done) {
      this.catalog.sequence = sequence;
      return;
    }
    this.catalog.retain(this.#snapshot);
    this.#snapshot = undefined;
    this.#synced = true;
  }

  #change({ sequence, op, what, data }: Extract<CatalogLine, { change: unknown }>['change']): void {
    if (!this.#synced || sequence <= this.catalog.sequence) return;
    if (sequence > this.catalog.sequence + 1) {
      // Some were never archived: what comes next is a snapshot.
      this.#synced = false;
      return;
    }
    this.catalog.sequence = sequence;
    if (what !== 'items') return;
    if (op === 'delete') for (const id of data) this.catalog.remove(id);
    else for (let i = 1; i < data.length; i += 2) this.catalog.put(JSON.parse(data[i]!) as Item);
  }
}

async function* readLines(dir: string): AsyncGenerator<CatalogLine> {
  for (const { files } of await listSlots(dir, 'catalog')) {
    for await (const text of mergedLines(files)) {
      try {
        yield JSON.parse(text) as CatalogLine;
      } catch {
        // Cut off by a crash: the worker that came after began with a snapshot, and the gap before it shows.
      }
    }
  }
}
