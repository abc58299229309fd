import { seededRandom, shuffle } from '../../util/random.js';
import { sigmoidCrossEntropy } from '../graph/losses.js';
import { Tape } from '../graph/tape.js';
import { TrainingGraph, type Checkpoint, type Feeds } from '../graph/training-graph.js';
import { Weights } from '../graph/weights.js';
import type { ResponseExamples } from './examples.js';
import { calibrate } from './calibrate.js';
import { copyNetwork, responseLogits, scalingOf, setScaling, standardise, type ResponseNetwork } from './network.js';

/** How a response model is trained. */
export interface ResponseSettings {
  readonly hidden: ResponseNetwork['hidden'];
  /** Examples per step. */
  readonly batch: number;
  readonly rate: number;
  /** The rate shrinks by this factor every epoch. */
  readonly rateDecay: number;
  readonly weightDecay: number;
  readonly epochsMax: number;
  /** Epochs without a better log loss of the validation examples before training stops. */
  readonly patience: number;
}

export const RESPONSE_SETTINGS: ResponseSettings = { hidden: [64, 32], batch: 256, rate: 2e-3, rateDecay: 0.85, weightDecay: 0.1, epochsMax: 20, patience: 3 };

export interface FitOptions {
  readonly train: ResponseExamples;
  /** Decides when to stop, and calibrates. */
  readonly validation: ResponseExamples;
  readonly settings?: ResponseSettings;
  readonly seed: number;
  /** To go on from; it is not changed. */
  readonly start?: ResponseNetwork | undefined;
  readonly onEpoch?: ((epoch: number, logLoss: number) => void) | undefined;
}

export interface FittedResponse {
  readonly network: ResponseNetwork;
  readonly epochs: number;
  /** Of the validation examples, before calibration. */
  readonly logLoss: number;
}

/** Fits the network by its log loss and calibrates it. The same examples, settings and seed give the same bits. */
export async function fitResponse({ train, validation, settings = RESPONSE_SETTINGS, seed, start, onEpoch }: FitOptions): Promise<FittedResponse> {
  const network = start === undefined ? newNetwork(train, settings, seed) : copyNetwork(start);
  const fit = await Fit.compile(network, settings, seed);
  let best = { logLoss: await fit.logLoss(validation), epoch: -1, state: fit.checkpoint() };
  const order = Array.from({ length: train.size }, (_, i) => i);
  const random = seededRandom(seed ^ 0x5bd1e995);
  let epoch = 0;
  for (; epoch < settings.epochsMax && epoch - best.epoch <= settings.patience; epoch++) {
    shuffle(order, random);
    await fit.epoch(train, order, settings.rateDecay ** epoch);
    const logLoss = await fit.logLoss(validation);
    if (logLoss < best.logLoss) best = { logLoss, epoch, state: fit.checkpoint() };
    onEpoch?.(epoch, best.logLoss);
  }
  fit.restore(best.state);
  await fit.release();
  await calibrate(network, validation);
  return { network, epochs: epoch, logLoss: best.logLoss };
}

/** Begins at the share of those that converted. */
function newNetwork(train: ResponseExamples, { hidden }: ResponseSettings, seed: number): ResponseNetwork {
  const { userWidth, rowWidth, users, rows, rate } = train;
  const network: ResponseNetwork = { userWidth, rowWidth, hidden, weights: new Weights(seededRandom(seed)) };
  setScaling(network, 'user', users, userWidth);
  setScaling(network, 'row', rows, rowWidth);
  const share = Math.min(0.999, Math.max(0.001, rate));
  network.weights.get('bias', [1], { fill: 0 }).values[0] = Math.log(share / (1 - share));
  return network;
}

/** The training graph with the arrays of one batch. */
class Fit {
  readonly #users: Float32Array;
  readonly #rows: Float32Array;
  readonly #labels: Float32Array;
  readonly #counted: Float32Array;
  readonly #feeds: Feeds;
  readonly #user: Float32Array;
  readonly #row: Float32Array;

  private constructor(private readonly graph: TrainingGraph, private readonly network: ResponseNetwork, private readonly batch: number) {
    const { userWidth, rowWidth } = network;
    this.#users = new Float32Array(batch * userWidth);
    this.#rows = new Float32Array(batch * rowWidth);
    this.#labels = new Float32Array(batch);
    this.#counted = new Float32Array(batch);
    this.#feeds = { user: this.#users, row: this.#rows, label: this.#labels, weight: this.#counted };
    this.#user = new Float32Array(userWidth);
    this.#row = new Float32Array(rowWidth);
  }

  static async compile(network: ResponseNetwork, settings: ResponseSettings, seed: number): Promise<Fit> {
    const { batch, rate, weightDecay, hidden } = settings;
    const tape = new Tape('train', network.weights, { training: true });
    const logits = responseLogits(tape, tape.input('user', [batch, network.userWidth]), tape.input('row', [batch, network.rowWidth]), hidden);
    const loss = sigmoidCrossEntropy(logits, tape.input('label', [batch, 1]), tape.input('weight', [batch, 1]));
    return new Fit(await TrainingGraph.compile(tape, loss, { seed, rate, decay: weightDecay, threads: 1 }), network, batch);
  }

  async epoch(examples: ResponseExamples, order: readonly number[], rateFactor: number): Promise<void> {
    for (let from = 0; from < order.length; from += this.batch) {
      this.#fill(examples, order.slice(from, from + this.batch));
      await this.graph.step(this.#feeds, rateFactor);
    }
  }

  /** Mean over the examples. */
  async logLoss(examples: ResponseExamples): Promise<number> {
    let sum = 0;
    for (let from = 0; from < examples.size; from += this.batch) {
      const count = Math.min(this.batch, examples.size - from);
      this.#fill(examples, Array.from({ length: count }, (_, i) => from + i));
      sum += await this.graph.evaluate(this.#feeds) * count;
    }
    return sum / Math.max(1, examples.size);
  }

  checkpoint(): Checkpoint {
    return this.graph.checkpoint();
  }

  restore(state: Checkpoint): void {
    this.graph.restore(state);
  }

  release(): Promise<void> {
    return this.graph.release();
  }

  /** The rest of a batch that is not full does not count. */
  #fill(examples: ResponseExamples, indexes: readonly number[]): void {
    const { userWidth, rowWidth, weights } = this.network;
    const [userScaling, rowScaling] = [scalingOf(weights, 'user', userWidth), scalingOf(weights, 'row', rowWidth)];
    this.#counted.fill(0);
    indexes.forEach((index, place) => {
      standardise(this.#user, examples.users, index, 1, userScaling);
      this.#users.set(this.#user, place * userWidth);
      standardise(this.#row, examples.rows, index, 1, rowScaling);
      this.#rows.set(this.#row, place * rowWidth);
      this.#labels[place] = examples.labels[index]!;
      this.#counted[place] = 1 / indexes.length;
    });
  }
}
