import type { Feeds } from '../graph/training-graph.js';
import { DEED, type ListStore, type StoredList } from './lists.js';
import { standardise, varying, type Scaling } from './scaling.js';

/** How features enter the network: which columns, and standardised how. */
export interface Columns {
  readonly user: readonly number[];
  readonly item: readonly number[];
  readonly scaling: { readonly user: Scaling; readonly item: Scaling };
}

/** A shopper's columns may all be the same, as when there is one shopper only: one is then kept, as zeros. */
export function columnsOf(scaling: Columns['scaling']): Columns {
  const user = varying(scaling.user);
  return { user: user.length > 0 ? user : [0], item: varying(scaling.item), scaling };
}

/** Arrays of one batch of lists, padded to the longest; filled anew for each. */
export class Batch {
  readonly user: Float32Array;
  readonly items: Float32Array;
  readonly present: Float32Array;
  readonly offset: Float32Array;
  readonly places: Int32Array;
  /** By head. */
  readonly worth: Float32Array[];

  /** @param deeds of each head: the least deed that counts for it */
  constructor(readonly lists: number, readonly rows: number, readonly columns: Columns, readonly deeds: readonly number[]) {
    const size = lists * rows;
    this.user = new Float32Array(lists * columns.user.length);
    this.items = new Float32Array(size * columns.item.length);
    this.present = new Float32Array(size);
    this.offset = new Float32Array(size);
    this.places = new Int32Array(size);
    this.worth = deeds.map(() => new Float32Array(size));
  }

  /** @param indexes of lists in the store; where there are fewer than the batch takes, the rest stays empty */
  fill(store: ListStore, indexes: ArrayLike<number>): void {
    for (const array of [this.present, this.offset, this.places, ...this.worth]) array.fill(0);
    for (let i = 0; i < Math.min(indexes.length, this.lists); i++) this.#write(i, store.at(indexes[i]!));
  }

  feeds(): Feeds {
    const { user, items, present, offset, places } = this;
    return { user, items, present, offset, places, ...Object.fromEntries(this.worth.map((worth, head) => [`worth_${head}`, worth])) };
  }

  #write(place: number, list: StoredList): void {
    const { columns, rows, lists, deeds } = this;
    const from = place * rows;
    standardise(this.user, place * columns.user.length, list.user, 1, columns.scaling.user, columns.user);
    standardise(this.items, from * columns.item.length, list.items, list.count, columns.scaling.item, columns.item);
    for (let row = 0; row < list.count; row++) {
      this.present[from + row] = 1;
      if (list.deeds[row] === DEED.none) this.offset[from + row] = -list.logKept;
      this.places[from + row] = list.places[row]!;
    }
    deeds.forEach((least, head) => { shareOut(this.worth[head]!, from, list.deeds, least, lists); });
  }
}

/** Every list teaches as much as any other, however many of its rows have the deed. */
function shareOut(worth: Float32Array, from: number, deeds: Uint8Array, least: number, lists: number): void {
  let count = 0;
  for (const deed of deeds) if (deed >= least) count += 1;
  deeds.forEach((deed, row) => { if (deed >= least) worth[from + row] = 1 / (count * lists); });
}
