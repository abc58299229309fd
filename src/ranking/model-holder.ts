import { AppError, asAppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { Circuit, CIRCUIT_LIMITS, type CircuitLimits, type CircuitState } from './circuit.js';
import { checkModel, type ModelSample } from './model-check.js';
import { loadModel, type FeatureNames, type Model } from './model.js';
import { ScorePool, type ScoreSlot } from './score-pool.js';

export interface Scored {
  /** One score per candidate, higher is better; the caller's to keep. */
  readonly scores: Float32Array;
  /** Label of the model that gave them. */
  readonly model: string;
}

/** What happened to the model, for the log and the metrics. */
export type ModelEvent =
  | { readonly kind: 'swapped'; readonly model: string; readonly previous: string | undefined }
  | { readonly kind: 'refused' | 'shadow_dropped'; readonly folder: string; readonly error: AppError }
  | { readonly kind: 'circuit_opened'; readonly model: string; readonly reason: string }
  | { readonly kind: 'circuit_closed'; readonly model: string };

export interface ModelHolderOptions {
  readonly features: FeatureNames;
  readonly clock: Clock;
  readonly slotsMax?: number;
  readonly circuit?: CircuitLimits;
  readonly onEvent?: (event: ModelEvent) => void;
  /** Told the scores of the live and of the shadow model for the same candidates. */
  readonly onShadow?: (live: Scored, shadow: Scored) => void;
}

export type SwapResult = { readonly model: string } | { readonly refused: AppError };

interface Job {
  readonly slot: ScoreSlot;
  readonly count: number;
  readonly resolve: (scored: Scored) => void;
  readonly reject: (error: AppError) => void;
}

interface Loaded { readonly model: Model; readonly folder: string }

/**
 * The model in service. Runs are given to onnxruntime one at a time: each holds up the event loop, so when one stalls,
 * those behind it must not have been handed over already; they are refused and their callers fall back.
 */
export class ModelHolder {
  /** Buffers to write features into: acquire, write, `run`, release. */
  readonly pool: ScorePool;
  readonly #options: ModelHolderOptions;
  readonly #circuit: Circuit;
  readonly #queue: Job[] = [];
  #draining = false;
  #live: Loaded | undefined;
  #shadow: Loaded | undefined;
  /** Swaps take turns. */
  #swaps: Promise<unknown> = Promise.resolve();
  #refused: AppError | undefined;

  constructor(options: ModelHolderOptions) {
    this.#options = options;
    this.#circuit = new Circuit(options.clock, options.circuit ?? CIRCUIT_LIMITS);
    this.pool = new ScorePool(options.features.userFeatures.length, options.features.itemFeatures.length, options.slotsMax);
  }

  /** Whether it is worth asking for a run; when not, use the fallback scorer. */
  get available(): boolean {
    return this.#live !== undefined && this.#circuit.available;
  }

  get current(): Model | undefined {
    return this.#live?.model;
  }

  /** For health reports and metrics; `refused` is why the latest offered model was not taken. */
  get status(): { model: string | undefined; shadow: string | undefined; circuit: CircuitState; queued: number; refused: string | undefined } {
    return {
      model: this.#live?.model.label, shadow: this.#shadow?.model.label, circuit: this.#circuit.state,
      queued: this.#queue.length, refused: this.#refused?.message,
    };
  }

  /**
   * Scores the first `count` rows of a slot. The slot may be released at once: it is not handed out before the run ends.
   * @throws AppError `model_unavailable` when there is no model, the circuit is open or the run failed
   */
  run(slot: ScoreSlot, count: number): Promise<Scored> {
    if (!this.available) return Promise.reject(unavailable(this.#live === undefined ? 'no model is loaded' : 'the model is resting after a fault'));
    if (this.#circuit.state === 'open') {
      this.#startProbe(slot, count);
      return Promise.reject(unavailable('the model is being tried again after a fault'));
    }
    this.pool.beginRun(slot);
    return new Promise((resolve, reject) => {
      this.#queue.push({ slot, count, resolve, reject });
      if (!this.#draining) void this.#drain();
    });
  }

  /**
   * Puts the model of a folder into service. It is proven first, in a process of its own when another is serving;
   * runs under way end on the model they began with. A model that is refused changes nothing.
   */
  swap(folder: string): Promise<SwapResult> {
    return this.#inTurn(folder, 'refused', async () => {
      const model = await this.#load(folder);
      const previous = this.#live;
      this.#live = { model, folder };
      this.#circuit.reset();
      this.#refused = undefined;
      this.#options.onEvent?.({ kind: 'swapped', model: model.label, previous: previous?.model.label });
      await previous?.model.retire();
      return model;
    });
  }

  /** Lets a second model score beside the live one, while nobody waits; `undefined` ends that. */
  shadow(folder: string | undefined): Promise<SwapResult | undefined> {
    if (folder === undefined) return this.#inTurn('', 'shadow_dropped', () => this.#dropShadow()).then(() => undefined);
    return this.#inTurn(folder, 'shadow_dropped', async () => {
      const model = await this.#load(folder);
      await this.#dropShadow();
      this.#shadow = { model, folder };
      return model;
    });
  }

  /** Frees the native sessions once their runs have ended. */
  async close(): Promise<void> {
    await this.#swaps;
    const live = this.#live;
    this.#live = undefined;
    await this.#dropShadow();
    await live?.model.retire();
  }

  async #load(folder: string): Promise<Model> {
    const { features } = this.#options;
    if (this.#live !== undefined) await checkModel({ folder, features, sample: undefined });
    return loadModel(folder, features);
  }

  #inTurn(folder: string, kind: 'refused' | 'shadow_dropped', task: () => Promise<Model | undefined>): Promise<SwapResult> {
    const result = this.#swaps.then(task).then(
      (model): SwapResult => ({ model: model?.label ?? '' }),
      (thrown: unknown): SwapResult => {
        const error = asAppError(thrown);
        if (kind === 'refused') this.#refused = error;
        this.#options.onEvent?.({ kind, folder, error });
        return { refused: error };
      },
    );
    this.#swaps = result;
    return result;
  }

  /** Runs the queue, one job at a time; never rejects. */
  async #drain(): Promise<void> {
    this.#draining = true;
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      try {
        await this.#serve(job);
      } catch (error) {
        job.reject(error instanceof AppError ? error : unavailable(reasonOf(error), error));
      } finally {
        this.pool.endRun(job.slot);
      }
    }
    this.#draining = false;
  }

  async #serve(job: Job): Promise<void> {
    const live = this.#live;
    if (live === undefined || this.#circuit.state !== 'closed') {
      job.reject(unavailable('the model is resting after a fault'));
      return;
    }
    const label = live.model.label;
    let scored: Scored;
    try {
      const { scores, elapsedMs } = await this.#time(live.model, job);
      scored = { scores, model: label };
      this.#settle(live, () => { this.#circuit.succeeded(elapsedMs); }, `a run took ${Math.round(elapsedMs)} ms`);
    } catch (error) {
      this.#settle(live, () => { this.#circuit.failed(); }, reasonOf(error));
      throw error;
    }
    job.resolve(scored);
    if (this.#shadow !== undefined && this.#queue.length === 0) await this.#runShadow(this.#shadow, job, scored);
  }

  /** The time of the native call alone: the marker is queued right before it, so other work does not count. */
  async #time(model: Model, { slot, count }: { slot: ScoreSlot; count: number }): Promise<{ scores: Float32Array; elapsedMs: number }> {
    const { clock } = this.#options;
    let startedAt = clock();
    setImmediate(() => { startedAt = clock(); });
    const scores = await model.score(slot.user, slot.items, count);
    const elapsedMs = clock() - startedAt;
    for (const score of scores) if (!Number.isFinite(score)) throw unavailable('a score is not a finite number');
    return { scores, elapsedMs };
  }

  /** Reports a run to the circuit, unless its model has been replaced meanwhile, and tells of what changed. */
  #settle(live: Loaded, report: () => void, reason: string): void {
    if (live !== this.#live) return;
    const before = this.#circuit.state;
    report();
    const after = this.#circuit.state;
    if (after === 'open') this.#options.onEvent?.({ kind: 'circuit_opened', model: live.model.label, reason });
    else if (before === 'probing') this.#options.onEvent?.({ kind: 'circuit_closed', model: live.model.label });
  }

  /**
   * Half-open: a request's own features are tried in a process of its own, because a model that still stalls would
   * hold up everybody for as long as it takes.
   */
  #startProbe(slot: ScoreSlot, count: number): void {
    const live = this.#live!;
    const { features } = this.#options;
    this.#circuit.admit();
    const sample: ModelSample = { user: slot.user.slice(), items: slot.items.slice(0, count * this.pool.itemWidth), count };
    void checkModel({ folder: live.folder, features, sample }, this.#circuit.limits.probeMs).then(
      (elapsedMs) => this.#settle(live, () => { this.#circuit.succeeded(elapsedMs); }, `a trial run took ${Math.round(elapsedMs)} ms`),
      (error: unknown) => this.#settle(live, () => { this.#circuit.failed(); }, reasonOf(error)),
    );
  }

  /** A shadow that fails or is slow is dropped: it must never cost the live one anything. */
  async #runShadow(shadow: Loaded, job: Job, live: Scored): Promise<void> {
    try {
      const { scores, elapsedMs } = await this.#time(shadow.model, job);
      if (elapsedMs > this.#circuit.limits.slowMs) throw unavailable(`a run took ${Math.round(elapsedMs)} ms`);
      this.#options.onShadow?.(live, { scores, model: shadow.model.label });
    } catch (error) {
      this.#options.onEvent?.({ kind: 'shadow_dropped', folder: shadow.folder, error: asAppError(error) });
      if (this.#shadow === shadow) await this.#dropShadow();
    }
  }

  async #dropShadow(): Promise<undefined> {
    const shadow = this.#shadow;
    this.#shadow = undefined;
    await shadow?.model.retire();
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function unavailable(why: string, cause?: unknown): AppError {
  return new AppError('model_unavailable', `The ranking model gave no scores: ${why}.`, { cause });
}
