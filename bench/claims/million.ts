import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reserveOf } from '../../src/domain/offer.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { startEngine } from '../../test/helpers/engine.js';
import { startRedis } from '../../test/helpers/redis.js';
import { ApiClient } from './api-client.js';
import { checkHistory, type Violation } from './check-history.js';
import { ClaimLoad, type LoadCounts } from './claim-load.js';
import { readFinalOffer } from './final-state.js';
import { HistoryFiles } from './history-files.js';
import { anOffer } from './offers.js';

export interface MillionSize {
  /** Claims to be made in all; as many segments are run as that takes. */
  readonly claims: number;
  readonly clients: number;
  readonly offersPerSegment: number;
  /** Claims that an offer may hand out. */
  readonly offerCount: number;
}

export interface MillionResult {
  readonly counts: LoadCounts;
  readonly segments: number;
  readonly offers: number;
  readonly seconds: number;
  readonly violations: readonly Violation[];
}

const SETTINGS = {
  PREFIX: 'claims:',
  apis: 2,
  /** Refusals of a used-up offer, as a share of what it handed out, before clients leave it alone. */
  refusalShare: 0.02,
} as const;

/**
 * Claims by many clients over two processes and one Redis until so many are made; offers are used up, by count or by money,
 * segment after segment. After each the store is read and the history checked, and the offers are taken away:
 * neither disk nor memory grows with the number of claims.
 */
export async function runMillion(size: MillionSize, seed: number, say: (line: string) => void): Promise<MillionResult> {
  const startedAt = performance.now();
  const server = await startRedis({ appendOnly: true });
  const stops: (() => Promise<void>)[] = [() => server.stop()];
  const total: MillionResult & { segments: number; offers: number; violations: Violation[] } = {
    counts: { requests: 0, made: 0, unknown: 0, unresolved: 0, refused: {} }, segments: 0, offers: 0, seconds: 0, violations: [],
  };
  try {
    const env = { KEY_PREFIX: SETTINGS.PREFIX, REDIS_TIMEOUT_MS: '5000', CLAIMS_PER_MINUTE: '' };
    const apis = await Promise.all(Array.from({ length: SETTINGS.apis }, async () => {
      const engine = await startEngine({ redis: server, env });
      const api = new ApiClient(engine.url, size.clients);
      stops.unshift(() => api.stop(), () => engine.stop());
      return api;
    }));
    while (total.counts.made < size.claims) {
      const { counts, violations } = await runSegment(size, server.url, apis, seed + total.segments);
      addCounts(total.counts, counts);
      total.segments += 1;
      total.offers += size.offersPerSegment;
      total.violations.push(...violations);
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      say(`segment ${total.segments}: ${total.counts.made} claims made in ${seconds} s, ${total.violations.length} violations`);
    }
    return { ...total, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    for (const stop of stops) await stop();
  }
}

async function runSegment(size: MillionSize, redisUrl: string, apis: readonly ApiClient[], seed: number): Promise<{ counts: LoadCounts; violations: Violation[] }> {
  const offers = Array.from({ length: size.offersPerSegment }, (_, i) => anOffer(`s${seed}-${i}`, size.offerCount, i));
  for (const offer of offers) await apis[0]!.launch(offer);
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-claims-'));
  const redis = connectRedis(redisUrl, 'commands', { timeoutMs: 60_000, name: 'checker' });
  try {
    const history = new HistoryFiles(folder);
    const load = new ClaimLoad({
      clients: size.clients, apis, history, seed, thinkMs: 0, refusalsMax: Math.ceil(size.offerCount * SETTINGS.refusalShare),
      offers: offers.map((offer) => ({ id: offer.id, reserveMinor: reserveOf(offer.terms), shoppers: offer.budget.count })),
    });
    await load.ended();
    await untilReady(redis, 10_000);
    const violations: Violation[] = [];
    const keys = makeKeys(SETTINGS.PREFIX);
    for (const { id } of offers) {
      violations.push(...checkHistory(await history.read(id), [await readFinalOffer(redis, keys, id)]));
      await redis.unlink(Object.values(keys.offer(id)));
      await redis.zrem(keys.openOffers, id);
    }
    return { counts: load.counts, violations };
  } finally {
    redis.disconnect();
    await rm(folder, { recursive: true, force: true });
  }
}

function addCounts(total: LoadCounts, { refused, ...more }: LoadCounts): void {
  for (const name of ['requests', 'made', 'unknown', 'unresolved'] as const) total[name] += more[name];
  for (const [reason, count] of Object.entries(refused)) total.refused[reason] = (total.refused[reason] ?? 0) + count;
}
