import { FAULTS, planOf, type FaultPlan } from './fault-plan.js';
import { runFault, type FaultResult } from './fault-run.js';
import { FLEET, Fleet } from './fleet.js';

export interface CampaignOptions {
  /** Called after each run. */
  readonly onRun?: (result: FaultResult) => void;
  /** Called for a run that could not be brought to an end and is made again. */
  readonly onTrouble?: (plan: FaultPlan, error: unknown) => void;
  /** Replicas that the engine waits for where there is one. With 0, promoted replicas forget: the checker must see it. Default 1. */
  readonly waitReplicas?: number;
}

/** Runs the plans of seeds one after the other, those without a replica first. */
export async function runCampaign(seeds: readonly number[], { onRun, onTrouble, waitReplicas = 1 }: CampaignOptions = {}): Promise<FaultResult[]> {
  const plans = seeds.map((seed) => planOf(seed, FLEET.apis));
  const results: FaultResult[] = [];
  for (const isReplicated of [false, true]) {
    const chosen = plans.filter(({ fault }) => FAULTS[fault].isReplicated === isReplicated);
    if (chosen.length === 0) continue;
    const start = (): Promise<Fleet> => Fleet.start({ isReplicated, waitReplicas: isReplicated ? waitReplicas : 0 });
    let fleet = await start();
    try {
      for (const plan of chosen) {
        const result = await runFault(fleet, plan).catch(async (error: unknown) => {
          // A process or a Redis that does not come up again on a busy machine proves nothing: once more, on new ones.
          onTrouble?.(plan, error);
          await fleet.stop();
          fleet = await start();
          return await runFault(fleet, plan);
        });
        results.push(result);
        onRun?.(result);
      }
    } finally {
      await fleet.stop();
    }
  }
  return results;
}
