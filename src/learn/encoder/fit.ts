import { seededRandom, type Random } from '../../util/random.js';
import type { Clock } from '../../util/clock.js';
import { restoreArray } from '../graph/adam.js';
import type { Table } from '../graph/table.js';
import { Tape } from '../graph/tape.js';
import { TrainingGraph, type Checkpoint } from '../graph/training-graph.js';
import { countItems, type Interactions, type Question } from '../task.js';
import type { ItemAttributes } from './attributes.js';
import { Batch, batchLoss } from './batch.js';
import { measure, type Measured } from './measure.js';
import { copyAll, EncoderModel, moveAll, setAll } from './model.js';
import { nextBasket, nextEvent } from './moments.js';
import { NegativeSampler } from './negatives.js';
import { pack, stretches, type Stretch } from './sequences.js';
import { chooseSettings, type EncoderSettings } from './settings.js';

/**
 * Trains the encoder, which turns the latest items of a shopper into a vector whose product with an item's vector says
 * how likely that item is next. What serving reads of it (`saveEncoder` writes it):
 *
 * - `vectors.bin`: of each item that occurred, own part + Σ attributes' vectors / √(how many of the item's attributes
 *   have a vector); and the vectors of the attributes, from which an item never seen gets that sum.
 * - `encoder.onnx`: `history [1, L, d]`, the vectors of the shopper's latest L distinct items, oldest first, each where it
 *   was last, the latest in the last place, zeros before the first; `gaps [1, L]`, log1p(days) from each to the
 *   request; `mask [1, L]`, 1 where there is an item, else 0 → `user [1, d]`. An item's score is the product of the two
 *   vectors, with no bias of its own.
 */
export interface FitOptions {
  readonly interactions: Interactions;
  /** Events of each shopper that may be learned from, from the first. */
  readonly known: Uint32Array;
  readonly attributes: ItemAttributes;
  /** Training stops when the ranking answers these no better; none: it trains as many epochs as are set. */
  readonly questions: readonly Question[];
  /** Items of the history are left out of the rankings. */
  readonly excludeHistory: boolean;
  readonly seed: number;
  readonly clock: Clock;
  /** What the rule by data size does not choose. */
  readonly settings?: Partial<EncoderSettings>;
  /** Threads of onnxruntime. */
  readonly threads?: number;
  /** A state to go on from; with the same options the result is the same as without the stop. */
  readonly checkpoint?: EncoderCheckpoint;
  /** After each epoch. `checkpoint()` copies the state, to be stored. */
  readonly onEpoch?: (progress: EpochProgress, checkpoint: () => EncoderCheckpoint) => void | Promise<void>;
}

export interface EpochMetrics extends Partial<Measured> {
  /** Mean over what was wanted. */
  readonly loss: number;
}

export interface EpochProgress extends EpochMetrics {
  /** Epochs done. */
  readonly epoch: number;
  readonly epochsMax: number;
  /** At most, as epochs went so far. */
  readonly secondsLeft: number;
}

export interface EncoderCheckpoint {
  readonly epochs: readonly EpochMetrics[];
  /** Learned values and moments as of the last epoch, their average under `average/`, that of the best epoch under `best/`. */
  readonly state: Checkpoint;
}

export interface EncoderFit {
  readonly settings: EncoderSettings;
  readonly model: EncoderModel;
  /** [items × d] */
  readonly itemVectors: Float32Array;
  /** [attributes × d] */
  readonly attributeVectors: Float32Array;
  /** Times each item occurred in what was known. */
  readonly counts: Uint32Array;
  readonly onnx: Uint8Array;
  readonly epochs: readonly EpochMetrics[];
  /** Epochs of the values kept. */
  readonly bestEpoch: number;
}

/** Questions asked after each epoch; more of them would cost more time than they tell. */
const QUESTIONS_MAX = 5000;
/** Training does not stop before: with little data many epochs go by before the ranking begins to move. */
const STEPS_MIN = 300;
/** Share of the latest epoch in the average (amazon-beauty, validation NDCG@10 after 24 epochs: .060 without average, .065 with). */
const AVERAGE_SHARE = 0.3;

export async function fitEncoder(options: FitOptions): Promise<EncoderFit> {
  const run = await Run.start(options);
  try {
    await run.train();
    return run.result();
  } finally {
    await run.end();
  }
}

class Run {
  readonly #options: FitOptions;
  readonly #settings: EncoderSettings;
  readonly #model: EncoderModel;
  readonly #training: TrainingGraph;
  readonly #batch: Batch;
  readonly #counts: Uint32Array;
  readonly #stretches: readonly Stretch[];
  readonly #questions: readonly Question[];
  readonly #epochs: EpochMetrics[] = [];
  /** Running average of the learned values over the epochs: what is measured and kept, as it ranks better than any one epoch. */
  readonly #average: Map<string, Float32Array>;
  #best: Map<string, Float32Array>;

  private constructor(options: FitOptions, settings: EncoderSettings, model: EncoderModel, training: TrainingGraph) {
    const { interactions: log, known } = options;
    const { dimensions: width, historyMax: length, rows, negatives } = settings;
    this.#options = options;
    this.#settings = settings;
    this.#model = model;
    this.#training = training;
    this.#counts = countItems(log, known);
    this.#batch = new Batch({ rows, length, width, negatives }, {
      log, vectors: model.vectors, bias: model.bias, sampler: new NegativeSampler(this.#counts),
      wantedAt: settings.isBaskets ? nextBasket(log, known) : nextEvent(log, known),
    });
    this.#stretches = stretches(log, known, length);
    this.#questions = evenly(options.questions.filter(({ history }) => history > 0), QUESTIONS_MAX);
    this.#average = copyAll(model.values());
    this.#best = copyAll(model.values());
  }

  static async start(options: FitOptions): Promise<Run> {
    const { interactions: log, known, questions, seed, threads = 2, checkpoint } = options;
    const events = known.reduce((sum, count) => sum + count, 0);
    const settings = { ...chooseSettings({ events, questions }), ...options.settings };
    const { dimensions, historyMax, rows, negatives, dropout, rate } = settings;
    const model = new EncoderModel({ items: log.itemIds.length, dimensions, historyMax }, options.attributes, seed);
    const tape = new Tape('encoder', model.weights, { training: true });
    const loss = batchLoss(tape, { rows, length: historyMax, width: dimensions, negatives }, dropout);
    const run = new Run(options, settings, model, await TrainingGraph.compile(tape, loss, { seed, rate, threads }));
    if (checkpoint !== undefined) run.#restore(checkpoint);
    return run;
  }

  async train(): Promise<void> {
    const { clock, onEpoch, seed } = this.#options;
    const { epochsMax } = this.#settings;
    const startedAt = clock();
    const before = this.#epochs.length;
    while (this.#epochs.length < epochsMax && !this.#hasStopped()) {
      const epoch = this.#epochs.length + 1;
      // By the epoch alone, so that a resumed training draws the same.
      const loss = await this.#learn(seededRandom(seed + epoch * 0x9e3779b1));
      moveAll(this.#average, this.#model.values(), Math.max(AVERAGE_SHARE, 1 / epoch));
      this.#epochs.push({ loss, ...(this.#questions.length > 0 ? await this.#measure() : {}) });
      if (this.bestEpoch === epoch) this.#best = copyAll(this.#average);
      const secondsLeft = this.#hasStopped() ? 0 : (clock() - startedAt) / 1000 / (epoch - before) * (epochsMax - epoch);
      await onEpoch?.({ ...this.#epochs.at(-1)!, epoch, epochsMax, secondsLeft }, () => this.#checkpoint());
    }
    setAll(this.#model.values(), this.#best);
  }

  /** From 1; the last one where nothing is measured. */
  get bestEpoch(): number {
    const scores = this.#epochs.map(({ ndcg }, i) => ndcg ?? i);
    return scores.indexOf(Math.max(...scores)) + 1;
  }

  result(): EncoderFit {
    const { vectors } = this.#model;
    return {
      settings: this.#settings, model: this.#model, itemVectors: vectors.composeAll(), attributeVectors: vectors.attributes.values,
      counts: this.#counts, onnx: this.#model.servingGraph(), epochs: this.#epochs, bestEpoch: this.bestEpoch,
    };
  }

  end(): Promise<void> {
    return this.#training.release();
  }

  /** One epoch. @returns its mean loss */
  async #learn(random: Random): Promise<number> {
    const { rows: size, historyMax, epochRowsMax, rate } = this.#settings;
    const rows = pack(this.#stretches, historyMax, random).slice(0, epochRowsMax);
    let loss = 0;
    let steps = 0;
    for (let from = 0; from < rows.length; from += size) {
      loss += await this.#training.step(this.#batch.load(rows.slice(from, from + size), random));
      this.#batch.learn(this.#training, { rate });
      steps += 1;
    }
    return loss / Math.max(1, steps);
  }

  /** Measures the average. */
  async #measure(): Promise<Measured> {
    const { interactions: log, excludeHistory, threads = 2 } = this.#options;
    const values = this.#model.values();
    const latest = copyAll(values);
    setAll(values, this.#average);
    const measured = await measure({ log, questions: this.#questions, excludeHistory, model: this.#model, threads });
    setAll(values, latest);
    return measured;
  }

  #hasStopped(): boolean {
    return this.#training.steps >= STEPS_MIN && this.#epochs.length - this.bestEpoch >= this.#settings.patience;
  }

  #checkpoint(): EncoderCheckpoint {
    const { step, arrays } = this.#training.checkpoint();
    const state = new Map(arrays);
    for (const [name, table] of this.#tables()) for (const [part, values] of table.checkpoint(`${name}/`)) state.set(part, values);
    for (const [prefix, values] of this.#kept()) for (const [name, array] of values) state.set(prefix + name, array.slice());
    return { epochs: [...this.#epochs], state: { step, arrays: state } };
  }

  #restore({ epochs, state }: EncoderCheckpoint): void {
    const { arrays } = state;
    this.#training.restore(state);
    for (const [name, table] of this.#tables()) table.restore(arrays, `${name}/`);
    for (const [prefix, values] of this.#kept()) for (const [name, array] of values) restoreArray(array, arrays, prefix + name);
    this.#epochs.push(...epochs);
  }

  #kept(): [prefix: string, values: ReadonlyMap<string, Float32Array>][] {
    return [['average/', this.#average], ['best/', this.#best]];
  }

  #tables(): [string, Table][] {
    const { vectors: { own, attributes }, bias: { ages, gaps } } = this.#model;
    return Object.entries({ own, attributes, ages, gaps });
  }
}

/** At most `max` of them, evenly spread. */
function evenly<T>(all: readonly T[], max: number): readonly T[] {
  return all.length <= max ? all : Array.from({ length: max }, (_, i) => all[Math.floor(i * all.length / max)]!);
}
