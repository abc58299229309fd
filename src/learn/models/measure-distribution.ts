import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { USER_FEATURES } from '../../profile/vector.js';
import { binned, DISTRIBUTION_ITEMS, type ColumnDistribution, type Distribution } from '../../ranking/distribution.js';
import { ENGINE_FEATURES, ITEM_FEATURES } from '../../ranking/features.js';
import { loadModel } from '../../ranking/model.js';

/** Lists that are enough to know the deciles by. */
const LISTS_MAX = 3000;
const WIDTH = ITEM_FEATURES.length;

export interface FeatureList { readonly user: Float32Array; readonly items: Float32Array; readonly count: number }

/**
 * Writes `distribution.json` beside a model: what the features and scores of the lists are like that it would show. Live
 * lists are compared with it; all candidates would not do, because only what was shown is logged.
 * @param lists of the training, at least one
 */
export async function measureDistribution(folder: string, lists: Iterable<FeatureList>): Promise<void> {
  const model = await loadModel(folder, ENGINE_FEATURES);
  const user: Float32Array[] = [];
  const items: Float32Array[] = [];
  const scores: number[] = [];
  try {
    for (const list of lists) {
      if (user.length === LISTS_MAX) break;
      const given = await model.score(list.user, list.items, list.count);
      user.push(list.user.slice(0, USER_FEATURES.length));
      const order = Array.from(given, (_, row) => row).sort((a, b) => given[b]! - given[a]!).slice(0, DISTRIBUTION_ITEMS);
      for (const row of order) {
        items.push(list.items.slice(row * WIDTH, (row + 1) * WIDTH));
        scores.push(given[row]!);
      }
    }
  } finally {
    await model.retire();
  }
  const columns = (names: readonly string[], rows: readonly Float32Array[]): Record<string, ColumnDistribution> =>
    Object.fromEntries(names.map((name, column) => [name, binned(Float32Array.from(rows, (row) => row[column]!))]));
  const distribution: Distribution = {
    lists: user.length, user: columns(USER_FEATURES, user), items: columns(ITEM_FEATURES, items), score: binned(Float32Array.from(scores)),
  };
  await writeFile(join(folder, 'distribution.json'), `${JSON.stringify(distribution)}\n`);
}
