import { AppError } from '../../errors.js';
import { seededRandom } from '../../util/random.js';
import { makeModel } from '../make-model.js';
import { DEED, ListStore, LIST_LIMITS } from '../ranker/lists.js';
import { readExported } from '../ranker/warm-start.js';
import { latestDay, type JudgedList } from './judged-lists.js';
import type { Train } from './retrain.js';

/** Items of a list that are learnt from. */
const ROWS_MAX = 100;
/** Latest share of the lists that says when to stop. */
const VALIDATION = 0.1;

/** Trains the ranker on the impressions that the engine logged before a time: its own vectors, and what came of each list. */
export const trainOnArchive: Train = async ({ archiveDir, until, out, from, seed }) => {
  const random = seededRandom(seed);
  const { lists } = await latestDay(archiveDir, random, 0);
  const known = lists.filter((list) => list.at < until).toSorted((a, b) => a.at - b.at);
  const store = (): ListStore => new ListStore(ROWS_MAX, random, LIST_LIMITS.floatsMax / 2);
  const [shown, validation] = [store(), store()];
  const cut = Math.floor(known.length * (1 - VALIDATION));
  for (const [i, list] of known.entries()) (i < cut ? shown : validation).add(toRankList(list));
  if (shown.size === 0 || validation.size === 0) {
    throw new AppError('invalid_request', `Of ${known.length} lists shown before the latest day with a deed none is left to learn from: in the others every item was taken.`);
  }
  await makeModel({
    train: { shown, candidates: store() }, validation, out, seed, start: await readExported(from), onProgress: () => { /* Nobody looks. */ },
    about: {
      name: 'store', licence: 'unstated', trainedAt: new Date().toISOString(),
      data: {
        source: 'impressions logged by the engine', lists: shown.size + validation.size,
        from: new Date(known[0]!.at).toISOString(), until: new Date(until).toISOString(),
      },
    },
  });
};

const toRankList = ({ user, items, count, worth }: JudgedList) => ({
  user, items, count, places: Uint8Array.from({ length: count }, (_, place) => place + 1),
  deeds: Uint8Array.from(worth, (value) => (value >= 4 ? DEED.bought : value >= 2 ? DEED.carted : value > 0 ? DEED.clicked : DEED.none)),
});
