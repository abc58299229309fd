import type { Feeds } from '../graph/training-graph.js';
import { DEED, type ListStore, type StoredList } from './lists.js';
import { standardise, varying, type Scaling } from './scaling.js';

/** How features enter the network: which columns, and standardised how. */
export interface Columns {
  readonly user: readonly number[];
  readonly item: readonly number[];
  readonly scaling: { readonly user: Scaling; readonly item: Scaling };
}

export const columnsOf = (scaling: Columns['scaling']): Columns => ({ user: varying(scaling.user), item: varying(scaling.item), scaling });

/** Arrays of one batch of lists, padded to the longest; filled anew for each. */
export class Batch {
  readonly user: Float32Array;
  readonly items: Float32Array;
  readonly present: Float32Array;
  readonly offset: Float32Array;
  readonly shown: Float32Array;
  readonly places: Int32Array;
  /** By head, over all rows and over those shown. */
  readonly worth: Float32Array[];
  readonly shownWorth: Float32Array[];

  /** @param deeds of each head: the least deed that counts for it */
  constructor(readonly lists: number, readonly rows: number, readonly columns: Columns, readonly deeds: readonly number[]) {
    const size = lists * rows;
    this.user = new Float32Array(lists * columns.user.length);
    this.items = new Float32Array(size * columns.item.length);
    this.present = new Float32Array(size);
    this.offset = new Float32Array(size);
    this.shown = new Float32Array(size);
    this.places = new Int32Array(size);
    this.worth = deeds.map(() => new Float32Array(size));
    this.shownWorth = deeds.map(() => new Float32Array(size));
  }

  /** @param indexes of lists in the store; where there are fewer than the batch takes, the rest stays empty */
  fill(store: ListStore, indexes: ArrayLike<number>): void {
    for (const array of [this.present, this.offset, this.shown, this.places, ...this.worth, ...this.shownWorth]) array.fill(0);
    for (let i = 0; i < Math.min(indexes.length, this.lists); i++) this.#write(i, store.at(indexes[i]!));
  }

  feeds(): Feeds {
    const named = (prefix: string, arrays: readonly Float32Array[]): [string, Float32Array][] => arrays.map((array, head) => [`${prefix}_${head}`, array]);
    return {
      user: this.user, items: this.items, present: this.present, offset: this.offset, shown: this.shown, places: this.places,
      ...Object.fromEntries([...named('worth', this.worth), ...named('shown_worth', this.shownWorth)]),
    };
  }

  #write(place: number, list: StoredList): void {
    const { columns, rows, lists, deeds } = this;
    const from = place * rows;
    standardise(this.user, place * columns.user.length, list.user, 1, columns.scaling.user, columns.user);
    standardise(this.items, from * columns.item.length, list.items, list.count, columns.scaling.item, columns.item);
    for (let row = 0; row < list.count; row++) {
      this.present[from + row] = 1;
      if (list.deeds[row] === DEED.none) this.offset[from + row] = -list.logKept;
      if (list.places[row]! > 0) this.shown[from + row] = 1;
      this.places[from + row] = list.places[row]!;
    }
    deeds.forEach((least, head) => {
      shareOut(this.worth[head]!, from, list, lists, (row) => list.deeds[row]! >= least);
      shareOut(this.shownWorth[head]!, from, list, lists, (row) => list.deeds[row]! >= least && list.places[row]! > 0);
    });
  }
}

/** Every list teaches as much as any other, however many of its rows have the deed. */
function shareOut(worth: Float32Array, from: number, list: StoredList, lists: number, has: (row: number) => boolean): void {
  let count = 0;
  for (let row = 0; row < list.count; row++) if (has(row)) count += 1;
  for (let row = 0; row < list.count; row++) if (has(row)) worth[from + row] = 1 / (count * lists);
}
