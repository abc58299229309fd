import { KeyIndex } from '../util/key-index.js';

const SHOPPERS_AT_FIRST = 1024;

/** All of it, as columns: `window` touches for each shopper. */
export interface TrailColumns {
  readonly shoppers: Float64Array;
  readonly touches: Uint32Array;
  readonly items: Int32Array;
  readonly times: Float64Array;
  readonly steps: Int32Array;
}

/**
 * What shoppers touched last: a ring of `window` touches each, over typed arrays (16 bytes a touch), found by the
 * shopper's number or hash.
 */
export class Trails {
  #slotOf = new KeyIndex();
  #count = 0;
  #shoppers = new Float64Array(0);
  /** Touches of each shopper so far. */
  #touches = new Uint32Array(0);
  #items = new Int32Array(0);
  #times = new Float64Array(0);
  /** A touch belongs to a step: those of one moment share it. */
  #steps = new Int32Array(0);

  /** @param shoppersMax beyond it the half that has been silent longest is forgotten */
  constructor(readonly window: number, readonly shoppersMax: number) {
    this.#resize(SHOPPERS_AT_FIRST);
  }

  /** @returns the shopper's slot, valid until the next call */
  slot(shopper: number): number {
    const known = this.#slotOf.get(shopper);
    if (known >= 0) return known;
    if (this.#count === this.shoppersMax) this.#forgetHalf();
    if (this.#count === this.#shoppers.length) this.#resize(Math.min(this.#count * 2, this.shoppersMax));
    const slot = this.#count++;
    this.#shoppers[slot] = shopper;
    this.#touches[slot] = 0;
    this.#slotOf.set(shopper, slot);
    return slot;
  }

  /** Touches of the shopper so far, those that left the ring included. */
  touches(slot: number): number {
    return this.#touches[slot]!;
  }

  /** Touches that can still be read. */
  length(slot: number): number {
    return Math.min(this.#touches[slot]!, this.window);
  }

  /** Where to read a touch; `back` 1 is the latest, at most `length`. */
  place(slot: number, back: number): number {
    return slot * this.window + (this.#touches[slot]! - back) % this.window;
  }

  item(place: number): number {
    return this.#items[place]!;
  }

  at(place: number): number {
    return this.#times[place]!;
  }

  step(place: number): number {
    return this.#steps[place]!;
  }

  push(slot: number, item: number, at: number, step: number): void {
    this.#touches[slot]! += 1;
    const place = this.place(slot, 1);
    this.#items[place] = item;
    this.#times[place] = at;
    this.#steps[place] = step;
  }

  columns(): TrailColumns {
    const touches = this.#count * this.window;
    return {
      shoppers: this.#shoppers.slice(0, this.#count), touches: this.#touches.slice(0, this.#count),
      items: this.#items.slice(0, touches), times: this.#times.slice(0, touches), steps: this.#steps.slice(0, touches),
    };
  }

  /** Takes over what `columns` gave, into trails that are empty. */
  restore({ shoppers, touches, items, times, steps }: TrailColumns): void {
    this.#resize(Math.max(SHOPPERS_AT_FIRST, shoppers.length));
    this.#shoppers.set(shoppers);
    this.#touches.set(touches);
    this.#items.set(items);
    this.#times.set(times);
    this.#steps.set(steps);
    this.#count = shoppers.length;
    shoppers.forEach((shopper, slot) => { this.#slotOf.set(shopper, slot); });
  }

  #forgetHalf(): void {
    const latest = Float64Array.from({ length: this.#count }, (_, slot) => this.#times[this.place(slot, 1)]!);
    const median = latest.toSorted()[this.#count >> 1]!;
    const kept = Array.from(latest.keys()).filter((slot) => latest[slot]! > median);
    this.#slotOf = new KeyIndex();
    kept.forEach((slot, place) => { this.#move(slot, place); });
    this.#count = kept.length;
  }

  #move(slot: number, place: number): void {
    const { window } = this;
    this.#slotOf.set(this.#shoppers[slot]!, place);
    this.#shoppers[place] = this.#shoppers[slot]!;
    this.#touches[place] = this.#touches[slot]!;
    for (const column of [this.#items, this.#times, this.#steps]) column.copyWithin(place * window, slot * window, (slot + 1) * window);
  }

  #resize(shoppers: number): void {
    this.#shoppers = longer(this.#shoppers, shoppers);
    this.#touches = longer(this.#touches, shoppers);
    this.#items = longer(this.#items, shoppers * this.window);
    this.#times = longer(this.#times, shoppers * this.window);
    this.#steps = longer(this.#steps, shoppers * this.window);
  }
}

function longer<T extends Float64Array | Uint32Array | Int32Array>(array: T, length: number): T {
  const copy = new (array.constructor as new (length: number) => T)(length);
  copy.set(array);
  return copy;
}
