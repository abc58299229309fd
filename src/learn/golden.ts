import { USER_FEATURES } from '../profile/vector.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { ReplayedList } from './rows.js';
import type { GoldenInput } from './save-model.js';

const WIDTH = ITEM_FEATURES.length;
const SCENES = ['home', 'product', 'cart', 'search', 'feed'] as const;

/**
 * Inputs whose scores a model must reproduce: real lists of several scenes, a shopper never seen, one item, a full run,
 * and the edges (all zeros; values far outside what training saw, which the graph clips).
 */
export function goldenCases(lists: readonly ReplayedList[]): GoldenInput[] {
  const candidates = lists.filter((list) => list.kind === 'candidates');
  const full = candidates.find((list) => list.events > 20) ?? candidates[0]!;
  const newcomer = candidates.find((list) => list.events === 0) ?? { ...full, user: new Float32Array(USER_FEATURES.length) };
  return [
    caseOf('new shopper', newcomer, 8),
    caseOf('one item', full, 1),
    caseOf('200 candidates', full, 200),
    ...SCENES.map((scene) => caseOf(`scene ${scene}`, candidates.find((list) => list.scene === scene && list.events > 20) ?? full, 8)),
    { name: 'zeros', user: filled(USER_FEATURES.length, 0), items: [filled(WIDTH, 0)] },
    { name: 'far out', user: filled(USER_FEATURES.length, 1e6), items: [filled(WIDTH, 1e6), filled(WIDTH, -1e6)] },
  ];
}

function caseOf(name: string, list: ReplayedList, rows: number): GoldenInput {
  const count = Math.min(rows, list.count);
  const items = Array.from({ length: count }, (_, row) => Array.from(list.items.subarray(row * WIDTH, (row + 1) * WIDTH), round));
  return { name, user: Array.from(list.user, round), items };
}

/** Four decimals: short in the file, and as good an input as any. */
const round = (value: number): number => Math.round(value * 1e4) / 1e4;
const filled = (length: number, value: number): number[] => Array.from({ length }, () => value);
