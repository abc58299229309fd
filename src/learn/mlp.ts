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
  readonly #userPart: Float32Array;
  readonly #userSlopes: Float32Array;
  // Of the latest list, a row an item: outputs of the hidden units, and the gradient at their inputs.
  #hidden1 = new Float32Array(0);
  #hidden2 = new Float32Array(0);
  #slopes1 = new Float32Array(0);
  #slopes2 = new Float32Array(0);

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
    this.#userPart = new Float32Array(first);
    this.#userSlopes = new Float32Array(first);
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
    const { count } = list;
    const hidden1 = this.#hidden1;
    const hidden2 = this.#hidden2;
    const slopes2 = this.#slopes2;
    for (let row = 0; row < count; row++) {
      const slope = scoreGradient[row]!;
      for (let i = 0, at = row * second; i < second; i++, at++) {
        const value = hidden2[at]!;
        gradient[layout.weights3 + i]! += slope * value;
        // A unit that is off passes nothing back, and has nothing to learn from.
        slopes2[at] = value > 0 ? slope * parameters[layout.weights3 + i]! : 0;
      }
    }
    addColumnSums(gradient, layout.bias2, slopes2, count, second);
    addProduct(gradient, layout.weights2, hidden1, first, slopes2, second, count);
    this.#backToFirst(count);
    addProduct(gradient, layout.itemWeights, list.items, item, this.#slopes1, first, count);
    const userSlopes = this.#userSlopes.fill(0);
    addColumnSums(userSlopes, 0, this.#slopes1, count, first);
    addProduct(gradient, layout.userWeights, list.user, user, userSlopes, first, 1);
    addColumnSums(gradient, layout.bias1, userSlopes, 1, first);
  }

  /** Gradient at the inputs of the first hidden layer's units, row by row. */
  #backToFirst(count: number): void {
    const { parameters, layout, shape: { hidden: [first, second] } } = this;
    const slopes2 = this.#slopes2;
    for (let row = 0; row < count; row++) {
      const from = row * second;
      for (let h = 0, at = row * first; h < first; h++, at++) {
        let back = 0;
        if (this.#hidden1[at]! > 0) {
          const weights = layout.weights2 + h * second;
          for (let i = 0; i < second; i++) back += parameters[weights + i]! * slopes2[from + i]!;
        }
        this.#slopes1[at] = back;
      }
    }
  }

  #computeUserPart(user: Float32Array): void {
    const { parameters, layout } = this;
    for (let i = 0; i < this.#userPart.length; i++) this.#userPart[i] = parameters[layout.bias1 + i]!;
    multiplyInto(this.#userPart, user, 0, this.shape.user, parameters, layout.userWeights);
  }

  #reserve(rows: number): void {
    const [first, second] = this.shape.hidden;
    if (this.#hidden1.length >= rows * first) return;
    this.#hidden1 = new Float32Array(rows * first);
    this.#hidden2 = new Float32Array(rows * second);
    this.#slopes1 = new Float32Array(rows * first);
    this.#slopes2 = new Float32Array(rows * second);
  }
}

/**
 * `out += input · weights`, weights row-major [inputs × outputs]. Four inputs a pass: a quarter of the loads and stores
 * of `out`, which is what the loop spends its time on.
 */
function multiplyInto(out: Float32Array, input: Float32Array, at: number, inputs: number, weights: Float32Array, offset: number): void {
  const outputs = out.length;
  let i = 0;
  for (; i + 4 <= inputs; i += 4) {
    const x0 = input[at + i]!;
    const x1 = input[at + i + 1]!;
    const x2 = input[at + i + 2]!;
    const x3 = input[at + i + 3]!;
    const w0 = offset + i * outputs;
    const w1 = w0 + outputs;
    const w2 = w1 + outputs;
    const w3 = w2 + outputs;
    for (let o = 0; o < outputs; o++) {
      out[o] = out[o]! + x0 * weights[w0 + o]! + x1 * weights[w1 + o]! + x2 * weights[w2 + o]! + x3 * weights[w3 + o]!;
    }
  }
  for (; i < inputs; i++) {
    const x = input[at + i]!;
    const row = offset + i * outputs;
    for (let o = 0; o < outputs; o++) out[o] = out[o]! + x * weights[row + o]!;
  }
}

/** `gradient += inputᵀ · slopes` over all rows, four a pass. */
function addProduct(
  gradient: Float32Array, offset: number, input: Float32Array, inputs: number, slopes: Float32Array, outputs: number, rows: number,
): void {
  for (let i = 0; i < inputs; i++) {
    const target = offset + i * outputs;
    let row = 0;
    for (; row + 4 <= rows; row += 4) {
      const x0 = input[row * inputs + i]!;
      const x1 = input[(row + 1) * inputs + i]!;
      const x2 = input[(row + 2) * inputs + i]!;
      const x3 = input[(row + 3) * inputs + i]!;
      // Zeros are frequent after ReLU.
      if (x0 === 0 && x1 === 0 && x2 === 0 && x3 === 0) continue;
      const s0 = row * outputs;
      const s1 = s0 + outputs;
      const s2 = s1 + outputs;
      const s3 = s2 + outputs;
      for (let o = 0; o < outputs; o++) {
        gradient[target + o] = gradient[target + o]! + x0 * slopes[s0 + o]! + x1 * slopes[s1 + o]! + x2 * slopes[s2 + o]! + x3 * slopes[s3 + o]!;
      }
    }
    for (; row < rows; row++) {
      const x = input[row * inputs + i]!;
      for (let o = 0; o < outputs; o++) gradient[target + o] = gradient[target + o]! + x * slopes[row * outputs + o]!;
    }
  }
}

function addColumnSums(sums: Float32Array, offset: number, values: Float32Array, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++) sums[offset + i] = sums[offset + i]! + values[row * columns + i]!;
  }
}

function rectify(values: Float32Array): void {
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
