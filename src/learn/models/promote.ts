import { ENGINE_FEATURES } from '../../ranking/features.js';
import { readManifest } from '../../ranking/manifest.js';
import { checkModel } from '../../ranking/model-check.js';
import type { ModelRegistry } from '../../ranking/model-registry.js';
import { seededRandom } from '../../util/random.js';
import { compareModels, type Comparison } from './compare.js';
import { rebuildImpressions } from '../skew/rebuild.js';
import { impressionKey, latestDay, toVectors, type JudgedList } from './judged-lists.js';
import type { DeedValues } from '../ranker/lists.js';
import { judgeByRule, type Verdict } from './rule.js';

const SEED = 1;

/** How a model stands against another one on the archive's latest day, by the rule. */
export interface Trial { readonly comparison: Comparison; readonly verdict: Verdict }

/**
 * Proves a model in a process of its own (hash, schema, golden scores, speed), then compares it on the archive's latest day.
 * @param since begin of the day, ms: nothing from then on may have been trained on
 * @throws AppError `model_refused`
 */
export async function tryModel(registry: ModelRegistry, label: string, archiveDir: string, options: { values: DeedValues; against?: string; since?: number }): Promise<Trial> {
  const folder = await registry.find(label);
  await checkModel(folder, ENGINE_FEATURES);
  const serving = options.against === undefined ? await registry.servingFolder() : await registry.find(options.against);
  const { lists } = await latestDay(archiveDir, { random: seededRandom(SEED), values: options.values, since: options.since });
  const { logged, own } = await haveSameEncoder(serving, folder) ? { logged: lists, own: lists } : await asSeenBy(folder, lists, registry, archiveDir);
  const comparison = await compareModels(serving, folder, logged, seededRandom(SEED), own);
  return { comparison, verdict: judgeByRule(comparison) };
}

/** What was logged is then what either would have been given. */
async function haveSameEncoder(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([readManifest(a), readManifest(b)]);
  return JSON.stringify(one.encoder?.sha256) === JSON.stringify(other.encoder?.sha256);
}

/** The lists as logged, and with the features that a model with another encoder would have been given; what cannot be rebuilt is left out. */
async function asSeenBy(folder: string, lists: readonly JudgedList[], registry: ModelRegistry, archiveDir: string): Promise<{ logged: JudgedList[]; own: JudgedList[] }> {
  const wanted = new Map(lists.map((list) => [list.key, list]));
  const since = lists.reduce((least, { at }) => Math.min(least, at), Infinity);
  const logged: JudgedList[] = [];
  const own: JudgedList[] = [];
  for await (const result of rebuildImpressions(archiveDir, { folderOf: (label) => registry.find(label), as: folder, since })) {
    const list = wanted.get(impressionKey(result.impression));
    if (list === undefined || 'missing' in result) continue;
    const vectors = toVectors({ ...result.impression, vectors: result.vectors });
    if (vectors === undefined) continue;
    logged.push(list);
    own.push({ ...list, ...vectors });
  }
  return { logged, own };
}
