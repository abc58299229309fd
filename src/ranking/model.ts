import { Tensor } from 'onnxruntime-node';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { loadEncoder, type Encoder } from '../encoder/encoder.js';
import { BatchScorer } from './batch-scorer.js';
import { readModelFiles, refused, type Golden, type Manifest, type ModelFiles } from './manifest.js';
import { firstLine, Session } from './session.js';

export const MODEL_LIMITS = {
  /** Candidates in one run. */
  rowsMax: 512,
  /** Scores of the golden cases may differ by this much, times the larger of 1 and the score. */
  goldenTolerance: 1e-4,
  warmupRows: 200,
  warmupRuns: 7,
  /** The median run of `warmupRows` rows may take this long, ms: far above an honest model, below any deadline. */
  warmupRunMsMax: 50,
} as const;

/** The engine's feature names, in the order in which it writes them. */
export interface FeatureNames {
  readonly userFeatures: readonly string[];
  readonly itemFeatures: readonly string[];
}

/** Users of a batch, and rows of each. */
export interface BatchShape {
  readonly count: number;
  readonly rows: number;
}

/**
 * Loads a model folder and proves that it can serve: schema, hashes, graph, golden scores, speed.
 * @param options.batched whether many users are to be scored in one run, where the graph allows it
 * @throws AppError `model_refused` that says exactly why
 */
export async function loadModel(folder: string, features: FeatureNames, { batched = false }: { batched?: boolean } = {}): Promise<Model> {
  const files = await readModelFiles(folder);
  const where = join(folder, 'model.onnx');
  const userColumns = columns(join(folder, 'manifest.json'), 'userFeatures', files.manifest.userFeatures, features.userFeatures);
  const itemColumns = columns(join(folder, 'manifest.json'), 'itemFeatures', files.manifest.itemFeatures, features.itemFeatures);
  const session = await Session.open(where, files.onnx);
  const { encoder: spec } = files.manifest;
  let encoder: Encoder | undefined;
  let batch: BatchScorer | undefined;
  try {
    checkGraph(where, session, files.manifest);
    await checkGolden(join(folder, 'golden.json'), session, files);
    encoder = spec === undefined ? undefined : await loadEncoder(folder, spec, files.golden.encoder);
    if (batched) batch = await BatchScorer.open(where, session, files);
    const model = new Model(session, files.manifest, features, { userColumns, itemColumns, encoder, batch });
    await checkSpeed(where, model, features);
    return model;
  } catch (error) {
    await encoder?.retire();
    await batch?.retire();
    await session.retire();
    throw error;
  }
}

interface ModelParts {
  /** Engine columns the model reads; undefined when it reads all of them in the engine's order. */
  readonly userColumns: Int32Array | undefined;
  readonly itemColumns: Int32Array | undefined;
  readonly encoder: Encoder | undefined;
  /** Undefined when it was not asked for, or the graph allows none. */
  readonly batch: BatchScorer | undefined;
}

/** A model that has passed its checks. */
export class Model {
  readonly name: string;
  readonly version: string;
  /** `name@version`: what replies and the impression log say. */
  readonly label: string;
  /** Names of the item features that count for it. */
  readonly reads: ReadonlySet<string>;
  /** What finds candidates for it. */
  readonly encoder: Encoder | undefined;
  readonly #session: Session;
  readonly #batch: BatchScorer | undefined;
  readonly #userWidth: number;
  readonly #itemWidth: number;
  readonly #userColumns: Int32Array | undefined;
  readonly #itemColumns: Int32Array | undefined;

  constructor(session: Session, readonly manifest: Manifest, engine: FeatureNames, { userColumns, itemColumns, encoder, batch }: ModelParts) {
    this.#session = session;
    this.#batch = batch;
    this.name = manifest.name;
    this.version = manifest.version;
    this.label = `${manifest.name}@${manifest.version}`;
    this.reads = new Set(manifest.itemFeatures.filter((name) => manifest.unused?.includes(name) !== true));
    this.encoder = encoder;
    this.#userWidth = engine.userFeatures.length;
    this.#itemWidth = engine.itemFeatures.length;
    this.#userColumns = userColumns;
    this.#itemColumns = itemColumns;
  }

  /** Whether `scoreBatch` scores all its users in one run. */
  get isBatched(): boolean {
    return this.#batch !== undefined;
  }

  /**
   * Scores the first `count` rows of `items` for one user. Both hold the engine's features in full; neither may be
   * changed before the promise settles, because the native run starts only in a later phase of the event loop.
   *
   * Measured at 200 × 36 floats, medians of 3,000 runs: tensors over copies 80 µs, over views of the caller's buffers
   * 72, kept from run to run 71, kept with a preallocated output 73. So: views, and onnxruntime's own output.
   *
   * @param onStart called right before the native run (and once before, when the run is asked for); if it throws, the
   * run does not take place. onnxruntime-node offers no such moment, but reads its inputs at it: hence the getter.
   */
  async score(user: Float32Array, items: Float32Array, count: number, onStart?: () => void): Promise<Float32Array> {
    const userInput = this.#userColumns === undefined ? user.subarray(0, this.#userWidth) : gather(user, 1, this.#userWidth, this.#userColumns);
    const itemInput = this.#itemColumns === undefined
      ? items.subarray(0, count * this.#itemWidth)
      : gather(items, count, this.#itemWidth, this.#itemColumns);
    const userTensor = new Tensor('float32', userInput, [1, userInput.length]);
    return this.#session.run({
      get user() {
        onStart?.();
        return userTensor;
      },
      items: new Tensor('float32', itemInput, [count, itemInput.length / count]),
    }, 'score');
  }

  /**
   * Scores `rows` rows of `items` for each of `count` users, in one run where the model was loaded for it: see `BatchScorer`. What is said
   * of `score` holds here, too.
   * @returns `count · rows` scores, user by user
   */
  async scoreBatch(users: Float32Array, items: Float32Array, { count, rows }: BatchShape, onStart?: () => void): Promise<Float32Array> {
    const [userWidth, itemWidth] = [this.#userWidth, this.#itemWidth];
    if (this.#batch === undefined) {
      const scores = new Float32Array(count * rows);
      for (let i = 0; i < count; i++) {
        scores.set(await this.score(users.subarray(i * userWidth), items.subarray(i * rows * itemWidth), rows, onStart), i * rows);
      }
      return scores;
    }
    const userInput = this.#userColumns === undefined ? users.subarray(0, count * userWidth) : gather(users, count, userWidth, this.#userColumns);
    const itemInput = this.#itemColumns === undefined
      ? items.subarray(0, count * rows * itemWidth)
      : gather(items, count * rows, itemWidth, this.#itemColumns);
    return this.#batch.score(userInput, itemInput, { count, rows }, onStart);
  }

  /** Frees the native sessions once the runs under way have ended. The model must not be used afterwards. */
  async retire(): Promise<void> {
    await this.encoder?.retire();
    await this.#batch?.retire();
    await this.#session.retire();
  }
}

/** @returns the engine's column of each name, or undefined when the lists are the same */
function columns(where: string, list: string, names: readonly string[], known: readonly string[]): Int32Array | undefined {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw refused(where, `${list} to be among the engine's ${known.length}`, `unknown ${unknown.slice(0, 5).join(', ')}${unknown.length > 5 ? ` and ${unknown.length - 5} more` : ''}`);
  }
  const same = names.length === known.length && names.every((name, i) => name === known[i]);
  return same ? undefined : Int32Array.from(names, (name) => known.indexOf(name));
}

function gather(from: Float32Array, rows: number, width: number, columns: Int32Array): Float32Array {
  const to = new Float32Array(rows * columns.length);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns.length; i++) to[at++] = from[row * width + columns[i]!]!;
  }
  return to;
}

/** The graph has exactly the inputs and the output of the contract. */
function checkGraph(where: string, session: Session, manifest: Manifest): void {
  const { inputs, outputs } = session;
  const expected = [`items float32[N,${manifest.itemFeatures.length}]`, `user float32[1,${manifest.userFeatures.length}]`];
  if (inputs.join() !== expected.join()) throw refused(where, `inputs ${expected.join(', ')}`, inputs.join(', ') || 'none');
  if (outputs.join() !== 'score float32[N]') throw refused(where, 'output score float32[N]', outputs.join(', '));
}

async function checkGolden(where: string, session: Session, { manifest, golden }: ModelFiles): Promise<void> {
  for (const entry of golden.cases) {
    const at = `${where}: case "${entry.name}"`;
    checkShape(at, entry, manifest);
    const scores = await runGolden(at, session, entry);
    if (scores.length !== entry.items.length) throw refused(at, `${entry.items.length} scores`, `${scores.length}`);
    scores.forEach((score, i) => {
      const expected = entry.scores[i]!;
      if (!(Math.abs(score - expected) <= MODEL_LIMITS.goldenTolerance * Math.max(1, Math.abs(expected)))) {
        throw refused(at, `score ${expected} of item ${i}`, `${score}`);
      }
    });
  }
}

function checkShape(at: string, entry: Golden['cases'][number], manifest: Manifest): void {
  const width = manifest.itemFeatures.length;
  if (entry.user.length !== manifest.userFeatures.length) throw refused(at, `${manifest.userFeatures.length} user features`, `${entry.user.length}`);
  const odd = entry.items.find((item) => item.length !== width);
  if (odd !== undefined) throw refused(at, `${width} features of every item`, `${odd.length}`);
  if (entry.scores.length !== entry.items.length) throw refused(at, `as many scores as items (${entry.items.length})`, `${entry.scores.length}`);
}

async function runGolden(at: string, session: Session, entry: Golden['cases'][number]): Promise<Float32Array> {
  const items = Float32Array.from(entry.items.flat());
  try {
    return await session.run({
      user: new Tensor('float32', Float32Array.from(entry.user), [1, entry.user.length]),
      items: new Tensor('float32', items, [entry.items.length, items.length / entry.items.length]),
    }, 'score');
  } catch (error) {
    throw refused(at, 'a run without error', firstLine(error), error);
  }
}

/** Warms the session up; the first runs are slower and do not count. Gives up early, so that a stall is paid once. */
async function checkSpeed(where: string, model: Model, features: FeatureNames): Promise<void> {
  const rows = MODEL_LIMITS.warmupRows;
  const limit = MODEL_LIMITS.warmupRunMsMax;
  const user = new Float32Array(features.userFeatures.length);
  const items = new Float32Array(rows * features.itemFeatures.length);
  const times: number[] = [];
  let total = 0;
  while (times.length < MODEL_LIMITS.warmupRuns && total <= limit * MODEL_LIMITS.warmupRuns) {
    const startedAt = performance.now();
    const scores = await model.score(user, items, rows);
    times.push(performance.now() - startedAt);
    total += times.at(-1)!;
    if (!scores.every(Number.isFinite)) throw refused(where, 'finite scores for all-zero features', 'NaN or infinity');
  }
  const median = times.sort((a, b) => a - b)[times.length >> 1]!;
  if (median > limit) throw refused(where, `a run of ${rows} rows within ${limit} ms (median of ${times.length})`, `${median.toFixed(1)} ms`);
}
