import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { reserveOf } from '../../src/domain/offer.js';
import { makeKeys, type Keys } from '../../src/redis/keys.js';
import { pause } from '../../src/util/pause.js';
import { checkHistory, type Rule } from './check-history.js';
import { ClaimLoad, type LoadCounts } from './claim-load.js';
import type { Fault, FaultPlan } from './fault-plan.js';
import { readFinalOffer } from './final-state.js';
import { FLEET, type Fleet } from './fleet.js';
import type { FinalOffer } from './history.js';
import { HistoryFiles } from './history-files.js';

/** What is wrong: with the history, or with what the worker was to do behind it. */
export interface Violation {
  readonly rule: Rule | 'left_undone' | 'not_in_wallet';
  readonly offer: string;
  readonly what: string;
}

export interface FaultResult {
  readonly plan: FaultPlan;
  readonly counts: LoadCounts;
  readonly violations: readonly Violation[];
  /** Where the history is; only of a run with violations. */
  readonly folder?: string;
}

const RUN = {
  clients: 64, thinkMs: 30,
  /** The worker gets this long to follow and to sweep, ms: a killed one's lease has to run out first. */
  worksMs: 60_000,
  /** What is due before then is waited for; all other claims stand for a day, ms. */
  soonMs: 10_000,
} as const;

/** Befalls the fleet, and is over when this resolves. */
const INFLICT: Readonly<Record<Fault, (fleet: Fleet, plan: FaultPlan) => Promise<void>>> = {
  async api_killed(fleet, { api, lastsMs }) {
    await fleet.api(api).kill('SIGKILL');
    await pause(lastsMs);
    await fleet.restartApi(api);
  },
  async worker_killed(fleet, { lastsMs }) {
    await fleet.killWorker();
    await pause(lastsMs);
    await fleet.restartWorker();
  },
  async redis_killed(fleet, { lastsMs }) {
    await fleet.redis.kill('SIGKILL');
    await pause(lastsMs);
    await fleet.redis.restart();
  },
  async api_paused(fleet, { api, lastsMs }) {
    await fleet.api(api).kill('SIGSTOP');
    await pause(lastsMs);
    await fleet.api(api).kill('SIGCONT');
  },
  async redis_paused(fleet, { lastsMs }) {
    await fleet.redis.kill('SIGSTOP');
    await pause(lastsMs);
    await fleet.redis.kill('SIGCONT');
  },
  async replies_lost(fleet, { lastsMs }) {
    fleet.proxy.weather = { kind: 'lost_replies' };
    await pause(lastsMs);
    fleet.proxy.weather = { kind: 'clear' };
  },
  async replies_late(fleet, { lastsMs, lateMs }) {
    fleet.proxy.weather = { kind: 'late_replies', ms: lateMs };
    await pause(lastsMs);
    fleet.proxy.weather = { kind: 'clear' };
  },
  async connections_cut(fleet, { lastsMs, lateMs }) {
    for (let passed = 0; passed < lastsMs; passed += lateMs / 2) {
      fleet.proxy.cut();
      await pause(lateMs / 2);
    }
  },
  async master_killed(fleet, { lastsMs }) {
    await fleet.redis.kill('SIGKILL');
    await pause(lastsMs);
    await fleet.promote();
  },
  async replica_parted(fleet, { lastsMs }) {
    fleet.link.weather = { kind: 'parted' };
    await pause(lastsMs);
    await fleet.promote();
  },
};

/** One run: offers, clients, the fault, calm, what the store has then, and the verdict on it all. */
export async function runFault(fleet: Fleet, plan: FaultPlan): Promise<FaultResult> {
  const { offers, seed } = plan;
  await Promise.all(offers.map((offer) => fleet.apis[0]!.launch(offer)));
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-claims-'));
  const history = new HistoryFiles(folder);
  const load = new ClaimLoad({
    clients: RUN.clients, apis: fleet.apis, history, seed, refusalsMax: Infinity, thinkMs: RUN.thinkMs,
    offers: offers.map((offer) => ({ id: offer.id, reserveMinor: reserveOf(offer.terms), shoppers: offer.budget.count })),
  });
  await pause(plan.beginsMs);
  await INFLICT[plan.fault](fleet, plan);
  await pause(plan.calmMs);
  await load.stop();
  const violations = await judge(fleet, history, offers.map(({ id }) => id));
  if (violations.length > 0) return { plan, counts: load.counts, violations, folder };
  await rm(folder, { recursive: true });
  return { plan, counts: load.counts, violations };
}

async function judge(fleet: Fleet, history: HistoryFiles, ids: readonly string[]): Promise<Violation[]> {
  const redis = new Redis(fleet.redis.url);
  const keys = makeKeys(FLEET.prefix);
  try {
    const violations: Violation[] = [];
    for (const id of ids) {
      if (!(await isAllDone(redis, keys, id))) violations.push({ rule: 'left_undone', offer: id, what: `claims are not followed or not swept after ${RUN.worksMs} ms` });
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
async function isAllDone(redis: Redis, keys: Keys, id: string): Promise<boolean> {
  const { ledger, due } = keys.offer(id);
  const deadline = Date.now() + RUN.worksMs;
  while (Date.now() < deadline) {
    if (await redis.xlen(ledger) === 0 && await redis.zcount(due, '-inf', Date.now() + RUN.soonMs) === 0) return true;
    await pause(50);
  }
  return false;
}

/** Every claim is in its shopper's wallet, whoever died before it was written. */
async function checkWallets(redis: Redis, keys: Keys, { id, claims }: FinalOffer): Promise<Violation[]> {
  const scores = await Promise.all(claims.map((claim) => redis.zscore(keys.wallet(claim.shopper), claim.id)));
  return claims.filter((_, i) => scores[i] === null).map((claim) => ({ rule: 'not_in_wallet', offer: id, what: `${claim.id} of ${claim.shopper}` }));
}
