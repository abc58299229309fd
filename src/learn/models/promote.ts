import { USER_FEATURES } from '../../profile/vector.js';
import { ITEM_FEATURES } from '../../ranking/features.js';
import { checkModel } from '../../ranking/model-check.js';
import type { ModelRegistry } from '../../ranking/model-registry.js';
import { seededRandom } from '../../util/random.js';
import { compareModels, type Comparison } from './compare.js';
import { latestDay } from './judged-lists.js';
import { judgeByRule, type Verdict } from './rule.js';

const SEED = 1;

/** How a model stands against another one on the archive's latest day, by the rule. */
export interface Trial { readonly comparison: Comparison; readonly verdict: Verdict }

/**
 * Proves a model in a process of its own (hash, schema, golden scores, speed), then compares it on the archive's latest day.
 * @param since begin of the day, ms: nothing from then on may have been trained on
 * @throws AppError `model_refused`
 */
export async function tryModel(registry: ModelRegistry, label: string, archiveDir: string, options: { against?: string; since?: number } = {}): Promise<Trial> {
  const folder = await registry.find(label);
  await checkModel(folder, { userFeatures: USER_FEATURES, itemFeatures: ITEM_FEATURES });
  const serving = options.against === undefined ? await registry.servingFolder() : await registry.find(options.against);
  const { lists } = await latestDay(archiveDir, seededRandom(SEED), options.since);
  const comparison = await compareModels(serving, folder, lists, seededRandom(SEED));
  return { comparison, verdict: judgeByRule(comparison) };
}
