import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Tensor } from 'onnxruntime-node';
import { AppError } from '../errors.js';
import { readHashed, refused, type EncoderGolden, type EncoderManifest } from '../ranking/manifest.js';
import { firstLine, Session } from '../ranking/session.js';
import { breathe } from '../util/pause.js';
import { decodeVectors, type LearnedVectors } from './vectors-file.js';

export const ENCODER_LIMITS = {
  /** Runs under way at once: as many as there are scoring buffers. */
  runsMax: 256,
  /** Numbers of the golden vectors may differ by this much, times the larger of 1 and the number. */
  goldenTolerance: 1e-4,
  warmupRuns: 7,
  /** The median run may take this long, ms. */
  runMsMax: 10,
} as const;

/** Numbers checked before other work of the process gets its turn: about a millisecond. */
const FLOATS_PER_TURN = 2 ** 20;

/**
 * What an encoder reads of a shopper, `historyMax` places in all: the latest distinct items, oldest first, the latest in
 * the last place; places before the first are zeros.
 */
export class History {
  /** [places × dimensions] */
  readonly vectors: Float32Array;
  /** log(1 + days from each to now). */
  readonly gaps: Float32Array;
  /** 1 where there is an item. */
  readonly mask: Float32Array;
  readonly #dimensions: number;

  constructor({ dimensions, historyMax }: EncoderManifest) {
    this.#dimensions = dimensions;
    this.vectors = new Float32Array(historyMax * dimensions);
    this.gaps = new Float32Array(historyMax);
    this.mask = new Float32Array(historyMax);
  }

  clear(): void {
    this.vectors.fill(0);
    this.gaps.fill(0);
    this.mask.fill(0);
  }

  /** @param back 0 for the latest item, 1 for the one before … */
  put(back: number, vector: Float32Array, ageMs: number): void {
    const place = this.mask.length - 1 - back;
    for (let i = 0; i < this.#dimensions; i++) this.vectors[place * this.#dimensions + i] = vector[i]!;
    this.gaps[place] = Math.log1p(Math.max(0, ageMs) / DAY_MS);
    this.mask[place] = 1;
  }
}

const DAY_MS = 86_400_000;

/**
 * Loads the encoder of a model folder and proves it: hashes, vectors, graph, golden vectors, speed.
 * @throws AppError `model_refused` that says exactly why
 */
export async function loadEncoder(folder: string, manifest: EncoderManifest, golden: EncoderGolden | undefined): Promise<Encoder> {
  if (golden === undefined) throw refused(join(folder, 'golden.json'), 'cases of the encoder', 'none');
  const where = join(folder, 'encoder.onnx');
  const vectors = await readVectors(join(folder, 'vectors.bin'), manifest);
  const session = await Session.open(where, await readHashed(where, manifest.sha256['encoder.onnx']));
  const encoder = new Encoder(session, manifest, vectors);
  try {
    checkGraph(where, session, manifest);
    await checkGolden(join(folder, 'golden.json'), encoder, golden);
    await checkSpeed(where, encoder);
    return encoder;
  } catch (error) {
    await encoder.retire();
    throw error;
  }
}

/**
 * An encoder that has passed its checks. Its graph: `history float32[1,places,dimensions]`, and if it wants them
 * `gaps float32[1,places]` and `mask float32[1,places]` → `user float32[1,dimensions]`.
 */
export class Encoder {
  readonly #session: Session;
  /** Histories that no run reads: onnxruntime reads one some time after it was given. */
  readonly #free: History[] = [];
  #running = 0;

  constructor(session: Session, readonly manifest: EncoderManifest, readonly vectors: LearnedVectors) {
    this.#session = session;
  }

  /**
   * @param write fills a cleared history
   * @param onStart called right before the native run, and once before
   * @throws AppError `overloaded`, or `model_unavailable` when the run fails or gives no finite vector
   */
  async run(write: (history: History) => void, onStart?: () => void): Promise<Float32Array> {
    if (this.#running >= ENCODER_LIMITS.runsMax) throw new AppError('overloaded', `All ${ENCODER_LIMITS.runsMax} runs of the encoder are under way; try again in a moment.`);
    const history = this.#free.pop() ?? new History(this.manifest);
    this.#running += 1;
    try {
      history.clear();
      write(history);
      const user = await this.#session.run(this.#feeds(history, onStart), 'user');
      if (!user.every(Number.isFinite)) throw new AppError('model_unavailable', 'The encoder gave a number that is not finite.');
      return user;
    } finally {
      this.#running -= 1;
      this.#free.push(history);
    }
  }

  /** Frees the native session once the runs under way have ended. */
  retire(): Promise<void> {
    return this.#session.retire();
  }

  #feeds({ vectors, gaps, mask }: History, onStart: (() => void) | undefined): Record<string, Tensor> {
    const { historyMax, dimensions } = this.manifest;
    const history = new Tensor('float32', vectors, [1, historyMax, dimensions]);
    const feeds: Record<string, Tensor> = {
      // onnxruntime-node reads its inputs when a run takes place.
      get history() {
        onStart?.();
        return history;
      },
    };
    for (const [name, values] of [['gaps', gaps], ['mask', mask]] as const) {
      if (this.#session.inputNames.includes(name)) feeds[name] = new Tensor('float32', values, [1, historyMax]);
    }
    return feeds;
  }
}

async function readVectors(path: string, { dimensions, sha256 }: EncoderManifest): Promise<LearnedVectors> {
  const bytes = await readHashed(path, sha256['vectors.bin']);
  let vectors: LearnedVectors;
  try {
    vectors = decodeVectors(bytes);
  } catch (error) {
    throw refused(path, 'a file of vectors', firstLine(error), error);
  }
  if (vectors.dimensions !== dimensions) throw refused(path, `vectors of ${dimensions} dimensions (manifest.json)`, `${vectors.dimensions}`);
  for (const values of [vectors.itemVectors, vectors.attributeVectors, vectors.biases ?? new Float32Array(0)]) {
    for (let from = 0; from < values.length; from += FLOATS_PER_TURN) {
      await breathe();
      if (!values.subarray(from, from + FLOATS_PER_TURN).every(Number.isFinite)) throw refused(path, 'finite numbers', 'NaN or infinity');
    }
  }
  return vectors;
}

function checkGraph(where: string, session: Session, { historyMax, dimensions }: EncoderManifest): void {
  const needed = `history float32[1,${historyMax},${dimensions}]`;
  const known = [needed, `gaps float32[1,${historyMax}]`, `mask float32[1,${historyMax}]`];
  const { inputs, outputs } = session;
  if (!inputs.includes(needed) || !inputs.every((input) => known.includes(input))) {
    throw refused(where, `inputs ${needed}, and of ${known.slice(1).join(' and ')} what it wants`, inputs.join(', ') || 'none');
  }
  const output = `user float32[1,${dimensions}]`;
  if (outputs.join() !== output) throw refused(where, `output ${output}`, outputs.join(', '));
}

async function checkGolden(where: string, encoder: Encoder, golden: EncoderGolden): Promise<void> {
  const { vectors, manifest: { dimensions, historyMax } } = encoder;
  for (const { name, items, daysAgo, user } of golden) {
    const at = `${where}: encoder case "${name}"`;
    if (items.length < 1 || items.length > historyMax) throw refused(at, `1 to ${historyMax} items`, `${items.length}`);
    if (daysAgo.length !== items.length) throw refused(at, `as many times as items (${items.length})`, `${daysAgo.length}`);
    if (user.length !== dimensions) throw refused(at, `${dimensions} numbers of the user vector`, `${user.length}`);
    const places = items.map((key) => vectors.items.indexOf(key));
    if (places.includes(-1)) throw refused(at, 'items of vectors.bin', `unknown ${items[places.indexOf(-1)]}`);
    const found = await runGolden(at, encoder, (history) => {
      for (const [i, place] of places.entries()) {
        history.put(items.length - 1 - i, vectors.itemVectors.subarray(place * dimensions, (place + 1) * dimensions), daysAgo[i]! * DAY_MS);
      }
    });
    const odd = user.findIndex((value, i) => !(Math.abs(found[i]! - value) <= ENCODER_LIMITS.goldenTolerance * Math.max(1, Math.abs(value))));
    if (odd >= 0) throw refused(at, `${user[odd]} at ${odd} of the user vector`, `${found[odd]}`);
  }
}

async function runGolden(at: string, encoder: Encoder, write: (history: History) => void): Promise<Float32Array> {
  try {
    return await encoder.run(write);
  } catch (error) {
    throw refused(at, 'a run without error', firstLine(error), error);
  }
}

/** Warms the session up; gives up early, so that a stall is paid once. */
async function checkSpeed(where: string, encoder: Encoder): Promise<void> {
  const { warmupRuns, runMsMax } = ENCODER_LIMITS;
  const times: number[] = [];
  let total = 0;
  while (times.length < warmupRuns && total <= runMsMax * warmupRuns) {
    const startedAt = performance.now();
    await runGolden(where, encoder, () => { /* No items: all zeros. */ });
    times.push(performance.now() - startedAt);
    total += times.at(-1)!;
  }
  const median = times.sort((a, b) => a - b)[times.length >> 1]!;
  if (median > runMsMax) throw refused(where, `a run within ${runMsMax} ms (median of ${times.length})`, `${median.toFixed(1)} ms`);
}
