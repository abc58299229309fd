import type { Offer, OfferInput } from '../../src/domain/offer.js';
import { codeSource } from '../../src/domain/claim-code.js';
import { ClaimStore } from '../../src/redis/claim-store.js';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { makeKeys, type Keys } from '../../src/redis/keys.js';
import { OfferBookStore } from '../../src/redis/offer-book-store.js';
import { startRedis } from '../../test/helpers/redis.js';

/** Rounds that are not counted. */
const WARMUP_ROUNDS = 1;

export interface ThroughputSize {
  readonly rounds: number;
  /** Of each of the two in a round. */
  readonly calls: number;
  /** Calls under way at once. */
  readonly lanes: number;
}

export interface Throughput {
  /** Medians over the rounds, calls a second. */
  readonly claims: number;
  readonly noop: number;
  /** Median of the rounds' ratios. */
  readonly ratio: number;
  /** CPU time of Redis and its client for a script that does nothing, over that for a claim: what other work on the machine changes least. */
  readonly cpuRatio: number;
}

/** As long as the arguments and the reply of a claim are. */
const REQUEST = (n: number): string => `1700000000000\n${'0'.repeat(32)}\n${'0'.repeat(25)}\nkey-${String(n).padStart(12, '0')}\n\n\nu:shopper-${String(n).padStart(8, '0')}`;
const OFFER: OfferInput = {
  id: 'throughput', title: 'Throughput', terms: { kind: 'fixed', saveMinor: 100 }, window: { startsAt: 0, endsAt: 8e15 },
  budget: { moneyMinor: 1e11, count: 1e9 }, marginMinor: 0,
};

interface Noop { claimNoop(state: string, ledger: string, due: string, request: string, flags: string): Promise<number> }

/**
 * Claims beside a script that does nothing, with the same keys and arguments as long, over the same connection and as many
 * under way at once; in turn, and every other round the other way round. Redis keeps an append-only file, as the engine's own does.
 */
export async function measureThroughput({ rounds, calls, lanes }: ThroughputSize): Promise<Throughput> {
  const server = await startRedis({ appendOnly: true });
  const redis = connectRedis(server.url, 'commands', { timeoutMs: 60_000, name: 'throughput' });
  try {
    await untilReady(redis, 10_000);
    const keys = makeKeys('bench:');
    const callClaim = await claimer(redis, keys);
    const callNoop = nooper(redis, keys);
    const measure = (call: (n: number) => Promise<unknown>, round: number): Promise<Sample> => sample(redis, call, round * calls, calls, lanes);
    const claims: Sample[] = [];
    const noop: Sample[] = [];
    for (let round = 0; round <= rounds; round++) {
      const turns = [async () => { claims.push(await measure(callClaim, round)); }, async () => { noop.push(await measure(callNoop, round)); }];
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    }
    return compare(claims.slice(WARMUP_ROUNDS), noop.slice(WARMUP_ROUNDS));
  } finally {
    redis.disconnect();
    await server.stop();
  }
}

async function claimer(redis: RedisClient, keys: Keys): Promise<(n: number) => Promise<void>> {
  const offer: Offer = { ...OFFER, status: 'active', version: 1, createdAt: 0, updatedAt: 0 };
  await new OfferBookStore(redis, keys).write(offer, { at: 0, by: 'bench', action: 'create', version: 1, changes: {} });
  const store = new ClaimStore(redis, keys, codeSource());
  return async (n) => {
    const outcome = await store.claim({
      offerId: OFFER.id, kind: 'fixed', key: `key-${String(n).padStart(12, '0')}`, shopper: `u:shopper-${String(n).padStart(8, '0')}`, isEligible: true, at: Date.now(),
    });
    if (!('claim' in outcome) || !outcome.isNew) throw new Error(`Claim ${n} was not made: ${JSON.stringify(outcome)}`);
  };
}

function nooper(redis: RedisClient, keys: Keys): (n: number) => Promise<unknown> {
  redis.defineCommand('claimNoop', { numberOfKeys: 3, lua: 'return 1' });
  const scripts = redis as unknown as Noop;
  return (n) => {
    const { state, ledger, due } = keys.offer(OFFER.id);
    return scripts.claimNoop(state, ledger, due, REQUEST(n), '');
  };
}

interface Sample { readonly perSecond: number; readonly cpuSeconds: number }

function compare(claims: readonly Sample[], noop: readonly Sample[]): Throughput {
  const perSecond = (samples: readonly Sample[]): number => median(samples.map((one) => one.perSecond));
  return {
    claims: perSecond(claims), noop: perSecond(noop), ratio: median(claims.map((one, i) => one.perSecond / noop[i]!.perSecond)),
    cpuRatio: median(claims.map((one, i) => noop[i]!.cpuSeconds / one.cpuSeconds)),
  };
}

async function sample(redis: RedisClient, call: (n: number) => Promise<unknown>, from: number, calls: number, lanes: number): Promise<Sample> {
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + calls) await call(next++);
  };
  const cpuBefore = await cpuSeconds(redis);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: lanes }, lane));
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: calls / seconds, cpuSeconds: await cpuSeconds(redis) - cpuBefore };
}

/** Of Redis and of this process so far. */
async function cpuSeconds(redis: RedisClient): Promise<number> {
  const info = await redis.info('cpu');
  const ofRedis = [...info.matchAll(/^used_cpu_(?:user|sys):(\S+)/gmu)].reduce((sum, [, value]) => sum + Number(value), 0);
  const { user, system } = process.cpuUsage();
  return ofRedis + (user + system) / 1e6;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
