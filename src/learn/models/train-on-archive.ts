import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../errors.js';
import { readManifest, readModelFiles } from '../../ranking/manifest.js';
import { seededRandom } from '../../util/random.js';
import { makeModel } from '../make-model.js';
import { trainModel } from '../pipeline.js';
import { ListStore, LIST_LIMITS } from '../ranker/lists.js';
import { readExported } from '../ranker/warm-start.js';
import { archiveTask } from './archive-task.js';
import { latestDay, type JudgedList } from './judged-lists.js';
import type { SavedEncoder } from '../task-encoders.js';
import type { Train } from './retrain.js';

/** Items of a list that are learnt from. */
const ROWS_MAX = 100;
/** Latest share of the lists that says when to stop. */
const VALIDATION = 0.1;

/** Trains everything on the archive's events before a time: statistics, encoder, and the ranker over what they propose. */
export const trainOnArchive: Train = async ({ archiveDir, until, out, from, seed, values }) => {
  await trainModel(await archiveTask(archiveDir, until), { out, seed, from, values, clock: Date.now });
};

/**
 * Trains the ranker anew on the impressions that the engine logged before a time: its own vectors, and what came of each
 * list. Encoder and statistics' settings stay those of the model in service.
 */
export const refitRanker: Train = async ({ archiveDir, until, out, from, seed, values }) => {
  const random = seededRandom(seed);
  const { lists } = await latestDay(archiveDir, { random, values, since: 0 });
  const known = lists.filter((list) => list.at < until).toSorted((a, b) => a.at - b.at);
  // Batches are padded to the rows of a record: no more than any list has.
  const rowsMax = Math.min(ROWS_MAX, known.reduce((most, { count }) => Math.max(most, count), 1));
  const store = (): ListStore => new ListStore(rowsMax, random, LIST_LIMITS.floatsMax / 2);
  const [train, validation] = [store(), store()];
  const cut = Math.floor(known.length * (1 - VALIDATION));
  for (const [i, list] of known.entries()) (i < cut ? train : validation).add(toRankList(list));
  if (train.size === 0 || validation.size === 0) {
    throw new AppError('invalid_request', `Lists shown before the latest day of which something was taken: ${known.length}. Too few of them have something that was not, so that there is nothing to learn a ranking from.`);
  }
  const { statistics } = await readManifest(from);
  await makeModel({
    train, validation, out, seed, values, start: await readExported(from), onProgress: () => { /* Nobody looks. */ },
    encoder: await keepEncoder(from, out),
    about: {
      ...statistics === undefined ? {} : { statistics }, name: 'store', licence: 'unstated', trainedAt: new Date().toISOString(),
      data: {
        source: 'impressions logged by the engine', lists: train.size + validation.size,
        from: new Date(known[0]!.at).toISOString(), until: new Date(until).toISOString(),
      },
    },
  });
};

/** What the encoder of the model in service said is in the vectors that were learnt from: it stays. */
async function keepEncoder(from: string, out: string): Promise<SavedEncoder | undefined> {
  const { manifest, golden } = await readModelFiles(from);
  if (manifest.encoder === undefined || golden.encoder === undefined) return undefined;
  await mkdir(out, { recursive: true });
  for (const file of ['encoder.onnx', 'vectors.bin']) await copyFile(join(from, file), join(out, file));
  return { manifest: manifest.encoder, golden: golden.encoder };
}

const toRankList = ({ user, items, count, deeds }: JudgedList) => ({
  user, items, count, deeds, places: Uint8Array.from({ length: count }, (_, place) => place + 1),
});
