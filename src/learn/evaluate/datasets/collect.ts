import { EVENT_TYPE_INDEX, type EventType } from '../../../domain/event.js';
import { ITEM_LIMITS, type Item } from '../../../domain/item.js';
import { hash48 } from '../../../util/hash.js';
import type { Interactions } from '../../task.js';

/** Events of one shopper that a table gives one time are set this far apart, ms, so that their order survives. */
export const TIE_MS = 1000;

const ID_CHARS_MAX = 256;
const NAME_CHARS_MAX = 128;

/** What is known of an item beside its id. */
export type ItemDetails = Partial<Pick<Item, 'title' | 'category' | 'price' | 'currency' | 'tags'>>;

export interface CollectedLog {
  readonly items: Item[];
  readonly interactions: Interactions;
  /** Index of each number that `LogCollector.item` gave. */
  readonly indexOf: Uint32Array;
  /** Of each event of the interactions: how many were added before it. */
  readonly source: Uint32Array;
}

/** Gathers a log's items and events, in any order of shoppers, and lays them out by shopper. */
export class LogCollector {
  readonly #itemOf = new Map<string, number>();
  readonly #shopperOf = new Map<string, number>();
  readonly #details = new Map<number, ItemDetails>();
  readonly #shopper: number[] = [];
  readonly #item: number[] = [];
  readonly #at: number[] = [];
  readonly #place: number[] = [];
  #shoppers = 0;

  /** @returns a number for the item, which `finish` changes to its index */
  item(id: string): number {
    return numberOf(this.#itemOf, id);
  }

  shopper(id: string): number {
    const known = this.#shopperOf.get(id);
    if (known !== undefined) return known;
    const shopper = this.newShopper();
    this.#shopperOf.set(id, shopper);
    return shopper;
  }

  /** A shopper who is met once and has no id. */
  newShopper(): number {
    return this.#shoppers++;
  }

  describe(item: number, details: ItemDetails): void {
    if (!this.#details.has(item)) this.#details.set(item, details);
  }

  /** @param place where the event stands among the shopper's, when the table says; else events are in order */
  add(shopper: number, item: number, at: number, place = 0): void {
    this.#shopper.push(shopper);
    this.#item.push(item);
    this.#at.push(at);
    this.#place.push(place);
  }

  /**
   * Items are numbered by the hash of their id, so that nothing that breaks ties by index gains from the order of a file,
   * which often follows popularity or time.
   */
  finish(type: EventType): CollectedLog {
    const ids = [...this.#itemOf.keys()];
    const order = ids.map((id, number) => ({ number, hash: hash48(id) })).sort((a, b) => a.hash - b.hash || a.number - b.number);
    const indexOf = new Uint32Array(ids.length);
    order.forEach(({ number }, index) => { indexOf[number] = index; });
    const items = order.map(({ number }) => makeItem(ids[number]!, this.#details.get(number)));
    return { items, indexOf, ...this.#layOut(items, indexOf, type) };
  }

  #layOut(items: readonly Item[], indexOf: Uint32Array, type: EventType): Pick<CollectedLog, 'interactions' | 'source'> {
    const shoppers = this.#shoppers;
    const events = this.#item.length;
    const offsets = new Uint32Array(shoppers + 1);
    for (const shopper of this.#shopper) offsets[shopper + 1]! += 1;
    for (let s = 0; s < shoppers; s++) offsets[s + 1]! += offsets[s]!;
    const next = offsets.slice();
    const source = new Uint32Array(events);
    this.#shopper.forEach((shopper, event) => { source[next[shopper]!++] = event; });
    const item = new Uint32Array(events);
    const at = new Float64Array(events);
    for (let s = 0; s < shoppers; s++) {
      const own = source.subarray(offsets[s]!, offsets[s + 1]!);
      own.sort((a, b) => this.#place[a]! - this.#place[b]! || a - b);
      own.forEach((event, i) => {
        const to = offsets[s]! + i;
        item[to] = indexOf[this.#item[event]!]!;
        at[to] = i === 0 ? this.#at[event]! : Math.max(this.#at[event]!, at[to - 1]! + TIE_MS);
      });
    }
    const types = new Uint8Array(events).fill(EVENT_TYPE_INDEX.get(type)!);
    return { interactions: { itemIds: items.map(({ id }) => id), shoppers, offsets, item, at, type: types }, source };
  }
}

/** @returns why a text is no id, if it is not */
export function idFault(what: string, id: string): string | undefined {
  return id === '' || id.length > ID_CHARS_MAX ? `${what} is ${id === '' ? 'empty' : 'too long'}` : undefined;
}

/** The catalog takes so many names, so long. */
export const asTags = (names: Iterable<string>): string[] =>
  [...new Set(names)].filter((name) => name !== '' && name.length <= NAME_CHARS_MAX).slice(0, ITEM_LIMITS.tagsMax);

/** A catalog wants a title and a category of every item. */
function makeItem(id: string, details: ItemDetails = {}): Item {
  return { id, title: details.title ?? id, category: details.category ?? ['all'], kind: 'product', ...details };
}

function numberOf(numbers: Map<string, number>, id: string): number {
  let number = numbers.get(id);
  if (number === undefined) numbers.set(id, number = numbers.size);
  return number;
}
