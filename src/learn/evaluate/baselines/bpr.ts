import { gaussian, seededRandom } from '../../../util/random.js';
import { historyOf, type Split, type Task } from '../../task.js';
import type { Scorer } from '../rank-all.js';

const BPR = {
  /** A multiple of four. */
  dimensions: 16,
  epochs: 80, rate: 0.05, decay: 0.01, initial: 0.01,
  /** Steps at most, so that a large log takes its time and no more. */
  stepsMax: 12_000_000,
} as const;

/**
 * Matrix factorisation by Bayesian personalised ranking (Rendle et al., UAI 2009), by stochastic gradient steps on
 * (shopper, item met, item drawn uniformly). A shopper of whom nothing was known in training gets the mean vector of the
 * items of the history, as in Hidasi et al. (ICLR 2016).
 */
export function bpr(task: Task, split: Split, seed: number): Scorer {
  const model = fit(task, split, seed);
  const user = new Float64Array(BPR.dimensions);
  return (question, scores) => {
    userVector(user, model, historyOf(task.interactions, question), split.known[question.shopper]! > 0 ? question.shopper : undefined);
    score(scores, user, model);
  };
}

/** Doubles: plain sums of singles spend most of their time converting them. */
interface Factors { readonly users: Float64Array; readonly items: Float64Array; readonly biases: Float64Array }

function fit({ interactions: { shoppers, offsets, item }, items }: Task, { known }: Split, seed: number): Factors {
  const { dimensions, rate, decay } = BPR;
  const random = seededRandom(seed);
  const model: Factors = {
    users: initial(shoppers * dimensions, random), items: initial(items.length * dimensions, random), biases: new Float64Array(items.length),
  };
  const { users, items: vectors, biases } = model;
  const events: number[] = [];
  const ofShopper: number[] = [];
  const met = new Map<number, Set<number>>();
  for (let s = 0; s < shoppers; s++) {
    for (let event = offsets[s]!; event < offsets[s]! + known[s]!; event++) {
      events.push(item[event]!);
      ofShopper.push(s);
    }
    met.set(s, new Set(item.subarray(offsets[s]!, offsets[s]! + known[s]!)));
  }
  const steps = items.length < 2 ? 0 : Math.min(BPR.stepsMax, events.length * BPR.epochs);
  for (let step = 0; step < steps; step++) {
    const drawn = Math.floor(random() * events.length);
    const positive = events[drawn]!;
    const negative = Math.floor(random() * items.length);
    const shopper = ofShopper[drawn]!;
    if (met.get(shopper)!.has(negative)) continue;
    const u = shopper * dimensions;
    const p = positive * dimensions;
    const n = negative * dimensions;
    let margin = biases[positive]! - biases[negative]!;
    for (let d = 0; d < dimensions; d++) margin += users[u + d]! * (vectors[p + d]! - vectors[n + d]!);
    const slope = rate / (1 + Math.exp(margin));
    for (let d = 0; d < dimensions; d++) {
      const own = users[u + d]!;
      const better = vectors[p + d]!;
      const worse = vectors[n + d]!;
      users[u + d] = own + slope * (better - worse) - rate * decay * own;
      vectors[p + d] = better + slope * own - rate * decay * better;
      vectors[n + d] = worse - slope * own - rate * decay * worse;
    }
    biases[positive]! += slope - rate * decay * biases[positive]!;
    biases[negative]! -= slope + rate * decay * biases[negative]!;
  }
  return model;
}

function initial(length: number, random: () => number): Float64Array {
  return Float64Array.from({ length }, () => BPR.initial * gaussian(random));
}

function userVector(out: Float64Array, { users, items }: Factors, history: Uint32Array, shopper: number | undefined): void {
  const { dimensions } = BPR;
  if (shopper !== undefined) {
    out.set(users.subarray(shopper * dimensions, (shopper + 1) * dimensions));
    return;
  }
  out.fill(0);
  for (const item of history) for (let d = 0; d < dimensions; d++) out[d]! += items[item * dimensions + d]! / history.length;
}

/** Four sums side by side: one alone would wait for itself at every step. */
function score(scores: Float32Array, user: Float64Array, { items, biases }: Factors): void {
  const { dimensions } = BPR;
  for (let item = 0, at = 0; item < scores.length; item++) {
    let a = biases[item]!;
    let b = 0;
    let c = 0;
    let e = 0;
    for (let d = 0; d < dimensions; d += 4, at += 4) {
      a += user[d]! * items[at]!;
      b += user[d + 1]! * items[at + 1]!;
      c += user[d + 2]! * items[at + 2]!;
      e += user[d + 3]! * items[at + 3]!;
    }
    scores[item] = a + b + c + e;
  }
}
