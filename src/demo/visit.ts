import type { Context, EventType, ShopperEvent } from '../domain/event.js';
import { toMinor } from '../domain/money.js';
import type { Scene } from '../domain/scene.js';
import type { Random } from '../util/random.js';
import type { DemoRecord, ImpressionRecord } from './records.js';
import type { Shopper } from './shoppers.js';
import { CART, CLICK, examined, sigmoid, utility, type Intent } from './taste.js';
import { drawAny, drawNew, drawPopular, type World } from './world.js';

const DAY_MS = 86_400_000;
/** Items in one shown list. */
const LIST_LENGTH = 10;
const PAGES_MAX = 12;
/** Bounds of what a simulated shopper remembers. */
const MEMORY = { cart: 8, owned: 8, pending: 4 } as const;

/** What a shopper carries from visit to visit; bounded. */
export interface Memory {
  readonly random: Random;
  /** Events made so far: the tail of the next event's id. */
  made: number;
  cart: number[];
  /** Things that get used up. */
  owned: { row: number; at: number }[];
  /** What follows a purchase days later. */
  pending: FollowUp[];
}

interface FollowUp {
  readonly type: 'refund' | 'review';
  readonly row: number;
  readonly dueAt: number;
}

/** Where a list's items come from, by scene: [related, same leaf, popular, new], the rest at random. */
const MIX: Readonly<Record<Scene, readonly [number, number, number, number]>> = {
  home: [0.05, 0.3, 0.35, 0.1],
  product: [0.4, 0.35, 0.1, 0.05],
  cart: [0.6, 0.1, 0.15, 0.05],
  search: [0.05, 0.85, 0.05, 0],
  live: [0.2, 0.5, 0.2, 0.1],
  post_purchase: [0.6, 0.1, 0.15, 0.05],
  feed: [0.1, 0.15, 0.3, 0.3],
};

/** Chances of the smaller gestures after a view, by role: like, share, comment. */
const GESTURES = {
  lurker: [0.01, 0.003, 0], liker: [0.22, 0.03, 0.03], reviewer: [0.08, 0.03, 0.06], sharer: [0.12, 0.2, 0.04],
} as const;

/** One visit of one shopper, played out page by page. */
export class Visit {
  readonly records: DemoRecord[] = [];
  #at: number;
  #scene: Scene = 'home';
  #intent: Intent;
  /** The impression that last showed an item. */
  readonly #shown = new Map<number, ImpressionRecord>();
  readonly #random: Random;

  constructor(
    private readonly world: World,
    private readonly shopper: Shopper,
    private readonly memory: Memory,
    private readonly idPrefix: string,
    private readonly contexts: ReadonlyMap<Scene, Context>,
    startsAt: number,
  ) {
    this.#at = startsAt;
    this.#random = memory.random;
    this.#intent = { leaf: this.#leafInMind() };
  }

  /** Plays the visit. @returns when it ended, ms */
  play(): number {
    this.#followUp();
    this.#enter();
    let anchor = -1;
    for (let page = 0; page < PAGES_MAX; page++) {
      const clicked = this.#page(anchor);
      if (this.#scene === 'live') this.#emit('leave_live', -1, { roomId: this.#room });
      if (this.#chance(clicked < 0 ? 0.42 : 0.18)) break;
      anchor = clicked;
      if (clicked >= 0) this.#drift(this.world.leaf[clicked]!);
      this.#scene = clicked < 0 ? this.#wander() : this.memory.cart.includes(clicked) && this.#chance(0.4) ? 'cart' : 'product';
      if (this.#scene === 'cart') anchor = -1;
    }
    if (this.memory.cart.length > 0 && this.#chance(sigmoid(0.1 + this.shopper.impulse))) this.#checkOut();
    return this.#at;
  }

  /** Something used up comes first, else what the shopper likes. */
  #leafInMind(): number {
    const { memory, world } = this;
    const due = memory.owned.find(({ row, at }) => this.#at - at > world.usedUpDays[world.leaf[row]!]! * 0.8 * DAY_MS);
    if (due !== undefined && this.#chance(0.6)) return world.leaf[due.row]!;
    const draw = this.#random();
    return Math.max(0, this.shopper.intents.findIndex((cumulative) => cumulative > draw));
  }

  #enter(): void {
    const draw = this.#random();
    this.#scene = draw < 0.62 ? 'home' : draw < 0.8 ? 'search' : draw < 0.94 ? 'feed' : 'live';
    if (this.#scene === 'search') this.#search();
    if (this.#scene === 'live') this.#emit('join_live', -1, { roomId: this.#room });
  }

  #wander(): Scene {
    if (this.#chance(0.35)) this.#intent = { leaf: this.#leafInMind() };
    if (this.#chance(0.65)) return 'home';
    this.#search();
    return 'search';
  }

  /** A viewed item now and then turns the mind to what goes with it. */
  #drift(leaf: number): void {
    const complements = this.world.complements[leaf]!;
    const next = this.#chance(0.25) && complements.length > 0 ? complements[Math.floor(this.#random() * complements.length)]! : leaf;
    this.#intent = { leaf: next };
  }

  #search(): void {
    this.#scene = 'search';
    this.#emit('search', -1, { query: this.world.leafNames[this.#intent.leaf]!.replace(/^.*\//, '').replaceAll('-', ' ') });
  }

  /** Shows a list. @returns the row clicked last, or −1 */
  #page(anchor: number): number {
    const rows = this.#list(anchor);
    const impression: ImpressionRecord = {
      kind: 'impression', at: this.#at, shopper: this.shopper.key, scene: this.#scene, region: this.shopper.region,
      ...(anchor >= 0 && { itemId: this.world.items[anchor]!.id }),
      items: rows.map((row) => this.world.items[row]!.id), clicked: [], carted: [], bought: [],
    };
    this.records.push(impression);
    this.#emit('view_item_list', -1);
    let clicked = -1;
    for (let position = 0; position < rows.length; position++) {
      const row = rows[position]!;
      this.#shown.set(row, impression);
      if (!this.#chance(examined(position))) continue;
      this.#pass(2);
      const appeal = utility(this.world, this.shopper, row, this.#intent, this.#at);
      if (appeal < -2 && this.#chance(0.01)) this.#emit('dismiss', row);
      if (!this.#chance(sigmoid(appeal - CLICK))) continue;
      impression.clicked.push(this.world.items[row]!.id);
      clicked = row;
      this.#engage(row, appeal);
      if (this.#chance(0.7)) break;
    }
    this.#pass(8);
    return clicked;
  }

  #list(anchor: number): number[] {
    const rows: number[] = [];
    for (let tries = 0; rows.length < LIST_LENGTH && tries < 3 * LIST_LENGTH; tries++) {
      const row = this.#candidate(anchor);
      if (row >= 0 && row !== anchor && this.world.publishedAt[row]! <= this.#at && !rows.includes(row)) rows.push(row);
    }
    return rows;
  }

  #candidate(anchor: number): number {
    const { world } = this;
    const [related, same, popular, fresh] = MIX[this.#scene];
    let draw = this.#random();
    if ((draw -= related) < 0) return this.#related(anchor >= 0 ? anchor : this.memory.cart.at(-1) ?? -1);
    if ((draw -= same) < 0) return drawPopular(world.shelves[this.#intent.leaf]!, this.#random);
    if ((draw -= popular) < 0) return drawPopular(world.everything, this.#random);
    if ((draw -= fresh) < 0) return drawNew(world, this.#at, this.#random);
    return drawAny(world.everything, this.#random);
  }

  /** Something that goes with an item, of its style if there is one in three draws. */
  #related(to: number): number {
    const { world } = this;
    const leaves = world.complements[to < 0 ? this.#intent.leaf : world.leaf[to]!]!;
    if (leaves.length === 0) return -1;
    const shelf = world.shelves[leaves[Math.floor(this.#random() * leaves.length)]!]!;
    let row = -1;
    for (let draw = 0; draw < 3; draw++) {
      row = drawPopular(shelf, this.#random);
      if (to < 0 || row < 0 || world.style[row] === world.style[to]) break;
    }
    return row;
  }

  #engage(row: number, appeal: number): void {
    const { memory, shopper, world } = this;
    this.#emit('select_item', row);
    this.#pass(1);
    this.#emit('view_item', row);
    this.#pass(25);
    const [like, share, comment] = GESTURES[shopper.role];
    if (this.#chance(like)) this.#emit('like', row);
    if (this.#chance(share)) this.#emit('share', row);
    if (this.#chance(comment)) this.#emit('comment', row);
    if (world.sellable[row] === 0 || memory.cart.includes(row)) return;
    const pull = appeal + shopper.impulse + 0.5 * world.quality[row]! - CART;
    if (this.#chance(sigmoid(pull))) {
      if (memory.cart.length === MEMORY.cart) memory.cart.shift();
      memory.cart.push(row);
      this.#emit('add_to_cart', row, this.#amount(row));
      this.#shown.get(row)?.carted.push(world.items[row]!.id);
    } else if (this.#chance(0.35 * sigmoid(pull + 1))) {
      this.#emit('add_to_wishlist', row);
    }
  }

  #checkOut(): void {
    const { memory, world } = this;
    this.#scene = 'cart';
    if (memory.cart.length > 1 && this.#chance(0.15)) {
      const removed = memory.cart.shift()!;
      this.#emit('remove_from_cart', removed);
    }
    this.#pass(40);
    this.#emit('begin_checkout', -1);
    this.#pass(60);
    for (const row of memory.cart) {
      this.#emit('purchase', row, this.#amount(row));
      this.#shown.get(row)?.bought.push(world.items[row]!.id);
      this.#own(row);
    }
    memory.cart = [];
    this.#scene = 'post_purchase';
    this.#pass(5);
    if (this.#chance(0.6)) this.#page(-1);
  }

  #own(row: number): void {
    const { memory, world } = this;
    const at = this.#at;
    if (world.usedUpDays[world.leaf[row]!]! > 0) {
      memory.owned = [...memory.owned.filter((owned) => owned.row !== row), { row, at }].slice(-MEMORY.owned);
    }
    const days = (2 + 8 * this.#random()) * DAY_MS;
    const reviews = this.shopper.role === 'reviewer' ? 0.5 : 0.08;
    const type: FollowUp['type'] | undefined = this.#chance(sigmoid(-3 - world.quality[row]!))
      ? 'refund'
      : this.#chance(reviews) ? 'review' : undefined;
    if (type !== undefined) memory.pending = [...memory.pending, { type, row, dueAt: at + days }].slice(-MEMORY.pending);
  }

  /** Refunds and reviews whose time has come are made on the next visit. */
  #followUp(): void {
    const due = this.memory.pending.filter(({ dueAt }) => dueAt <= this.#at);
    if (due.length === 0) return;
    this.memory.pending = this.memory.pending.filter(({ dueAt }) => dueAt > this.#at);
    for (const { type, row } of due) {
      this.#emit(type, row, type === 'refund' ? this.#amount(row) : {});
      this.#pass(20);
    }
  }

  #amount(row: number): Partial<ShopperEvent> {
    const { price = 0, currency = 'EUR' } = this.world.items[row]!;
    return { valueMinor: toMinor(price, currency), currency, quantity: 1 };
  }

  #emit(type: EventType, row: number, more: Partial<ShopperEvent> = {}): void {
    const event: ShopperEvent = {
      id: this.idPrefix + (this.memory.made++).toString(36), type, shopper: this.shopper.key, at: this.#at,
      ...(row >= 0 && { itemId: this.world.items[row]!.id }), ...more, context: this.contexts.get(this.#scene)!,
    };
    this.records.push({ kind: 'event', at: this.#at, event });
  }

  get #room(): string {
    return `room-${this.world.leafNames[this.#intent.leaf]!.replace(/\/.*$/, '')}`;
  }

  readonly #chance = (probability: number): boolean => this.#random() < probability;

  /** Lets an exponential time with this mean go by. */
  #pass(meanSeconds: number): void {
    this.#at += Math.ceil(-Math.log(1 - this.#random()) * meanSeconds * 1000) + 1;
  }
}
