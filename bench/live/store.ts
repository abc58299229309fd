import { pause } from '../../src/util/pause.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { makeStore } from '../../src/demo/store.js';
import { foldHistories, putItems, writeProfiles, PREFIX } from '../store.js';
import { itemId } from '../workloads.js';
import type { LiveFleet } from './fleet.js';

export interface StoreSize {
  /** Viewers with a profile: the users s0, s1, … */
  readonly viewers: number;
  /** Histories behind the profiles; each serves several viewers. */
  readonly histories: number;
  readonly items: number;
}

const SEED = 11;
const KEYS = makeKeys(PREFIX);
/** Time in which every process has heard of what an operator changed, ms. */
const HEARD_MS = 2500;

/** Items over HTTP, and profiles of different pasts as the engine itself would have made them. */
export async function fillLiveStore(fleet: LiveFleet, { viewers, histories, items }: StoreSize): Promise<void> {
  const now = Date.now();
  const goods = makeStore({ seed: SEED, items, now });
  await putItems(fleet.engine.url, goods);
  const { profiles } = foldHistories(goods, histories, now);
  const redis = connectRedis(fleet.redis.url, 'commands', { timeoutMs: 30_000, name: 'bench' });
  await untilReady(redis, 10_000);
  await writeProfiles(redis, KEYS, profiles, viewers);
  redis.disconnect();
}

/** Opens a room with some products; every process knows it when this resolves. */
export async function openRoom(fleet: Pick<LiveFleet, 'ask'>, id: string): Promise<void> {
  await fleet.ask('POST', '/v1/rooms', { id, title: id, host: { id: 'host', name: 'Host' }, category: ['Live'], products: Array.from({ length: 10 }, (_, index) => itemId(index)), access: 'public' });
  await fleet.ask('POST', `/v1/rooms/${id}/open`);
  await pause(HEARD_MS);
}

/** Drafts and activates offers; every process knows them when this resolves. */
export async function launchOffers(fleet: Pick<LiveFleet, 'ask'>, offers: readonly { readonly id: string }[]): Promise<void> {
  for (const offer of offers) {
    await fleet.ask('POST', '/v1/offers', offer);
    await fleet.ask('POST', `/v1/offers/${offer.id}/activate`);
  }
  await pause(HEARD_MS);
}
