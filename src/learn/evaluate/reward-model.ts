import { AppError } from '../../errors.js';

/** Strength of the pull towards zero, in observations. */
const RIDGE = 10;
/** A column that varies less than this tells nothing, and would only make the equations worse. */
const DEVIATION_MIN = 1e-6;

/** What was shown somewhere, and what came of it. */
export interface Observation {
  /** Features of shopper and item. */
  readonly features: ArrayLike<number>;
  /** From 0. */
  readonly place: number;
  readonly reward: number;
}

/**
 * Ridge regression of a reward on standardised features, times a factor per place: places are looked at less the lower
 * they are, whatever stands there. The factors are the mean rewards of the places, relative to all.
 */
export class RewardModel {
  readonly #factors: readonly number[];
  readonly #mean: Float64Array;
  readonly #deviation: Float64Array;
  readonly #weights: Float64Array;
  readonly #bias: number;

  constructor(observations: readonly Observation[]) {
    const width = observations[0]?.features.length ?? 0;
    this.#factors = placeFactors(observations);
    [this.#mean, this.#deviation] = moments(observations, width);
    const [gram, moment, bias] = this.#normalEquations(observations, width);
    this.#weights = solve(gram, moment, width);
    this.#bias = bias;
  }

  expect({ features, place }: Omit<Observation, 'reward'>): number {
    let sum = this.#bias;
    for (let i = 0; i < this.#weights.length; i++) sum += this.#weights[i]! * this.#standard(features, i);
    return sum * this.#factor(place);
  }

  #standard(features: ArrayLike<number>, i: number): number {
    return (features[i]! - this.#mean[i]!) / this.#deviation[i]!;
  }

  #factor(place: number): number {
    return this.#factors[place] ?? this.#factors.at(-1) ?? 1;
  }

  /** Of reward ≈ factor · (bias + weights · features), by least squares weighed by the factors. */
  #normalEquations(observations: readonly Observation[], width: number): [gram: Float64Array, moment: Float64Array, bias: number] {
    const gram = new Float64Array(width * width);
    const moment = new Float64Array(width);
    const row = new Float64Array(width);
    let rewards = 0;
    let factors = 0;
    for (const { place, reward } of observations) {
      rewards += reward;
      factors += this.#factor(place);
    }
    const bias = factors === 0 ? 0 : rewards / factors;
    for (const { features, place, reward } of observations) {
      const factor = this.#factor(place);
      for (let i = 0; i < width; i++) row[i] = factor * this.#standard(features, i);
      const rest = reward - factor * bias;
      for (let i = 0; i < width; i++) {
        moment[i]! += row[i]! * rest;
        for (let j = 0; j <= i; j++) gram[i * width + j]! += row[i]! * row[j]!;
      }
    }
    for (let i = 0; i < width; i++) gram[i * width + i]! += RIDGE;
    return [gram, moment, bias];
  }
}

function placeFactors(observations: readonly Observation[]): number[] {
  const sums: { reward: number; count: number }[] = [];
  let reward = 0;
  for (const observation of observations) {
    const sum = (sums[observation.place] ??= { reward: 0, count: 0 });
    sum.reward += observation.reward;
    sum.count += 1;
    reward += observation.reward;
  }
  const mean = reward / Math.max(1, observations.length);
  // A place that was hardly ever filled has about the mean.
  return Array.from(sums, (sum) => (mean === 0 ? 1 : ((sum?.reward ?? 0) + RIDGE * mean) / ((sum?.count ?? 0) + RIDGE) / mean));
}

function moments(observations: readonly Observation[], width: number): [mean: Float64Array, deviation: Float64Array] {
  const mean = new Float64Array(width);
  const squares = new Float64Array(width);
  const count = Math.max(1, observations.length);
  for (const { features } of observations) for (let i = 0; i < width; i++) mean[i]! += features[i]! / count;
  for (const { features } of observations) for (let i = 0; i < width; i++) squares[i]! += (features[i]! - mean[i]!) ** 2 / count;
  const deviation = squares.map((square) => (Math.sqrt(square) < DEVIATION_MIN ? Infinity : Math.sqrt(square)));
  return [mean, deviation];
}

/** Solves `gram · x = moment` by Cholesky's decomposition. @param gram lower triangle, [width × width], overwritten */
function solve(gram: Float64Array, moment: Float64Array, width: number): Float64Array {
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = gram[i * width + j]!;
      for (let k = 0; k < j; k++) sum -= gram[i * width + k]! * gram[j * width + k]!;
      if (i !== j) gram[i * width + j] = sum / gram[j * width + j]!;
      else if (sum > 0) gram[i * width + i] = Math.sqrt(sum);
      else throw new AppError('invalid_request', 'The reward model cannot be fitted: a feature is not a finite number.');
    }
  }
  const x = moment.slice();
  for (let i = 0; i < width; i++) {
    for (let k = 0; k < i; k++) x[i]! -= gram[i * width + k]! * x[k]!;
    x[i]! /= gram[i * width + i]!;
  }
  for (let i = width - 1; i >= 0; i--) {
    for (let k = i + 1; k < width; k++) x[i]! -= gram[k * width + i]! * x[k]!;
    x[i]! /= gram[i * width + i]!;
  }
  return x;
}
