import type { Random } from '../src/util/random.js';
import { BATCH_EVENTS, LIST_LIMIT } from './sizes.js';

/** What is asked of the engine, as bodies of requests. */
export interface Workload {
  readonly path: string;
  readonly body: () => string;
  /** A reply of 200 that holds this is counted as a failure. */
  readonly badSign: string | undefined;
}

export interface WorkloadOptions {
  readonly items: number;
  readonly profiles: number;
  /** New for each load, so that no event id comes twice. */
  readonly run: string;
  readonly random: Random;
}

export const WORKLOADS = ['floor', 'recommend', 'decide', 'events', 'eventsBatch', 'page'] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

/** Shoppers of the benchmark's store are the users s0, s1, …; its items those of the demo store. */
export const shopperId = (index: number): string => `s${index}`;
export const itemId = (index: number): string => `sku-${String(index + 1).padStart(5, '0')}`;

export function makeWorkload(name: WorkloadName, { items, profiles, run, random }: WorkloadOptions): Workload {
  const anyShopper = (): string => shopperId(Math.floor(random() * profiles));
  const anyItem = (): string => itemId(Math.floor(random() * items));
  let count = 0;
  const anyEvent = (): string => {
    const type = EVENT_MIX[Math.floor(random() * EVENT_MIX.length)]!;
    return `{"id":"${run}-${(count++).toString(36)}","type":"${type}","userId":"${anyShopper()}","itemId":"${anyItem()}","timestamp":${Date.now()},"context":{"region":"north","scene":"home"}}`;
  };
  /** Half of the pages are the home page, half an item's. */
  const anyPage = (): string => (random() < 0.5 ? '"scene":"home"' : `"scene":"product","itemId":"${anyItem()}"`);
  const list = (): string => `{"userId":"${anyShopper()}",${anyPage()},"limit":${LIST_LIMIT}}`;
  const page = (): string => {
    const item = anyItem();
    const event = `{"id":"${run}-${(count++).toString(36)}","type":"view_item","itemId":"${item}"}`;
    return `{"userId":"${anyShopper()}","scene":"product","itemId":"${item}","limit":${LIST_LIMIT},"events":[${event}]}`;
  };
  const workloads: Readonly<Record<WorkloadName, Workload>> = {
    floor: { path: '/floor', badSign: undefined, body: list },
    recommend: { path: '/v1/recommendations', badSign: '"degraded"', body: list },
    decide: { path: '/v1/decisions', badSign: '"degraded":["', body: () => `{"userId":"${anyShopper()}",${anyPage()}}` },
    events: { path: '/v1/events', badSign: '"accepted":0', body: () => `{"events":[${anyEvent()}]}` },
    eventsBatch: { path: '/v1/events', badSign: '"index"', body: () => `{"events":[${Array.from({ length: BATCH_EVENTS }, anyEvent).join(',')}]}` },
    page: { path: '/v1/recommendations', badSign: '"degraded"', body: page },
  };
  return workloads[name];
}

/** Mostly views, as in shops. */
const EVENT_MIX = [
  'view_item', 'view_item', 'view_item', 'view_item', 'view_item', 'view_item', 'select_item', 'select_item', 'add_to_wishlist', 'add_to_cart', 'add_to_cart', 'purchase',
] as const;
