import { noCounts, readImpressions } from '../../archive/reader.js';
import { AppError } from '../../errors.js';
import { DISTRIBUTION_ITEMS, DriftCounter, readDistribution } from '../../ranking/distribution.js';
import { ENGINE_FEATURES, ITEM_FEATURES } from '../../ranking/features.js';
import { loadModel } from '../../ranking/model.js';
import type { Drift } from '../../redis/drift-store.js';
import { archiveEnd, toVectors } from './judged-lists.js';

const DAY_MS = 86_400_000;
/** Lists that are enough for indexes good to a hundredth. */
const LISTS_MAX = 5000;

/**
 * How far the lists of the archive's latest day are from those a model was trained on, its own scores of them included.
 * @throws AppError `not_found` when the model says nothing of its training, or the day is empty
 */
export async function measureDrift(folder: string, archiveDir: string): Promise<Drift> {
  const distribution = await readDistribution(folder);
  if (distribution === undefined) throw new AppError('not_found', `${folder} has no distribution.json: what its training data were like is not known.`);
  const from = await archiveEnd(archiveDir) - DAY_MS;
  const counter = new DriftCounter(distribution, ENGINE_FEATURES);
  const model = await loadModel(folder, ENGINE_FEATURES);
  try {
    for await (const impression of readImpressions(archiveDir, noCounts(), from)) {
      if (impression.at < from) continue;
      const vectors = toVectors(impression);
      if (vectors === undefined) continue;
      const count = Math.min(vectors.count, DISTRIBUTION_ITEMS);
      counter.add({ ...vectors, scores: await model.score(vectors.user, vectors.items.subarray(0, count * ITEM_FEATURES.length), count) });
      if (counter.lists >= LISTS_MAX) break;
    }
  } finally {
    await model.retire();
  }
  if (counter.lists === 0) throw new AppError('not_found', `${archiveDir} holds no impressions of its latest day.`);
  return { model: model.label, lists: counter.lists, indexes: counter.indexes() };
}
