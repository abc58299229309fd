import type { ShopperEvent } from '../domain/event.js';
import type { Item } from '../domain/item.js';
import type { Clock } from '../util/clock.js';
import { hash32 } from '../util/hash.js';
import { makeShoppers } from './shoppers.js';
import { makeStore, STORE } from './store.js';
import { visits } from './visits.js';
import { makeWorld } from './world.js';

const DAY_MS = 86_400_000;

/** What a first start of the demo store makes: about 50,000 events of 1,500 shoppers. */
export const DEMO = {
  seed: 20_26,
  items: STORE.items,
  shoppers: 1500,
  historyDays: 30,
  /** Most events in one call of `ingest`, and calls under way at once. */
  batchSize: 500,
  lanes: 4,
} as const;

/** What the store of the engine keeps of a seeding, so that a second start makes the very same ids or nothing at all. */
export interface DemoState {
  readonly seed: number;
  /** End of the history, ms. */
  readonly until: number;
  readonly done: boolean;
}

interface SeedOptions {
  readonly loadState: () => Promise<DemoState | undefined>;
  readonly saveState: (state: DemoState) => Promise<void>;
  readonly putItems: (items: readonly Item[]) => Promise<void>;
  readonly ingest: (events: readonly ShopperEvent[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: (message: string, details: Record<string, number>) => void;
}

/**
 * Fills an empty engine with the demo store and its shoppers' last 30 days: items first, then the history in order.
 * Idempotent: a finished seeding is not repeated, one cut short is taken up with the same ids, so that what was already
 * counted is not counted again.
 * @returns whether there was anything to do
 */
export async function seedDemo({ loadState, saveState, putItems, ingest, clock, log }: SeedOptions): Promise<boolean> {
  const state = (await loadState()) ?? { seed: DEMO.seed, until: clock(), done: false };
  if (state.done) return false;
  await saveState(state);
  const startedAt = clock();
  const items = makeStore({ seed: state.seed, items: DEMO.items, now: state.until });
  await putItems(items);
  const events = await ingestAll(historyOf(items, state), ingest);
  await saveState({ ...state, done: true });
  log('demo store is filled', { items: items.length, shoppers: DEMO.shoppers, events, ms: clock() - startedAt });
  return true;
}

/** The demo shoppers' events up to `until`, in time order. */
export function* historyOf(items: readonly Item[], { seed, until }: Pick<DemoState, 'seed' | 'until'>): Generator<ShopperEvent, void, undefined> {
  const span = { from: until - DEMO.historyDays * DAY_MS, to: until };
  const world = makeWorld(items, seed);
  const shoppers = makeShoppers({ seed, count: DEMO.shoppers, world, ...span });
  for (const record of visits({ seed, world, shoppers, ...span })) if (record.kind === 'event') yield record.event;
}

/**
 * Bounded streaming: a stretch of the history is made, dealt into lanes by shopper, and sent; so a shopper's events
 * arrive in order although the lanes run side by side. @returns how many events went out
 */
async function ingestAll(events: Iterable<ShopperEvent>, ingest: SeedOptions['ingest']): Promise<number> {
  let sent = 0;
  let lanes = emptyLanes();
  const send = async (): Promise<void> => {
    await Promise.all(lanes.filter((lane) => lane.length > 0).map(ingest));
    lanes = emptyLanes();
  };
  for (const event of events) {
    const lane = lanes[hash32(event.shopper) % DEMO.lanes]!;
    lane.push(event);
    sent += 1;
    if (lane.length === DEMO.batchSize) await send();
  }
  await send();
  return sent;
}

const emptyLanes = (): ShopperEvent[][] => Array.from({ length: DEMO.lanes }, () => []);
