import type { Catalog } from '../catalog/catalog.js';
import { SOURCE_INDEX, type CandidatePool } from '../candidates/pool.js';
import { bestOf } from '../util/best-of.js';

/** How a scored pool becomes a list. */
export const RERANK = {
  /** Candidates looked at, as a multiple of the list's length. */
  depth: 3,
  /** Cost of the n-th item of one leaf category or brand in a list, in standard deviations of the scores. */
  sameLeaf: 0.12,
  sameBrand: 0.08,
  /** Share of lists in which one place goes to a candidate drawn at random. */
  explore: 0.1,
  /** Places of live rooms, from 0: the first, and every so many from there on. */
  roomFirst: 1, roomEvery: 5,
} as const;

export interface RankedSlot {
  /** Slot in the pool. */
  slot: number;
  /** Probability with which the policy put this candidate at this place, for off-policy estimates. */
  propensity: number;
}

/**
 * Greedy diversity: at each place the candidate with the best score less a cost for every item of its leaf category
 * and brand that is already there (the marginal form of Carbonell and Goldstein's MMR, 1998). Pinned items keep
 * their places at the top.
 */
export function diversify(catalog: Catalog, pool: CandidatePool, scores: Float32Array, limit: number): RankedSlot[] {
  // Pins were put into the pool before anything else, in their order.
  const list: RankedSlot[] = [];
  while (list.length < Math.min(limit, pool.count) && pool.first[list.length] === SOURCE_INDEX.pinned) list.push({ slot: list.length, propensity: 1 });
  const pins = list.length;
  const order = bestOf(scores, pool.count, limit * RERANK.depth);
  if (pins > 0) for (let i = order.length - 1; i >= 0; i--) if (order[i]! < pins) order.splice(i, 1);
  const unit = deviation(scores, order);
  counts.reserve(catalog);
  for (let first = 0; list.length < limit && first < order.length;) {
    let best = -1;
    let bestValue = -Infinity;
    for (let i = first; i < order.length; i++) {
      const slot = order[i]!;
      if (slot === TAKEN) continue;
      // Sorted, and a cost is never negative: nothing behind can win.
      if (scores[slot]! <= bestValue) break;
      const value = scores[slot]! - unit * counts.cost(catalog, pool.rows[slot]!);
      if (value > bestValue) {
        best = i;
        bestValue = value;
      }
    }
    const slot = order[best]!;
    list.push({ slot, propensity: 1 });
    counts.change(catalog, pool.rows[slot]!, 1);
    order[best] = TAKEN;
    while (order[first] === TAKEN) first++;
  }
  for (let i = pins; i < list.length; i++) counts.change(catalog, pool.rows[list[i]!.slot]!, -1);
  return list;
}

const TAKEN = -1;

/** How often each leaf category and brand is in the list so far, by their numbers; zero between lists. */
class NameCounts {
  #leaves = new Uint8Array(0);
  #brands = new Uint8Array(0);

  reserve(catalog: Catalog): void {
    if (this.#leaves.length < catalog.categories.size) this.#leaves = new Uint8Array(catalog.categories.size * 2);
    if (this.#brands.length < catalog.brands.size) this.#brands = new Uint8Array(catalog.brands.size * 2);
  }

  /** In standard deviations of the scores. */
  cost(catalog: Catalog, row: number): number {
    return RERANK.sameLeaf * this.#leaves[catalog.leafOf(row)]! + RERANK.sameBrand * this.#brands[catalog.brandOf(row)]!;
  }

  change(catalog: Catalog, row: number, by: 1 | -1): void {
    this.#leaves[catalog.leafOf(row)]! += by;
    const brand = catalog.brandOf(row);
    if (brand !== 0) this.#brands[brand]! += by;
  }
}

const counts = new NameCounts();

/** @returns live rooms among the candidates, the best by the model first; of a pinned one its pin decides */
export function roomsIn({ roomRows }: Catalog, pool: CandidatePool, scores: Float32Array): RankedSlot[] {
  if (roomRows.size === 0) return [];
  const rooms: RankedSlot[] = [];
  for (let slot = 0; slot < pool.count; slot++) if (isRoom(roomRows, pool, slot)) rooms.push({ slot, propensity: 1 });
  return rooms.sort((a, b) => scores[b.slot]! - scores[a.slot]!);
}

const isRoom = (roomRows: Catalog['roomRows'], pool: CandidatePool, slot: number): boolean =>
  roomRows.has(pool.rows[slot]!) && pool.first[slot] !== SOURCE_INDEX.pinned;

/**
 * Gives live rooms their places in a list. A model that was trained on what sells knows how to tell one room from another, but what a room
 * is worth beside a product it does not know: no other place is won by a room, as long as there is anything else.
 * @param list long enough to be left with `limit` when the rooms are taken out of it
 */
export function placeRooms({ roomRows }: Catalog, pool: CandidatePool, { rooms, list, limit }: {
  readonly rooms: readonly RankedSlot[]; readonly list: readonly RankedSlot[]; readonly limit: number;
}): RankedSlot[] {
  const others = list.filter(({ slot }) => !isRoom(roomRows, pool, slot));
  const waiting = [...rooms];
  const first = Math.max(RERANK.roomFirst, others.filter(({ slot }) => pool.first[slot] === SOURCE_INDEX.pinned).length);
  const placed: RankedSlot[] = [];
  for (let place = 0; place < Math.min(limit, list.length); place++) {
    const isForRoom = place >= first && (place - first) % RERANK.roomEvery === 0;
    const [next, otherwise] = isForRoom ? [waiting, others] : [others, waiting];
    placed.push((next.shift() ?? otherwise.shift())!);
  }
  return placed;
}

/**
 * In a tenth of the lists one place of the lower half goes to a candidate drawn uniformly from those left over, so that
 * the log keeps telling what the model would never have shown. Propensities are those of the two branches.
 * @param count candidates in the pool
 * @param rooms those of them that have places of their own, and get no others
 * @param isPinned whether a slot was put where it is by a pin: it stays there, as a room does
 */
export function explore(list: RankedSlot[], { count, random, rooms, isPinned }: {
  readonly count: number; readonly random: () => number; readonly rooms: readonly RankedSlot[]; readonly isPinned: (slot: number) => boolean;
}): void {
  const isRoom = (slot: number): boolean => rooms.some((room) => room.slot === slot);
  const placed = rooms.length === 0 ? 0 : list.filter(({ slot }) => isRoom(slot)).length;
  const left = count - list.length - (rooms.length - placed);
  if (left <= 0 || list.length < 4) return;
  const places: number[] = [];
  for (let place = Math.floor(list.length / 2); place < list.length; place++) {
    const { slot } = list[place]!;
    if (!isPinned(slot) && !isRoom(slot)) places.push(place);
  }
  if (places.length === 0) return;
  for (const place of places) list[place]!.propensity = 1 - RERANK.explore / places.length;
  if (random() >= RERANK.explore) return;
  const place = places[Math.floor(random() * places.length)]!;
  const shown = new Set(list.map((entry) => entry.slot));
  let skip = Math.floor(random() * left);
  for (let slot = 0; slot < count; slot++) {
    if (shown.has(slot) || isRoom(slot) || skip-- > 0) continue;
    list[place] = { slot, propensity: RERANK.explore / (places.length * left) };
    return;
  }
}

function deviation(scores: Float32Array, slots: readonly number[]): number {
  if (slots.length < 2) return 0;
  let sum = 0;
  let squares = 0;
  for (const slot of slots) {
    sum += scores[slot]!;
    squares += scores[slot]! ** 2;
  }
  const mean = sum / slots.length;
  return Math.sqrt(Math.max(0, squares / slots.length - mean * mean));
}
