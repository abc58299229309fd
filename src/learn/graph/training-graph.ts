import { InferenceSession, Tensor } from 'onnxruntime-node';
import { adamStep, newMoments, restoreArray, takeStep, type AdamOptions, type Moments } from './adam.js';
import { trainingSession } from './session-options.js';
import { sizeOf } from './shape.js';
import type { Tape, Value } from './tape.js';
import type { Weight } from './weights.js';

export interface TrainingOptions extends AdamOptions {
  /** Of the dropout masks. */
  readonly seed: number;
  /** Threads of onnxruntime; results do not depend on it. */
  readonly threads?: number;
}

export type Feed = Float32Array | Int32Array | BigInt64Array;
export type Feeds = Readonly<Record<string, Feed>>;

/** All that a training needs to go on: its step, and parameters with their moments, as copies. */
export interface Checkpoint {
  readonly step: number;
  readonly arrays: ReadonlyMap<string, Float32Array>;
}

/**
 * Runs the graph of a training step: one run gives the loss and all gradients, then Adam changes the parameters.
 * A run blocks this process: train in one of its own. The same seed and feeds give the same bits, and what happens at
 * a step depends on nothing but the parameters, their moments and the step's number, so that a training resumed from
 * a checkpoint goes on as if it had not stopped.
 */
export class TrainingGraph {
  readonly #session: InferenceSession;
  readonly #options: TrainingOptions;
  readonly #inputs: Tape['inputs'];
  readonly #masks: Tape['masks'];
  readonly #parameters: ReadonlyMap<string, Weight>;
  readonly #moments = new Map<string, Moments>();
  readonly #gradients = new Map<string, Float32Array>();
  /** The same memory at every run: parameters and masks go in by it, loss and gradients come out. */
  readonly #fixedFeeds: Record<string, Tensor> = {};
  readonly #fetches: Record<string, Tensor> = {};
  readonly #maskValues: Float32Array[];
  readonly #loss = new Float32Array(1);
  #steps = 0;

  private constructor(session: InferenceSession, tape: Tape, { parameters, rows }: ReturnType<Tape['trainingModel']>, options: TrainingOptions) {
    this.#session = session;
    this.#options = options;
    this.#inputs = tape.inputs;
    this.#masks = tape.masks;
    this.#parameters = parameters;
    this.#fetches['loss'] = new Tensor('float32', this.#loss, []);
    for (const [name, { shape, values }] of parameters) {
      this.#fixedFeeds[name] = new Tensor('float32', values, shape);
      this.#moments.set(name, newMoments(values.length));
      this.#fetchGradient(name, shape);
    }
    for (const [name, shape] of rows) this.#fetchGradient(name, shape);
    this.#maskValues = tape.masks.map(({ size }) => new Float32Array(size));
    for (const [i, { name, shape }] of tape.masks.entries()) this.#fixedFeeds[name] = new Tensor('float32', this.#maskValues[i]!, shape);
  }

  static async compile(tape: Tape, loss: Value, options: TrainingOptions): Promise<TrainingGraph> {
    const model = tape.trainingModel(loss);
    const session = await InferenceSession.create(model.bytes, trainingSession(options.threads));
    return new TrainingGraph(session, tape, model, options);
  }

  /** Steps done. */
  get steps(): number {
    return this.#steps;
  }

  /** Gradient of a `Tape.rows` or of a parameter at the latest step; the next one overwrites it. */
  gradient(name: string): Float32Array {
    const gradient = this.#gradients.get(name);
    if (gradient === undefined) throw new Error(`there is no gradient of ${name}`);
    return gradient;
  }

  /**
   * One step. @param feeds an array for each `input` and `rows` of the tape
   * @param rateFactor of this step's rate, for schedules
   * @returns the loss before the step
   */
  async step(feeds: Feeds, rateFactor = 1): Promise<number> {
    const loss = await this.evaluate(feeds);
    this.#steps += 1;
    const adam = adamStep({ ...this.#options, rate: this.#options.rate * rateFactor }, this.#steps);
    for (const [name, { values }] of this.#parameters) takeStep(adam, values, this.#moments.get(name)!, this.gradient(name), 0, values.length, 0);
    return loss;
  }

  /** Computes loss and gradients as the next step would, and changes nothing. */
  async evaluate(feeds: Feeds): Promise<number> {
    this.#drawMasks();
    await this.#session.run({ ...this.#fixedFeeds, ...this.#tensors(feeds) }, this.#fetches);
    const loss = this.#loss[0]!;
    if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss} at step ${this.#steps + 1}`);
    return loss;
  }

  checkpoint(): Checkpoint {
    return { step: this.#steps, arrays: new Map([...this.#state()].map(([name, values]) => [name, values.slice()])) };
  }

  restore({ step, arrays }: Checkpoint): void {
    for (const [name, values] of this.#state()) restoreArray(values, arrays, name);
    this.#steps = step;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  *#state(): Generator<[string, Float32Array]> {
    for (const [name, { values }] of this.#parameters) {
      const { mean, square } = this.#moments.get(name)!;
      yield [name, values];
      yield [`${name}/mean`, mean];
      yield [`${name}/square`, square];
    }
  }

  #fetchGradient(name: string, shape: readonly number[]): void {
    const gradient = new Float32Array(sizeOf(shape));
    this.#gradients.set(name, gradient);
    this.#fetches[`d_${name}`] = new Tensor('float32', gradient, shape);
  }

  #tensors(feeds: Feeds): Record<string, Tensor> {
    const tensors: Record<string, Tensor> = {};
    for (const [name, { shape, type }] of this.#inputs) {
      const feed = feeds[name];
      if (feed === undefined) throw new Error(`nothing is fed as ${name}`);
      tensors[name] = tensorOf(feed, shape.map((length) => sizeOf([length])), type, name);
    }
    return tensors;
  }

  /**
   * The masks of a step are drawn by the step's number alone: a generator inside the graph (onnxruntime's Dropout) could
   * not be set to where it was. Eight bits decide on an element, looked up, as a branch on chance is mispredicted.
   */
  #drawMasks(): void {
    let state = (this.#options.seed ^ Math.imul(this.#steps + 1, 0x9e3779b1)) | 0 || 1;
    for (const [i, { ratio }] of this.#masks.entries()) {
      const values = this.#maskValues[i]!;
      const below = Math.round(ratio * 256);
      const factors = Float32Array.from({ length: 256 }, (_, byte) => (byte < below ? 0 : 256 / (256 - below)));
      for (let at = 0; at < values.length; at += 4) {
        // xorshift32 (Marsaglia, 2003); writes past the end of the array are dropped.
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        values[at] = factors[state & 0xff]!;
        values[at + 1] = factors[(state >>> 8) & 0xff]!;
        values[at + 2] = factors[(state >>> 16) & 0xff]!;
        values[at + 3] = factors[state >>> 24]!;
      }
    }
  }
}

function tensorOf(feed: Feed, shape: readonly number[], type: string, name: string): Tensor {
  if (feed.length !== sizeOf(shape)) throw new Error(`${name} takes ${sizeOf(shape)} values, not ${feed.length}`);
  if (feed instanceof Float32Array && type === 'float') return new Tensor('float32', feed, shape);
  if (feed instanceof Int32Array && type === 'int32') return new Tensor('int32', feed, shape);
  if (feed instanceof BigInt64Array && type === 'int64') return new Tensor('int64', feed, shape);
  throw new Error(`${name} takes ${type} values`);
}
