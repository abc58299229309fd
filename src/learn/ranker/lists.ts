import { crc32 } from 'node:zlib';
import { AppError } from '../../errors.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { ITEM_FEATURES } from '../../ranking/features.js';
import type { Random } from '../../util/random.js';

export const LIST_LIMITS = {
  /** Features kept at most, in floats: 1 GiB. Beyond that a list takes the place of another at random. */
  floatsMax: 2 ** 28,
  /** Floats of one shard, about; shards are made as they are needed. */
  shardFloats: 2 ** 23,
} as const;

/** What a shopper did with an item, at most; each deed includes those before it. */
export const DEED = { none: 0, clicked: 1, carted: 2, bought: 3 } as const;

/** What each deed is worth, beyond those it includes: buying is worth 4 clicks in all, putting into the cart 2. */
export interface DeedValues { readonly clicked: number; readonly carted: number; readonly bought: number }
export const DEED_VALUES: DeedValues = { clicked: 1, carted: 1, bought: 2 };

/** What each `DEED` is worth in all. */
export const worthOfDeeds = ({ clicked, carted, bought }: DeedValues): readonly number[] => [0, clicked, clicked + carted, clicked + carted + bought];

/** One list to rank, with what came of it. */
export interface RankList {
  /** [USER_FEATURES] */
  readonly user: Float32Array;
  /** [count × ITEM_FEATURES], row-major. */
  readonly items: Float32Array;
  readonly count: number;
  /** A `DEED` a row. */
  readonly deeds: Uint8Array;
  /** Where a row was shown, from 1; 0 when it was not, or nobody knows. */
  readonly places: Uint8Array;
}

export interface StoredList extends RankList {
  /** Logarithm of the share of the rows without a deed that were kept. */
  readonly logKept: number;
}

interface Shard {
  readonly floats: Float32Array;
  readonly deeds: Uint8Array;
  readonly places: Uint8Array;
  readonly counts: Uint16Array;
  readonly logKept: Float32Array;
}

/**
 * Lists in records of one size, so that memory is bounded whatever the log: when it is full, every list offered so far
 * has the same chance to be in it (algorithm R, Vitter 1985). A list longer than a record keeps the rows with a deed
 * and a uniform sample of the others, whose scores the loss corrects by `logKept`.
 */
export class ListStore {
  readonly userWidth = USER_FEATURES.length;
  readonly itemWidth = ITEM_FEATURES.length;
  /** Lists taken in so far, kept or not. */
  offered = 0;
  /** Lists left out because nothing can be learnt from them: no row has a deed, or all have the same. */
  flat = 0;
  readonly #recordFloats: number;
  readonly #perShard: number;
  readonly #capacity: number;
  readonly #shards: Shard[] = [];
  #size = 0;

  /** @param rowsMax rows of a record */
  constructor(readonly rowsMax: number, readonly random: Random, floatsMax: number = LIST_LIMITS.floatsMax) {
    this.#recordFloats = this.userWidth + rowsMax * this.itemWidth;
    this.#perShard = Math.max(1, Math.floor(Math.min(floatsMax, LIST_LIMITS.shardFloats) / this.#recordFloats));
    this.#capacity = Math.max(1, Math.floor(floatsMax / this.#recordFloats));
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Copies a list.
   * @throws AppError `invalid_request` when a feature is no number: a model learnt from it would be none either
   */
  add(list: RankList): void {
    const { deeds, count } = list;
    if (deeds.subarray(0, count).every((deed) => deed === deeds[0])) {
      this.flat += 1;
      return;
    }
    checkFinite(list);
    this.offered += 1;
    const place = this.#size < this.#capacity ? this.#size++ : Math.floor(this.random() * this.offered);
    if (place < this.#capacity) this.#write(place, list);
  }

  /** Views of the memory, good until the list's place is taken by another. */
  at(index: number): StoredList {
    const shard = this.#shards[Math.floor(index / this.#perShard)]!;
    const record = index % this.#perShard;
    const count = shard.counts[record]!;
    const floats = record * this.#recordFloats;
    const items = floats + this.userWidth;
    return {
      user: shard.floats.subarray(floats, items), items: shard.floats.subarray(items, items + count * this.itemWidth), count,
      deeds: shard.deeds.subarray(record * this.rowsMax, record * this.rowsMax + count),
      places: shard.places.subarray(record * this.rowsMax, record * this.rowsMax + count),
      logKept: shard.logKept[record]!,
    };
  }

  *[Symbol.iterator](): Generator<StoredList> {
    for (let i = 0; i < this.#size; i++) yield this.at(i);
  }

  find(fits: (list: StoredList) => boolean): StoredList | undefined {
    for (const list of this) if (fits(list)) return list;
    return undefined;
  }

  /** Of all that is kept: equal for equal lists. */
  checksum(): number {
    return this.#shards.reduce((sum, { floats, deeds, places, counts }) =>
      [floats, deeds, places, counts].reduce((part, { buffer }) => crc32(new Uint8Array(buffer), part), sum), this.#size);
  }

  #write(place: number, list: RankList): void {
    const shard = (this.#shards[Math.floor(place / this.#perShard)] ??= this.#makeShard());
    const record = place % this.#perShard;
    const rows = this.#rowsKept(list);
    const others = list.count - (list.deeds.reduce((sum, deed) => sum + (deed > 0 ? 1 : 0), 0));
    shard.counts[record] = rows.length;
    shard.logKept[record] = Math.log((others - list.count + rows.length) / others);
    const floats = record * this.#recordFloats;
    shard.floats.set(list.user.subarray(0, this.userWidth), floats);
    rows.forEach((row, i) => {
      shard.floats.set(list.items.subarray(row * this.itemWidth, (row + 1) * this.itemWidth), floats + this.userWidth + i * this.itemWidth);
      shard.deeds[record * this.rowsMax + i] = list.deeds[row]!;
      shard.places[record * this.rowsMax + i] = list.places[row]!;
    });
  }

  /** At least one row without a deed is kept, or nothing would be left to compare with. */
  #rowsKept({ deeds, count }: RankList): number[] {
    const rows = Array.from({ length: count }, (_, row) => row);
    if (count <= this.rowsMax) return rows;
    const others = rows.filter((row) => deeds[row] === DEED.none);
    const done = rows.filter((row) => deeds[row] !== DEED.none).slice(0, this.rowsMax - 1);
    const kept = this.rowsMax - done.length;
    for (let i = 0; i < kept; i++) {
      const j = i + Math.floor(this.random() * (others.length - i));
      [others[i], others[j]] = [others[j]!, others[i]!];
    }
    return [...done, ...others.slice(0, kept)].sort((a, b) => a - b);
  }

  #makeShard(): Shard {
    const rows = this.#perShard * this.rowsMax;
    return {
      floats: new Float32Array(this.#perShard * this.#recordFloats), deeds: new Uint8Array(rows), places: new Uint8Array(rows),
      counts: new Uint16Array(this.#perShard), logKept: new Float32Array(this.#perShard),
    };
  }
}

function checkFinite({ user, items, count }: RankList): void {
  const bad = user.subarray(0, USER_FEATURES.length).findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new AppError('invalid_request', `Feature ${USER_FEATURES[bad]} of a shopper is ${user[bad]}, so nothing can be learnt from these events.`);
  const width = ITEM_FEATURES.length;
  for (let i = 0; i < count * width; i++) {
    if (!Number.isFinite(items[i]!)) throw new AppError('invalid_request', `Feature ${ITEM_FEATURES[i % width]} of an item is ${items[i]}, so nothing can be learnt from these events.`);
  }
}
