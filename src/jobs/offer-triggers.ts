import type { EventType, ShopperEvent } from '../domain/event.js';
import { currentProfile, type ProfileReader } from '../offers/current-profile.js';
import type { CartAbandonment, CartChange } from '../offers/cart-abandonment.js';
import { linesOf } from '../offers/price-drop.js';
import type { OfferStore } from '../redis/offer-store.js';
import type { Watch, WatcherStore } from '../redis/watcher-store.js';
import type { Clock } from '../util/clock.js';
import type { EventEntry, StreamHandler } from './streams.js';

const TRIGGER_LIMITS = {
  /** What was put there longer ago is not watched for its price, ms. */
  watchAgeMs: 90 * 86_400_000,
  /** Cart changes handled at once. */
  changesAtOnce: 100,
} as const;

const CART_CHANGES: ReadonlySet<EventType> = new Set(['add_to_cart', 'remove_from_cart', 'begin_checkout']);
const WATCH_STARTS: ReadonlySet<EventType> = new Set(['add_to_cart', 'add_to_wishlist']);
const WATCH_ENDS: ReadonlySet<EventType> = new Set(['remove_from_cart', 'purchase', 'dismiss']);

export interface OfferTriggersDeps {
  readonly carts: CartAbandonment;
  readonly watchers: WatcherStore;
  readonly offers: OfferStore;
  readonly profiles: ProfileReader;
  readonly clock: Clock;
}

/** What a batch of records comes to, per shopper the last word. */
interface Changes {
  readonly carts: Map<string, CartChange>;
  /** Item and shopper → watched or, without a time, perhaps no longer. */
  readonly watches: Map<string, Watch & { readonly isEnd: boolean }>;
  readonly erased: Set<string>;
  readonly merged: { readonly from: string; readonly to: string; readonly at: number }[];
}

/** Behind the event stream: starts what may become an offer. Every step can be repeated. */
export class OfferTriggers implements StreamHandler {
  readonly name = 'triggers';
  readonly attemptsMax = 10;
  readonly #deps: OfferTriggersDeps;

  constructor(deps: OfferTriggersDeps) {
    this.#deps = deps;
  }

  async handle(entries: readonly EventEntry[]): Promise<void> {
    const { carts, watchers, offers } = this.#deps;
    const changes = this.#sum(entries);
    for (const shopper of changes.erased) await Promise.all([watchers.forget(shopper), offers.forget(shopper)]);
    for (const { from, to, at } of changes.merged) await watchers.move(from, to, at);
    const changed = [...changes.carts.values()];
    for (let from = 0; from < changed.length; from += TRIGGER_LIMITS.changesAtOnce) {
      await Promise.all(changed.slice(from, from + TRIGGER_LIMITS.changesAtOnce).map((change) => carts.changed(change)));
    }
    const watches = [...changes.watches.values()];
    const ended = await this.#ended(watches.filter((watch) => watch.isEnd));
    await watchers.watch(watches.filter((watch) => !ended.has(watch)));
    await watchers.unwatch([...ended]);
  }

  #sum(entries: readonly EventEntry[]): Changes {
    const changes: Changes = { carts: new Map(), watches: new Map(), erased: new Set(), merged: [] };
    const oldest = this.#deps.clock() - TRIGGER_LIMITS.watchAgeMs;
    for (const { record } of entries) {
      if (record.type === 'erase') forget(changes, record.shopper);
      else if (record.type === 'alias') changes.merged.push({ from: record.from, to: record.shopper, at: record.at });
      else if (record.type !== 'portrait') note(changes, record, oldest);
    }
    return changes;
  }

  /** What left the cart may still be on the wishlist, and the other way round: the profile knows. */
  async #ended(perhaps: readonly Watch[]): Promise<Set<Watch>> {
    const shoppers = [...new Set(perhaps.map(({ shopper }) => shopper))];
    const profiles = new Map(await Promise.all(shoppers.map(async (shopper) =>
      [shopper, await currentProfile(this.#deps.profiles, shopper)] as const)));
    return new Set(perhaps.filter(({ shopper, itemId }) => {
      const profile = profiles.get(shopper)?.profile;
      return profile === undefined || linesOf(profile, itemId).length === 0;
    }));
  }
}

function note(changes: Changes, event: ShopperEvent, oldest: number): void {
  const { type, shopper, itemId, at } = event;
  if (CART_CHANGES.has(type)) {
    const known = changes.carts.get(shopper);
    const item = type === 'add_to_cart' ? itemId ?? known?.itemId : known?.itemId;
    if (known === undefined || at >= known.at) changes.carts.set(shopper, { shopper, at, itemId: item });
  }
  if (itemId === undefined || at < oldest) return;
  const isEnd = WATCH_ENDS.has(type);
  if (isEnd || WATCH_STARTS.has(type)) changes.watches.set(`${itemId}\n${shopper}`, { shopper, itemId, at, isEnd });
}

/** Drops what the batch said of a shopper before they were erased. */
function forget(changes: Changes, shopper: string): void {
  changes.erased.add(shopper);
  changes.carts.delete(shopper);
  for (const [key, watch] of changes.watches) if (watch.shopper === shopper) changes.watches.delete(key);
}
