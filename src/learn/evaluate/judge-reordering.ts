import { hash32 } from '../../util/hash.js';
import { estimatePolicy, type OffPolicyEstimate, type WeighedPlace } from './off-policy.js';
import { RewardModel, type Observation } from './reward-model.js';

/** A list as it was shown: features of its items in order of position, what each earned, and its logged propensity. */
export interface ShownList {
  readonly shopper: string;
  /** [count × C] */
  readonly items: Float32Array;
  readonly count: number;
  readonly worth: Float32Array;
  readonly propensity: Float32Array;
}

/** Parts of the shoppers: each is judged by a reward model that was fitted on the others. */
const FOLDS = 2;

/**
 * What lists would have earned if a model had put the items shown in order of its scores. The impression log keeps the
 * features of what was shown only, so a model that would show other items is judged by how it orders these.
 * @param scores of each list's items
 */
export function judgeReordering(lists: readonly ShownList[], scores: readonly ArrayLike<number>[]): OffPolicyEstimate {
  const foldOf = ({ shopper }: ShownList): number => hash32(shopper) % FOLDS;
  const models = Array.from({ length: FOLDS }, (_, fold) =>
    new RewardModel(lists.filter((list) => foldOf(list) !== fold).flatMap(observations)));
  return estimatePolicy(lists.map((list, i) => {
    const model = models[foldOf(list)]!;
    const order = orderOf(scores[i]!, list.count);
    const places = Array.from({ length: list.count }, (_, place): WeighedPlace => ({
      weight: order[place] === place ? 1 / list.propensity[place]! : 0,
      reward: list.worth[place]!, expected: model.expect({ features: featuresOf(list, place), place }),
    }));
    const direct = order.reduce((sum, row, place) => sum + model.expect({ features: featuresOf(list, row), place }), 0);
    return { shopper: list.shopper, places, direct };
  }));
}

const observations = (list: ShownList): Observation[] =>
  Array.from({ length: list.count }, (_, place) => ({ features: featuresOf(list, place), place, reward: list.worth[place]! }));

/** Of the item alone: within a list the shopper's are the same, and how lists differ is not what is judged. */
function featuresOf({ items, count }: ShownList, row: number): Float32Array {
  const width = items.length / count;
  return items.subarray(row * width, (row + 1) * width);
}

/** Rows by score, best first; equal ones stay in order. */
function orderOf(scores: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: count }, (_, row) => row).sort((a, b) => scores[b]! - scores[a]! || a - b);
}
