import type { EventType, ShopperEvent } from '../domain/event.js';
import { hash48 } from '../util/hash.js';
import { KeyIndex } from '../util/key-index.js';
import { PairTable } from './pair-table.js';
import { DEFAULT_STATISTICS, type StatisticsSettings } from './statistics-settings.js';
import type { ItemStatistics } from './statistics-increment.js';
import { emptyStatisticsData, type StatisticsData } from './statistics.js';
import { Trails, type TrailColumns } from './trails.js';

/** How much one event says that items belong together and are liked. */
export const INTEREST: Partial<Record<EventType, number>> = {
  view_item: 1, select_item: 1, add_to_wishlist: 2, add_to_cart: 3, purchase: 4, like: 1.5, share: 2, review: 2,
  open_group_buy: 3, join_group_buy: 3,
};

/** Bounds of a build; beyond them the weakest or oldest go. */
export const STATISTICS_LIMITS = {
  shoppers: 500_000,
  /** Distinct ordered pairs kept while counting: 16 to 32 bytes each. */
  pairs: 6_000_000,
} as const;

const DAY_MS = 86_400_000;
/** More events of a neighbour than this make no difference any more. */
const EVENTS_TOLD_APART = 65_535;
/** Nor do more touches of a shopper than this. */
const TOUCHES_TOLD_APART = 1023;

/** What turns counts into scores: may be changed without counting anew. */
export type NeighborScoring = Pick<StatisticsSettings, 'sourceExponent' | 'targetExponent' | 'neighborsPerItem'>;

/** The neighbours of an item, strongest first: numbers of items, and scores. */
export interface Neighbors { readonly items: readonly number[]; readonly scores: readonly number[] }

/** All that was counted, to go on from. */
export interface StatisticsState {
  readonly keys: Float64Array;
  readonly events: Float64Array;
  readonly interest: Float64Array;
  readonly last: Float64Array;
  readonly first: Float64Array;
  readonly now: number;
  readonly frame: Frame;
  readonly pairs: ReturnType<PairTable['columns']>;
  readonly trails: TrailColumns;
  /** Items that changed since their figures were taken last, with the weight added; undefined: nobody asks. */
  readonly changed: readonly (readonly [item: number, weight: number])[] | undefined;
}

/** What published figures refer to, from one whole publication to the next: a moment, ms, and a unit of strength. */
interface Frame { readonly at: number; readonly unit: number }

/**
 * Counts popularity and co-occurrence over events in any order of shoppers, time order within each; what the settings
 * mean is said at `StatisticsSettings`. An item that the same shopper comes back to after others is its own neighbour.
 */
export class StatisticsBuilder {
  readonly settings: StatisticsSettings;
  readonly #indexOfKey = new KeyIndex();
  readonly #keys: number[] = [];
  /** Events of each item. */
  readonly #events: number[] = [];
  /** Interest in each item, decayed to the time of its last event. */
  readonly #interest: number[] = [];
  readonly #last: number[] = [];
  /** Times of each item's last event, above, and first one, ms. */
  readonly #first: number[] = [];
  readonly #pairs = new PairTable(STATISTICS_LIMITS.pairs);
  readonly #trails: Trails;
  /** By distance − 1, and by touches − 1. */
  readonly #ofDistance: Float64Array;
  readonly #ofLength: Float64Array;
  /** By events of a neighbour, for the exponent used last. */
  #ofTarget: { exponent: number; powers: Float64Array } = { exponent: 0, powers: new Float64Array(EVENTS_TOLD_APART + 1).fill(1) };
  readonly #halfLifeMs: number;
  #now = 0;
  #frame: Frame = { at: 0, unit: 1 };
  /** Weight that each item's pairs got since its figures were taken last; undefined: nobody asks. */
  #changed: Map<number, number> | undefined;

  constructor(settings: StatisticsSettings = DEFAULT_STATISTICS) {
    this.settings = settings;
    this.#trails = new Trails(settings.window, STATISTICS_LIMITS.shoppers);
    this.#ofDistance = powers(settings.window, -settings.distanceExponent);
    this.#ofLength = powers(TOUCHES_TOLD_APART + 1, -settings.lengthExponent);
    this.#halfLifeMs = settings.popularityDays * DAY_MS;
  }

  /** Takes up counting where another builder of the same settings was. */
  static restore(settings: StatisticsSettings, state: StatisticsState): StatisticsBuilder {
    const builder = new StatisticsBuilder(settings);
    state.keys.forEach((key) => builder.#index(key));
    for (let item = 0; item < state.keys.length; item++) {
      builder.#events[item] = state.events[item]!;
      builder.#interest[item] = state.interest[item]!;
      builder.#last[item] = state.last[item]!;
      builder.#first[item] = state.first[item]!;
    }
    const { from, to, weight } = state.pairs;
    for (let i = 0; i < from.length; i++) builder.#pairs.add(from[i]!, to[i]!, weight[i]!);
    builder.#trails.restore(state.trails);
    builder.#now = state.now;
    builder.#frame = state.frame;
    builder.#changed = state.changed === undefined ? undefined : new Map(state.changed);
    return builder;
  }

  state(): StatisticsState {
    return {
      keys: Float64Array.from(this.#keys), events: Float64Array.from(this.#events), interest: Float64Array.from(this.#interest),
      last: Float64Array.from(this.#last), first: Float64Array.from(this.#first), now: this.#now, frame: this.#frame, pairs: this.#pairs.columns(), trails: this.#trails.columns(),
      changed: this.#changed === undefined ? undefined : [...this.#changed],
    };
  }

  add(event: ShopperEvent): void {
    const interest = INTEREST[event.type];
    if (interest !== undefined && event.itemId !== undefined) this.count(hash48(event.shopper), hash48(event.itemId), interest, event.at);
  }

  /** @param shopper and @param item numbers or hashes that stand for them */
  count(shopper: number, itemKey: number, interest: number, at: number): void {
    const item = this.#index(itemKey);
    const elapsed = at - this.#last[item]!;
    if (elapsed >= 0) {
      this.#interest[item] = this.#interest[item]! * 2 ** (-elapsed / this.#halfLifeMs) + interest;
      this.#last[item] = at;
    } else this.#interest[item]! += interest * 2 ** (elapsed / this.#halfLifeMs);
    this.#events[item]! += 1;
    this.#first[item] = Math.min(this.#first[item]!, at);
    this.#mark(item, 0);
    this.#now = Math.max(this.#now, at);
    this.#pair(this.#trails.slot(shopper), item, at);
  }

  build(): StatisticsData {
    const count = this.#keys.length;
    const { recentItems, recencyExponent, again } = this.settings;
    const use = { recentItems, recencyExponent, again };
    if (count === 0) return { ...emptyStatisticsData(), use };
    this.#frame = { at: this.#now, unit: this.typicalBest() };
    this.#changed?.clear();
    const strength = this.#keys.map((_, item) => this.#strength(item));
    const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => strength[b]! - strength[a]! || this.#keys[a]! - this.#keys[b]!);
    const rank = new Uint32Array(count);
    order.forEach((item, position) => { rank[item] = position; });
    const data: StatisticsData = {
      use,
      keys: Float64Array.from(order, (item) => this.#keys[item]!),
      popularity: Float32Array.from(order, (item) => Math.log1p(strength[item]!)),
      lasting: Float32Array.from(order, (item) => Math.log1p(this.#events[item]!)),
      firstDay: Float32Array.from(order, (item) => this.#first[item]! / DAY_MS),
      offsets: new Uint32Array(count + 1),
      targets: new Uint32Array(0),
      weights: new Float32Array(0),
    };
    const targets: number[] = [];
    const weights: number[] = [];
    order.forEach((item, position) => {
      const { items, scores } = this.neighbors(item);
      for (const target of items) targets.push(rank[target]!);
      for (const score of scores) weights.push(score / this.#frame.unit);
      data.offsets[position + 1] = targets.length;
    });
    data.targets = Uint32Array.from(targets);
    data.weights = Float32Array.from(weights);
    return data;
  }

  /** Items from here on keep a note that they changed, for `takeChanges`. */
  trackChanges(): void {
    this.#changed ??= new Map();
  }

  /** The items that changed most, in terms of what is known of them, since `build` or since they were taken last. */
  takeChanges(limit: number): ItemStatistics[] {
    const changed = this.#changed ?? new Map<number, number>();
    const share = (item: number, added: number): number => added / (1 + this.#events[item]!);
    const most = [...changed].toSorted(([a, x], [b, y]) => share(b, y) - share(a, x)).slice(0, limit);
    return most.map(([item]) => {
      changed.delete(item);
      const { items, scores } = this.neighbors(item);
      return {
        key: this.#keys[item]!, popularity: Math.log1p(this.#strength(item)), lasting: Math.log1p(this.#events[item]!), firstDay: this.#first[item]! / DAY_MS,
        neighbors: Float64Array.from(items, (neighbor) => this.#keys[neighbor]!), weights: Float64Array.from(scores, (score) => score / this.#frame.unit),
      };
    });
  }

  /** Items that changed since. */
  get changes(): number {
    return this.#changed?.size ?? 0;
  }

  /** @returns an item's number here, or −1 */
  indexOf(itemKey: number): number {
    return this.#indexOfKey.get(itemKey);
  }

  keyOf(item: number): number {
    return this.#keys[item]!;
  }

  /** The strongest neighbours of an item; equal ones by their hash, so that the order of counting does not show. @param by other settings than it was counted with, to compare */
  neighbors(item: number, by: NeighborScoring = this.settings): Neighbors {
    const pairs = this.#pairs;
    const ofTarget = this.#powersOf(by.targetExponent);
    const share = (1 + this.#events[item]!) ** -by.sourceExponent;
    const items: number[] = [];
    const scores: number[] = [];
    for (let at = pairs.first(item); at >= 0; at = pairs.next(at)) {
      const target = pairs.target(at);
      const score = pairs.weight(at) * share * ofTarget[Math.min(this.#events[target]!, EVENTS_TOLD_APART)]!;
      let place = items.length;
      while (place > 0 && (score > scores[place - 1]! || (score === scores[place - 1] && this.#keys[target]! < this.#keys[items[place - 1]!]!))) place--;
      if (place === by.neighborsPerItem) continue;
      items.splice(place, 0, target);
      scores.splice(place, 0, score);
      if (items.length <= by.neighborsPerItem) continue;
      items.pop();
      scores.pop();
    }
    return { items, scores };
  }

  /** The unit of strength: the median over all items of the score of the best neighbour; 1 when there are none. */
  typicalBest(by: NeighborScoring = this.settings): number {
    const pairs = this.#pairs;
    const ofTarget = this.#powersOf(by.targetExponent);
    const best: number[] = [];
    for (let item = 0; item < this.#keys.length; item++) {
      let most = 0;
      for (let at = pairs.first(item); at >= 0; at = pairs.next(at)) most = Math.max(most, pairs.weight(at) * ofTarget[Math.min(this.#events[pairs.target(at)]!, EVENTS_TOLD_APART)]!);
      if (most > 0) best.push(most * (1 + this.#events[item]!) ** -by.sourceExponent);
    }
    return Float64Array.from(best).sort()[best.length >> 1] ?? 1;
  }

  /** Interest in an item, decayed to the moment that figures refer to. */
  #strength(item: number): number {
    return this.#interest[item]! * 2 ** ((this.#last[item]! - this.#frame.at) / this.#halfLifeMs);
  }

  #mark(item: number, weight: number): void {
    this.#changed?.set(item, (this.#changed.get(item) ?? 0) + weight);
  }

  #powersOf(exponent: number): Float64Array {
    if (this.#ofTarget.exponent !== exponent) this.#ofTarget = { exponent, powers: powers(EVENTS_TOLD_APART + 1, -exponent) };
    return this.#ofTarget.powers;
  }

  #index(key: number): number {
    let index = this.#indexOfKey.get(key);
    if (index < 0) {
      index = this.#keys.push(key) - 1;
      this.#events.push(0);
      this.#interest.push(0);
      this.#last.push(0);
      this.#first.push(Infinity);
      this.#indexOfKey.set(key, index);
    }
    return index;
  }

  #pair(slot: number, item: number, at: number): void {
    const trails = this.#trails;
    const { stepMs, gapFloor, gapDays, backward } = this.settings;
    const length = trails.length(slot);
    const latest = length === 0 ? -1 : trails.place(slot, 1);
    if (latest >= 0 && trails.item(latest) === item) return;
    const step = latest < 0 ? 0 : trails.step(latest) + (at - trails.at(latest) > stepMs ? 1 : 0);
    const ofLength = this.#ofLength[Math.min(trails.touches(slot), TOUCHES_TOLD_APART)]!;
    for (let back = 1; back <= length; back++) {
      const place = trails.place(slot, back);
      const other = trails.item(place);
      const distance = Math.max(1, step - trails.step(place));
      const days = Math.abs(at - trails.at(place)) / DAY_MS;
      const weight = this.#ofDistance[distance - 1]! * ofLength * (gapFloor + Math.exp(-days / gapDays));
      this.#pairs.add(other, item, weight);
      this.#mark(other, weight);
      if (other === item || backward === 0) continue;
      this.#pairs.add(item, other, weight * backward);
      this.#mark(item, weight * backward);
    }
    trails.push(slot, item, at, step);
  }
}

/** `(i + 1)^exponent` for i < length. */
const powers = (length: number, exponent: number): Float64Array => Float64Array.from({ length }, (_, i) => (i + 1) ** exponent);
