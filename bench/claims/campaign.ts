import { FAULTS, planOf } from './fault-plan.js';
import { runFault, type FaultResult } from './fault-run.js';
import { FLEET, Fleet } from './fleet.js';

export interface CampaignOptions {
  /** Called after each run. */
  readonly onRun?: (result: FaultResult) => void;
  /** Replicas that the engine waits for where there is one. With 0, promoted replicas forget: the checker must see it. Default 1. */
  readonly waitReplicas?: number;
}

/** Runs the plans of seeds one after the other, those without a replica first. */
export async function runCampaign(seeds: readonly number[], { onRun, waitReplicas = 1 }: CampaignOptions = {}): Promise<FaultResult[]> {
  const plans = seeds.map((seed) => planOf(seed, FLEET.apis));
  const results: FaultResult[] = [];
  for (const isReplicated of [false, true]) {
    const chosen = plans.filter(({ fault }) => FAULTS[fault].isReplicated === isReplicated);
    if (chosen.length === 0) continue;
    const fleet = await Fleet.start({ isReplicated, waitReplicas: isReplicated ? waitReplicas : 0 });
    try {
      for (const plan of chosen) {
        const result = await runFault(fleet, plan);
        results.push(result);
        onRun?.(result);
      }
    } finally {
      await fleet.stop();
    }
  }
  return results;
}
