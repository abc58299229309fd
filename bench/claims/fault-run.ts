import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reserveOf } from '../../src/domain/offer.js';
import { pause } from '../../src/util/pause.js';
import { ClaimLoad, type LoadCounts } from './claim-load.js';
import type { Fault, FaultPlan } from './fault-plan.js';
import type { Fleet } from './fleet.js';
import { HistoryFiles } from './history-files.js';
import { judge, type Violation } from './judge.js';

export interface FaultResult {
  readonly plan: FaultPlan;
  readonly counts: LoadCounts;
  readonly violations: readonly Violation[];
  /** Where the history is; only of a run with violations. */
  readonly folder?: string;
}

const RUN = {
  clients: 64, thinkMs: 30,
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
  const violations = await judge(fleet.redis.url, history, offers.map(({ id }) => id));
  if (violations.length > 0) return { plan, counts: load.counts, violations, folder };
  await rm(folder, { recursive: true });
  return { plan, counts: load.counts, violations };
}
