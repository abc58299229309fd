import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { makeKeys, type Keys } from '../../src/redis/keys.js';
import { pause } from '../../src/util/pause.js';
import { checkHistory, type Rule } from './check-history.js';
import { readFinalOffer } from './final-state.js';
import { FLEET } from './fleet.js';
import type { FinalOffer } from './history.js';
import type { HistoryFiles } from './history-files.js';

/** What is wrong: with the history, or with what the worker was to do behind it. */
export interface Violation {
  readonly rule: Rule | 'left_undone' | 'not_in_wallet';
  readonly offer: string;
  readonly what: string;
}

const JUDGE = {
  /** The worker gets this long to follow and to sweep, ms: a killed one's lease has to run out first. */
  worksMs: 60_000,
  /** What is due before then is waited for; all other claims stand for a day, ms. */
  soonMs: 10_000,
  redisMs: 10_000,
} as const;

/** Lets the worker finish with offers that nobody claims any more, compares what clients were told with what the store has, and removes them. */
export async function judge(redisUrl: string, history: HistoryFiles, ids: readonly string[]): Promise<Violation[]> {
  const redis = connectRedis(redisUrl, 'commands', { timeoutMs: JUDGE.redisMs, name: 'judge' });
  const keys = makeKeys(FLEET.prefix);
  try {
    await untilReady(redis, JUDGE.redisMs);
    const violations: Violation[] = [];
    for (const id of ids) {
      if (!(await isAllDone(redis, keys, id))) violations.push({ rule: 'left_undone', offer: id, what: `claims are not followed or not swept after ${JUDGE.worksMs} ms` });
      const offer = await readFinalOffer(redis, keys, id);
      violations.push(...checkHistory(await history.read(id), [offer]), ...await checkWallets(redis, keys, offer));
      await redis.zrem(keys.openOffers, id);
      await redis.unlink(Object.values(keys.offer(id)));
    }
    return violations;
  } finally {
    redis.disconnect();
  }
}

/** Waits until the worker has followed all that was claimed and has swept what was about to expire: nothing changes any more. */
async function isAllDone(redis: RedisClient, keys: Keys, id: string): Promise<boolean> {
  const { ledger, due } = keys.offer(id);
  const deadline = Date.now() + JUDGE.worksMs;
  while (Date.now() < deadline) {
    if (await redis.xlen(ledger) === 0 && await redis.zcount(due, '-inf', Date.now() + JUDGE.soonMs) === 0) return true;
    await pause(50);
  }
  return false;
}

/** Every claim is in its shopper's wallet, whoever died before it was written. */
async function checkWallets(redis: RedisClient, keys: Keys, { id, claims }: FinalOffer): Promise<Violation[]> {
  const scores = await Promise.all(claims.map((claim) => redis.zscore(keys.wallet(claim.shopper), claim.id)));
  return claims.filter((_, i) => scores[i] === null).map((claim) => ({ rule: 'not_in_wallet', offer: id, what: `${claim.id} of ${claim.shopper}` }));
}
