import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { StatisticsBuilder } from '../src/candidates/build-statistics.js';
import { Catalog } from '../src/catalog/catalog.js';
import { makeShoppers } from '../src/demo/shoppers.js';
import { makeStore } from '../src/demo/store.js';
import { visits } from '../src/demo/visits.js';
import { makeWorld } from '../src/demo/world.js';
import type { Item } from '../src/domain/item.js';
import { encodeProfile, TOKEN_BYTES } from '../src/profile/codec.js';
import { fold } from '../src/profile/fold.js';
import { emptyProfile, type Profile } from '../src/profile/profile.js';
import { connectRedis, untilReady, type RedisClient } from '../src/redis/client.js';
import { makeKeys, type Keys } from '../src/redis/keys.js';
import { StatisticsStore } from '../src/redis/statistics-store.js';
import type { Engine } from '../test/helpers/engine.js';
import { putOffers } from './offers.js';
import { CANDIDATES, type Size } from './sizes.js';
import { shopperId } from './workloads.js';

const SEED = 11;
const HISTORY_DAYS = 45;
const DAY_MS = 86_400_000;
/** Histories that the neighbour and popularity indexes are built from. */
const STATISTICS_HISTORIES = 6000;
const WRITES_AT_ONCE = 1000;
const VISIBLE_MS_MAX = 60_000;
export const PREFIX = 'rivulet:';

export interface StoreFacts {
  readonly items: number;
  readonly profiles: number;
  /** Of the encoded values. */
  readonly profileBytesMedian: number;
  readonly historyEvents: number;
  readonly seconds: number;
}

/** Fills the engine: items over HTTP, profiles and statistics as the engine itself would have made them. */
export async function fillStore(engine: Engine, size: Size, now: number): Promise<StoreFacts> {
  const startedAt = performance.now();
  const redis = connectRedis(engine.redis.url, 'commands', { timeoutMs: 30_000, name: 'bench' });
  await untilReady(redis, 10_000);
  const keys = makeKeys(PREFIX);
  const items = makeStore({ seed: SEED, items: size.items, now });
  await putItems(engine.url, items);
  const { profiles, statistics, events } = foldHistories(items, size.histories, now);
  const sizes = await writeProfiles(redis, keys, profiles, size.profiles);
  await new StatisticsStore(redis, keys).write(statistics.build(), Date.now);
  await untilServing(engine.url, size);
  await putOffers(engine.url, size.items, now);
  await putCampaign(engine.url);
  redis.disconnect();
  return {
    items: items.length, profiles: size.profiles, profileBytesMedian: sizes.toSorted((a, b) => a - b)[sizes.length >> 1]!,
    historyEvents: events, seconds: Math.round((performance.now() - startedAt) / 100) / 10,
  };
}

/** Empties the streams that a run has filled, so that every load finds the same store. */
export async function trimStreams(engine: Engine): Promise<void> {
  const redis = connectRedis(engine.redis.url, 'commands', { timeoutMs: 30_000, name: 'bench' });
  await untilReady(redis, 10_000);
  const keys = makeKeys(PREFIX);
  await Promise.all(Array.from({ length: 64 }, (_, partition) => [keys.events(partition), keys.impressions(partition), keys.decisions(partition)])
    .flat().map((stream) => redis.xtrim(stream, 'MAXLEN', 0)));
  redis.disconnect();
}

/** Puts items in over HTTP and makes sure that all were taken. */
export async function putItems(url: string, items: readonly Item[]): Promise<void> {
  const body = items.map((item) => JSON.stringify(item)).join('\n');
  const reply = await fetch(`${url}/v1/items`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body });
  const report = await reply.json() as { accepted?: number };
  if (report.accepted !== items.length) throw new Error(`The engine took ${report.accepted ?? 'none'} of ${items.length} items: ${JSON.stringify(report).slice(0, 500)}`);
}

/** A campaign that answers an event at once: see `PushLoad`. */
async function putCampaign(url: string): Promise<void> {
  const path = `${url}/v1/campaigns/bench`;
  const campaign = { title: 'Thanks', trigger: { on: 'event', types: ['send_gift'] }, steps: [{ afterS: 0, message: { title: 'Thank you: 5 % off', percentOff: 5 } }] };
  const put = await fetch(path, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(campaign) });
  const activated = await fetch(`${path}/activate`, { method: 'POST' });
  if (!put.ok || !activated.ok) throw new Error(`The engine did not take the campaign: ${put.status}, ${activated.status}`);
  // Every process knows it within a second.
  await pause(1500);
}

/** Profiles of simulated shoppers with any history, and statistics of some of them. */
export function foldHistories(items: readonly Item[], count: number, now: number): { profiles: Profile[]; statistics: StatisticsBuilder; events: number } {
  const catalog = new Catalog();
  for (const item of items) catalog.put(item);
  const span = { from: now - HISTORY_DAYS * DAY_MS, to: now };
  const world = makeWorld(items, SEED);
  const shoppers = makeShoppers({ seed: SEED, count, world, ...span });
  const indexOf = new Map(shoppers.map(({ key, index }) => [key, index]));
  const profiles = shoppers.map(emptyProfile);
  const statistics = new StatisticsBuilder();
  let events = 0;
  for (const record of visits({ seed: SEED, world, shoppers, ...span })) {
    if (record.kind !== 'event') continue;
    const { event } = record;
    const index = indexOf.get(event.shopper)!;
    fold(profiles[index]!, event, event.itemId === undefined ? undefined : catalog.facts(event.itemId));
    if (index < STATISTICS_HISTORIES) statistics.add(event);
    events += 1;
  }
  return { profiles: profiles.filter((profile) => profile.events > 0), statistics, events };
}

/** Writes shoppers s0, s1, …, each with one of the histories. @returns the sizes of the values, bytes */
export async function writeProfiles(redis: RedisClient, keys: Keys, profiles: readonly Profile[], count: number): Promise<number[]> {
  const values = profiles.map((profile) => encodeProfile(profile, randomBytes(TOKEN_BYTES)));
  const sizes: number[] = [];
  for (let from = 0; from < count; from += WRITES_AT_ONCE) {
    const pipeline = redis.pipeline();
    for (let index = from; index < Math.min(count, from + WRITES_AT_ONCE); index++) {
      const value = Buffer.from(values[index % values.length]!);
      randomBytes(TOKEN_BYTES).copy(value);
      pipeline.set(keys.profile(`u:${shopperId(index)}`), value);
      sizes.push(value.length);
    }
    await pipeline.exec();
  }
  return sizes;
}

/** Waits until lists are full ones: all items there, the model in service, neighbours among the sources. */
async function untilServing(url: string, size: Size): Promise<void> {
  const deadline = Date.now() + VISIBLE_MS_MAX;
  let seen = '';
  for (let index = 0; Date.now() < deadline; index++) {
    const reply = await fetch(`${url}/v1/recommendations`, {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userId: shopperId(index % size.profiles), scene: 'home', limit: 50, explain: true }),
    });
    const list = await reply.json() as { degraded?: string[]; explain?: { candidates: number; catalogItems: number }; items?: { explain: { sources: string[] } }[] };
    const hasNeighbors = list.items?.some((item) => item.explain.sources.includes('neighbors')) === true;
    if (list.degraded === undefined && list.explain?.candidates === CANDIDATES && list.explain.catalogItems === size.items && hasNeighbors) return;
    seen = JSON.stringify({ status: reply.status, degraded: list.degraded, candidates: list.explain?.candidates, items: list.explain?.catalogItems, hasNeighbors });
    await pause(100);
  }
  throw new Error(`After ${VISIBLE_MS_MAX} ms the engine still does not serve full lists: ${seen}`);
}
