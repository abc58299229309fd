import type { ShopperRecord } from '../domain/record.js';
import { compareEntries } from '../util/entry-id.js';

/** One thing that happened to a shopper as such. */
interface Mark {
  readonly entry: string;
  /** Who the shopper became; undefined: erased. */
  readonly to: string | undefined;
}

/** Marks kept; beyond them aliases are ignored (two shoppers stay two), erasures never. */
export const MARKS_MAX = 2_000_000;
const HOPS_MAX = 8;

/**
 * Says to whom an archived event belongs. The first mark that a shopper gets after an event decides: an erasure takes
 * the event away, an alias hands it on to the user, whose marks after the alias decide further.
 */
export class ShopperMarks {
  readonly #marks = new Map<string, Mark[]>();
  /** Shopper → entry of the latest word on whether they look like abuse, and the word. */
  readonly #flags = new Map<string, { readonly entry: string; readonly flagged: boolean }>();
  #count = 0;

  get size(): number {
    return this.#count;
  }

  add(record: ShopperRecord, entry: string): void {
    if (record.type === 'risk') {
      const known = this.#flags.get(record.shopper);
      if (known === undefined || compareEntries(entry, known.entry) > 0) this.#flags.set(record.shopper, { entry, flagged: record.flagged });
      return;
    }
    const isErase = record.type === 'erase';
    if (!isErase && this.#count >= MARKS_MAX) return;
    const shopper = isErase ? record.shopper : record.from;
    const marks = this.#marks.get(shopper) ?? [];
    if (marks.some((mark) => mark.entry === entry)) return;
    marks.push({ entry, to: isErase ? undefined : record.shopper });
    marks.sort((a, b) => compareEntries(a.entry, b.entry));
    this.#marks.set(shopper, marks);
    this.#count += 1;
  }

  /** Whether nothing is to be learnt of the shopper, as of the last word on it. */
  isFlagged(shopper: string): boolean {
    return this.#flags.get(shopper)?.flagged === true;
  }

  /** @returns all of whom nothing is to be learnt */
  flagged(): string[] {
    return [...this.#flags].filter(([, { flagged }]) => flagged).map(([shopper]) => shopper);
  }

  /** @returns whose the event of this shopper at this entry is now, undefined when it was erased */
  ownerOf(shopper: string, entry: string): string | undefined {
    let owner = shopper;
    let since = entry;
    for (let hop = 0; hop < HOPS_MAX; hop++) {
      const mark = this.#marks.get(owner)?.find((mark) => compareEntries(mark.entry, since) > 0);
      if (mark === undefined) return owner;
      if (mark.to === undefined) return undefined;
      owner = mark.to;
      since = mark.entry;
    }
    return owner;
  }
}
