import { SCENES } from '../domain/scene.js';
import { USER_FEATURES } from '../profile/vector.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { ListStore, StoredList } from './ranker/lists.js';
import type { GoldenInput } from './save-model.js';

const WIDTH = ITEM_FEATURES.length;
const columnOf = (name: string): number => USER_FEATURES.indexOf(name);

/**
 * Inputs whose scores a model must reproduce: real lists of every scene there is, a shopper never seen, one item, a full
 * run, and the edges (all zeros; values far outside what training saw, which the graph clips).
 */
export function goldenCases(lists: ListStore): GoldenInput[] {
  const find = (fits: (list: StoredList) => boolean): StoredList | undefined => lists.find(fits);
  const full = find((list) => list.count === lists.rowsMax) ?? find(() => true);
  if (full === undefined) return edges();
  const newcomer = find((list) => list.user[columnOf('is_new')] === 1) ?? { ...full, user: new Float32Array(USER_FEATURES.length) };
  const scenes = SCENES.flatMap((scene) => {
    const list = find((one) => one.user[columnOf(`scene_${scene}`)] === 1);
    return list === undefined ? [] : [caseOf(`scene ${scene}`, list, 8)];
  });
  return [caseOf('new shopper', newcomer, 8), caseOf('one item', full, 1), caseOf(`${full.count} candidates`, full, full.count), ...scenes, ...edges()];
}

const edges = (): GoldenInput[] => [
  { name: 'zeros', user: filled(USER_FEATURES.length, 0), items: [filled(WIDTH, 0)] },
  { name: 'far out', user: filled(USER_FEATURES.length, 1e6), items: [filled(WIDTH, 1e6), filled(WIDTH, -1e6)] },
];

function caseOf(name: string, list: StoredList, rows: number): GoldenInput {
  const count = Math.min(rows, list.count);
  const items = Array.from({ length: count }, (_, row) => Array.from(list.items.subarray(row * WIDTH, (row + 1) * WIDTH), round));
  return { name, user: Array.from(list.user, round), items };
}

/** Four decimals: short in the file, and as good an input as any. */
const round = (value: number): number => Math.round(value * 1e4) / 1e4;
const filled = (length: number, value: number): number[] => Array.from({ length }, () => value);
