import { gaussian, type Random } from '../util/random.js';

/** Sizes: columns of the user vector and of an item vector, units of the two hidden layers. */
export interface MlpShape {
  readonly user: number;
  readonly item: number;
  readonly hidden: readonly [number, number];
}

/** One list to rank: a user vector, `count` item vectors (row-major) and how much each item is worth (0: ignored by the shopper). */
export interface RankList {
  readonly user: Float32Array;
  readonly items: Float32Array;
  readonly worth: Float32Array;
  readonly count: number;
}

/** Where each block of parameters begins in the flat array. */
interface Layout { readonly userWeights: number; readonly itemWeights: number; readonly bias1: number; readonly weights2: number; readonly bias2: number; readonly weights3: number; readonly size: number }

/**
 * A scorer with two hidden layers: `score = w3 · relu(W2ᵀ relu(Wuᵀ user + Wiᵀ item + b1) + b2)`. The first layer is
 * split so that the user's part is computed once a list. There is no last bias: a list's ranking does not see it.
 * Parameters and their gradient are flat float32 arrays, which is all that an optimiser needs to know.
 */
export class Mlp {
  readonly parameters: Float32Array;
  readonly layout: Layout;
  readonly #userPart: Float64Array;
  readonly #userGradient: Float64Array;
  readonly #hidden2Gradient: Float64Array;
  #hidden1 = new Float64Array(0);
  #hidden2 = new Float64Array(0);

  /** @param random for the initial weights (He et al., 2015: deviation √(2 / inputs)) */
  constructor(readonly shape: MlpShape, random: Random) {
    const { user, item, hidden: [first, second] } = shape;
    const itemWeights = user * first;
    const bias1 = itemWeights + item * first;
    const weights2 = bias1 + first;
    const bias2 = weights2 + first * second;
    const weights3 = bias2 + second;
    this.layout = { userWeights: 0, itemWeights, bias1, weights2, bias2, weights3, size: weights3 + second };
    this.parameters = new Float32Array(this.layout.size);
    const fill = (from: number, to: number, inputs: number): void => {
      for (let i = from; i < to; i++) this.parameters[i] = gaussian(random) * Math.sqrt(2 / inputs);
    };
    fill(0, bias1, user + item);
    fill(weights2, bias2, first);
    fill(weights3, this.layout.size, second * 2);
    this.#userPart = new Float64Array(first);
    this.#userGradient = new Float64Array(first);
    this.#hidden2Gradient = new Float64Array(second);
  }

  /** Writes the scores of the first `list.count` items into `scores`. */
  forward(list: Pick<RankList, 'user' | 'items' | 'count'>, scores: Float64Array): void {
    const { parameters, layout, shape: { item, hidden: [first, second] } } = this;
    this.#reserve(list.count);
    this.#computeUserPart(list.user);
    for (let row = 0; row < list.count; row++) {
      const hidden1 = this.#hidden1.subarray(row * first, (row + 1) * first);
      const hidden2 = this.#hidden2.subarray(row * second, (row + 1) * second);
      hidden1.set(this.#userPart);
      multiplyInto(hidden1, list.items, row * item, item, parameters, layout.itemWeights);
      rectify(hidden1);
      for (let i = 0; i < second; i++) hidden2[i] = parameters[layout.bias2 + i]!;
      multiplyInto(hidden2, hidden1, 0, first, parameters, layout.weights2);
      rectify(hidden2);
      let score = 0;
      for (let i = 0; i < second; i++) score += hidden2[i]! * parameters[layout.weights3 + i]!;
      scores[row] = score;
    }
  }

  /** Adds to `gradient` what `scoreGradient` (loss by score) says; must follow `forward` of the same list. */
  backward(list: RankList, scoreGradient: Float64Array, gradient: Float32Array): void {
    const { parameters, layout, shape: { user, item, hidden: [first, second] } } = this;
    const hidden2Gradient = this.#hidden2Gradient;
    const userGradient = this.#userGradient.fill(0);
    for (let row = 0; row < list.count; row++) {
      const slope = scoreGradient[row]!;
      const hidden1 = this.#hidden1.subarray(row * first, (row + 1) * first);
      const hidden2 = this.#hidden2.subarray(row * second, (row + 1) * second);
      for (let i = 0; i < second; i++) {
        const active = hidden2[i]! > 0;
        gradient[layout.weights3 + i]! += slope * hidden2[i]!;
        hidden2Gradient[i] = active ? slope * parameters[layout.weights3 + i]! : 0;
        gradient[layout.bias2 + i]! += hidden2Gradient[i]!;
      }
      for (let h = 0; h < first; h++) {
        const value = hidden1[h]!;
        // A unit that is off passes nothing back, and has nothing to learn from.
        if (value <= 0) continue;
        const at = layout.weights2 + h * second;
        let back = 0;
        for (let i = 0; i < second; i++) {
          const g = hidden2Gradient[i]!;
          gradient[at + i]! += value * g;
          back += parameters[at + i]! * g;
        }
        userGradient[h]! += back;
        // From here on hidden1 holds the gradient of the unit's input.
        hidden1[h] = back;
      }
      outerInto(gradient, layout.itemWeights, list.items, row * item, item, hidden1);
    }
    outerInto(gradient, layout.userWeights, list.user, 0, user, userGradient);
    for (let h = 0; h < first; h++) gradient[layout.bias1 + h]! += userGradient[h]!;
  }

  #computeUserPart(user: Float32Array): void {
    const { parameters, layout } = this;
    for (let i = 0; i < this.#userPart.length; i++) this.#userPart[i] = parameters[layout.bias1 + i]!;
    multiplyInto(this.#userPart, user, 0, this.shape.user, parameters, layout.userWeights);
  }

  #reserve(rows: number): void {
    const [first, second] = this.shape.hidden;
    if (this.#hidden1.length >= rows * first) return;
    this.#hidden1 = new Float64Array(rows * first);
    this.#hidden2 = new Float64Array(rows * second);
  }
}

/** `out += input · weights`, weights row-major [inputs × outputs]; zeros, frequent after ReLU, cost nothing. */
function multiplyInto(out: Float64Array, input: Float32Array | Float64Array, at: number, inputs: number, weights: Float32Array, offset: number): void {
  const outputs = out.length;
  for (let i = 0; i < inputs; i++) {
    const x = input[at + i]!;
    if (x === 0) continue;
    const row = offset + i * outputs;
    for (let o = 0; o < outputs; o++) out[o]! += x * weights[row + o]!;
  }
}

/** `gradient += inputᵀ · slope`. */
function outerInto(gradient: Float32Array, offset: number, input: Float32Array, at: number, inputs: number, slope: Float64Array): void {
  const outputs = slope.length;
  for (let i = 0; i < inputs; i++) {
    const x = input[at + i]!;
    if (x === 0) continue;
    const row = offset + i * outputs;
    for (let o = 0; o < outputs; o++) gradient[row + o]! += x * slope[o]!;
  }
}

function rectify(values: Float64Array): void {
  for (let i = 0; i < values.length; i++) if (values[i]! < 0) values[i] = 0;
}

/**
 * Listwise softmax loss `−Σ worth · log softmax(scores)`; several items may be worth something.
 * Writes the loss's gradient by score into `gradient`. @returns the loss
 */
export function listwiseSoftmax(scores: Float64Array, worth: Float32Array, count: number, gradient: Float64Array): number {
  let top = -Infinity;
  for (let i = 0; i < count; i++) top = Math.max(top, scores[i]!);
  let sum = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    sum += Math.exp(scores[i]! - top);
    total += worth[i]!;
  }
  const logSum = Math.log(sum) + top;
  let loss = 0;
  for (let i = 0; i < count; i++) {
    loss += worth[i]! * (logSum - scores[i]!);
    gradient[i] = total * Math.exp(scores[i]! - logSum) - worth[i]!;
  }
  return loss;
}

/** Adam (Kingma and Ba, 2015) with decoupled weight decay (Loshchilov and Hutter, 2019). */
export class Adam {
  readonly #mean: Float32Array;
  readonly #square: Float32Array;
  #step = 0;

  constructor(readonly parameters: Float32Array, readonly options: { readonly rate: number; readonly decay: number }) {
    this.#mean = new Float32Array(parameters.length);
    this.#square = new Float32Array(parameters.length);
  }

  /** One step against the gradient, divided by `scale`; leaves the gradient at zero. */
  step(gradient: Float32Array, scale: number, rateFactor = 1): void {
    const { parameters } = this;
    this.#step += 1;
    const rate = this.options.rate * rateFactor;
    const corrected = rate * Math.sqrt(1 - 0.999 ** this.#step) / (1 - 0.9 ** this.#step);
    const shrink = 1 - rate * this.options.decay;
    for (let i = 0; i < parameters.length; i++) {
      const g = gradient[i]! / scale;
      const mean = 0.9 * this.#mean[i]! + 0.1 * g;
      const square = 0.999 * this.#square[i]! + 0.001 * g * g;
      this.#mean[i] = mean;
      this.#square[i] = square;
      parameters[i] = parameters[i]! * shrink - corrected * mean / (Math.sqrt(square) + 1e-8);
    }
    gradient.fill(0);
  }
}
