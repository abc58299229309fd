/**
 * What another policy would have earned, from lists that were shown under known chances. A list is worth the sum of its
 * places' rewards, and what a place earns is taken to depend on the item and the place alone, not on its neighbours (the
 * item-position model of Li et al., KDD 2018), so each place is weighed by its own
 * weight = chance that the judged policy shows there what was shown / chance that it was shown (the logged propensity).
 */
export const OFF_POLICY = {
  /** Weights are cut here: a bias downwards of what is cut, against a variance without bound (Ionides, 2008). */
  weightMax: 100,
  /** Of the normal distribution, for 95 %. */
  z: 1.96,
} as const;

export interface WeighedPlace {
  /** Not cut yet. */
  readonly weight: number;
  readonly reward: number;
  /** What the reward model, fitted on other shoppers, expects of what was shown here. */
  readonly expected: number;
}

export interface WeighedList {
  /** Whose lists are not independent. */
  readonly shopper: string;
  readonly places: readonly WeighedPlace[];
  /** What the reward model expects of the whole list that the judged policy would show. */
  readonly direct: number;
}

/** Reward per list, with its standard error over shoppers. */
export interface PolicyValue { readonly value: number; readonly error: number; readonly low: number; readonly high: number }

export interface OffPolicyEstimate {
  readonly lists: number;
  readonly shoppers: number;
  /** What the lists earned as they were shown. */
  readonly logged: PolicyValue;
  /** Inverse propensity scores (Horvitz and Thompson, 1952): unbiased where all the policy does was possible, but noisy. */
  readonly ips: PolicyValue;
  /** Self-normalised (Swaminathan and Joachims, NIPS 2015): a little biased, calmer. */
  readonly snips: PolicyValue;
  /** Doubly robust (Dudík et al., ICML 2011): the reward model, corrected where it erred; right if either is. */
  readonly doublyRobust: PolicyValue;
  /** Mean weight: 1 when the log could have shown all that the policy would; what is missing is unseen by IPS. */
  readonly support: number;
  /** Places that the weights are worth, (Σw)² / Σw² (Kish, 1965), of all places. */
  readonly effectivePlaces: number;
  readonly places: number;
  /** Share of places whose weight was cut. */
  readonly cut: number;
}

/** Estimates a policy's reward per list in three ways. */
export function estimatePolicy(lists: readonly WeighedList[]): OffPolicyEstimate {
  const { weightMax } = OFF_POLICY;
  const sums = lists.map(({ shopper, places, direct }) => {
    const sum = { shopper, reward: 0, weight: 0, weighed: 0, corrected: direct, squares: 0, cut: 0, places: places.length };
    for (const { weight: whole, reward, expected } of places) {
      const weight = Math.min(whole, weightMax);
      sum.reward += reward;
      sum.weight += weight;
      sum.weighed += weight * reward;
      sum.corrected += weight * (reward - expected);
      sum.squares += weight * weight;
      if (whole > weightMax) sum.cut += 1;
    }
    return sum;
  });
  const total = (of: (sum: typeof sums[number]) => number): number => sums.reduce((all, sum) => all + of(sum), 0);
  const weights = total((sum) => sum.weight);
  const places = total((sum) => sum.places);
  const length = places / Math.max(1, lists.length);
  const share = weights === 0 ? 0 : total((sum) => sum.weighed) / weights;
  const scale = weights === 0 ? 0 : places / weights;
  const shoppers = lists.map(({ shopper }) => shopper);
  const valueOf = (of: (sum: typeof sums[number]) => number): PolicyValue => meanOverShoppers(shoppers, sums.map(of));
  return {
    lists: lists.length, shoppers: new Set(shoppers).size,
    logged: valueOf((sum) => sum.reward),
    ips: valueOf((sum) => sum.weighed),
    // A ratio: its error is that of its linear part (the delta method).
    snips: valueOf((sum) => length * share + scale * (sum.weighed - share * sum.weight)),
    doublyRobust: valueOf((sum) => sum.corrected),
    support: places === 0 ? 0 : weights / places,
    effectivePlaces: weights === 0 ? 0 : weights ** 2 / total((sum) => sum.squares), places,
    cut: places === 0 ? 0 : total((sum) => sum.cut) / places,
  };
}

/** A mean over lists; its error takes a shopper's lists as one draw. */
function meanOverShoppers(shoppers: readonly string[], values: readonly number[]): PolicyValue {
  const value = values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length);
  const deviations = new Map<string, number>();
  values.forEach((one, i) => { deviations.set(shoppers[i]!, (deviations.get(shoppers[i]!) ?? 0) + one - value); });
  const groups = deviations.size;
  let squares = 0;
  for (const deviation of deviations.values()) squares += deviation ** 2;
  const error = groups < 2 ? Infinity : Math.sqrt(squares * groups / (groups - 1)) / values.length;
  return { value, error, low: value - OFF_POLICY.z * error, high: value + OFF_POLICY.z * error };
}
