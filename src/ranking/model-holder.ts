import type { Encoded } from '../candidates/generate.js';
import type { Catalog } from '../catalog/catalog.js';
import { Retrieval } from '../encoder/retrieval.js';
import { AppError, asAppError } from '../errors.js';
import type { Profile } from '../profile/profile.js';
import type { Clock } from '../util/clock.js';
import { CIRCUIT_LIMITS, Circuit, type CircuitLimits, type CircuitState } from './circuit.js';
import { checkModel, ModelProcess } from './model-check.js';
import { loadModel, type FeatureNames, type Model } from './model.js';
import { ScorePool, type ScoreSlot } from './score-pool.js';

export interface Scored {
  /** One score per candidate, higher is better; the caller's to keep. */
  readonly scores: Float32Array;
  /** Label of the model that gave them. */
  readonly model: string;
  /** Time of the run, ms. */
  readonly elapsedMs: number;
}

/** What happened to the model, for the log and the metrics. */
export type ModelEvent =
  | { readonly kind: 'swapped'; readonly model: string; readonly previous: string | undefined }
  | { readonly kind: 'refused' | 'shadow_dropped' | 'not_refreshed'; readonly folder: string; readonly error: AppError }
  | { readonly kind: 'circuit_opened'; readonly model: string; readonly reason: string }
  | { readonly kind: 'circuit_closed'; readonly model: string };

/** An encoder's fault is waited out for longer, because the run that tries it again holds everybody up if it stalls, ms. */
const ENCODER_COOL_DOWN_MS = 30_000;

export interface ModelHolderOptions {
  readonly features: FeatureNames;
  /** Where a model's encoder finds candidates; without one, encoders are left out. */
  readonly catalog?: Catalog;
  readonly clock: Clock;
  readonly slotsMax?: number;
  readonly circuit?: CircuitLimits;
  readonly onEvent?: (event: ModelEvent) => void;
  /** Told the scores of the live and of the shadow model for the same candidates. */
  readonly onShadow?: (live: Scored, shadow: Scored) => void;
}

export type SwapResult = { readonly model: string } | { readonly refused: AppError };

interface Loaded {
  readonly model: Model;
  readonly folder: string;
  readonly circuit: Circuit;
  /** Its encoder, bound to the catalog, and that one's circuit breaker. */
  readonly retrieval: Retrieval | undefined;
  readonly encoderCircuit: Circuit;
  /** While the circuit is open: the same model in a process of its own, and whether it is ready to be tried there. */
  trial: { readonly process: ModelProcess; ready: boolean } | undefined;
}

/**
 * The model in service, its circuit breaker, and the buffers to hand it features in. Requests of one turn of the event
 * loop run one after another; when one of them stalls, those behind it are called off just before their turn, so that
 * a stall is paid once. (Handing runs over one at a time would do it too, but cost a bare endpoint 8 to 17 % of its
 * throughput: measured with 32 connections.)
 */
export class ModelHolder {
  /** Buffers to write features into: acquire, write, `run`, release. */
  readonly pool: ScorePool;
  readonly #options: ModelHolderOptions;
  #live: Loaded | undefined;
  #shadow: Loaded | undefined;
  /** Runs asked for and not ended. */
  #running = 0;
  /** Swaps take turns. */
  #swaps: Promise<unknown> = Promise.resolve();
  #refused: AppError | undefined;
  /** Whether this is past the first load, when nobody waits yet. */
  #started = false;

  constructor(options: ModelHolderOptions) {
    this.#options = options;
    this.pool = new ScorePool(options.features.userFeatures.length, options.features.itemFeatures.length, options.slotsMax);
  }

  /** Whether it is worth asking for a run; when not, use the fallback scorer. */
  get available(): boolean {
    return this.#live !== undefined && this.#live.circuit.available && this.#live.trial?.ready !== false;
  }

  /** Whether it is worth asking for `encode`. */
  get encodes(): boolean {
    return this.#live?.retrieval !== undefined;
  }

  /** The catalog's change as of which the encoder knows it. */
  get encoderBoundAt(): number | undefined {
    return this.#live?.retrieval?.boundAt;
  }

  get current(): Model | undefined {
    return this.#live?.model;
  }

  /** For health reports and metrics; `refused` is why the latest offered model was not taken. */
  get status(): { model: string | undefined; shadow: string | undefined; circuit: CircuitState; queued: number; refused: string | undefined } {
    return {
      model: this.#live?.model.label, shadow: this.#shadow?.model.label, circuit: this.#live?.circuit.state ?? 'closed',
      queued: this.#running, refused: this.#refused?.message,
    };
  }

  /**
   * Scores the first `count` rows of a slot. The slot may be released at once: it is not handed out before the run ends.
   * @throws AppError `model_unavailable` when there is no model, the circuit is open or the run failed
   */
  async run(slot: ScoreSlot, count: number): Promise<Scored> {
    const live = this.#live;
    if (live === undefined) throw unavailable('no model is loaded');
    if (!this.available) throw unavailable('the model is resting after a fault');
    if (live.circuit.state === 'open') {
      this.#try(live, slot, count);
      throw unavailable('the model is being tried again after a fault');
    }
    this.pool.beginRun(slot);
    this.#running += 1;
    try {
      const scored = await this.#score(live, slot, count);
      // The last of a turn: nobody waits behind it.
      if (this.#shadow !== undefined && this.#running === 1) void this.#runShadow(this.#shadow, slot, count, scored);
      return scored;
    } finally {
      this.#running -= 1;
      this.pool.endRun(slot);
    }
  }

  /**
   * Encodes a shopper by the encoder of the model in service.
   * @returns undefined when the model has none, or the shopper no history that it knows
   * @throws AppError `model_unavailable` when it rests after a fault or the run failed, `overloaded`
   */
  async encode(profile: Profile, now: number): Promise<Encoded | undefined> {
    const live = this.#live;
    if (live?.retrieval === undefined) return undefined;
    const { retrieval, encoderCircuit } = live;
    if (!encoderCircuit.admit()) throw unavailable('its encoder is resting after a fault');
    const { clock } = this.#options;
    let startedAt = clock();
    let query: Float32Array | undefined;
    try {
      query = await retrieval.encode(profile, now, () => { startedAt = clock(); });
      encoderCircuit.succeeded(clock() - startedAt);
    } catch (error) {
      if (error instanceof AppError && error.code === 'overloaded') throw error;
      encoderCircuit.failed();
      this.#options.onEvent?.({ kind: 'circuit_opened', model: live.model.label, reason: `its encoder: ${reasonOf(error)}` });
      throw error instanceof AppError ? error : unavailable(reasonOf(error), error);
    }
    // Its vectors would mean nothing to another model.
    if (this.#live !== live) throw unavailable('another one took its place meanwhile');
    return query === undefined ? undefined : { query, index: retrieval.index };
  }

  /** Lets the encoder take up items that came to the catalog. */
  async refresh(): Promise<void> {
    const live = this.#live;
    if (live?.retrieval === undefined) return;
    await this.#inTurn(live.folder, 'not_refreshed', async () => {
      await live.retrieval?.refresh();
      return undefined;
    });
  }

  /**
   * Puts the model of a folder into service. It is proven first, and after the very first time in a process of
   * its own, because the proof of a bad one may stall. Runs under way end on the model they began with. A model that is refused changes nothing.
   */
  swap(folder: string): Promise<SwapResult> {
    return this.#inTurn(folder, 'refused', async () => {
      const model = await this.#load(folder);
      const previous = this.#live;
      this.#live = await this.#loaded(model, folder);
      this.#refused = undefined;
      this.#options.onEvent?.({ kind: 'swapped', model: model.label, previous: previous?.model.label });
      await retire(previous);
      return model;
    });
  }

  /** Lets a second model score beside the live one, while nobody waits; `undefined` ends that. */
  shadow(folder: string | undefined): Promise<SwapResult | undefined> {
    if (folder === undefined) return this.#inTurn('', 'shadow_dropped', () => this.#dropShadow()).then(() => undefined);
    return this.#inTurn(folder, 'shadow_dropped', async () => {
      const model = await this.#load(folder);
      await this.#dropShadow();
      this.#shadow = this.#withoutEncoder(model, folder);
      return model;
    });
  }

  /** Frees the native sessions once their runs have ended. */
  async close(): Promise<void> {
    await this.#swaps;
    const live = this.#live;
    this.#live = undefined;
    await this.#dropShadow();
    await retire(live);
  }

  async #load(folder: string): Promise<Model> {
    const { features } = this.#options;
    if (this.#started) await checkModel(folder, features);
    this.#started = true;
    return loadModel(folder, features);
  }

  async #loaded(model: Model, folder: string): Promise<Loaded> {
    const { catalog } = this.#options;
    const loaded = this.#withoutEncoder(model, folder);
    if (model.encoder === undefined || catalog === undefined) return loaded;
    try {
      return { ...loaded, retrieval: await Retrieval.bind(model.encoder, catalog) };
    } catch (error) {
      await model.retire();
      throw error;
    }
  }

  #withoutEncoder(model: Model, folder: string): Loaded {
    const { clock, circuit } = this.#options;
    const encoderCircuit = new Circuit(clock, { ...CIRCUIT_LIMITS, coolDownMs: ENCODER_COOL_DOWN_MS, ...circuit });
    return { model, folder, circuit: new Circuit(clock, circuit), retrieval: undefined, encoderCircuit, trial: undefined };
  }

  #inTurn(folder: string, kind: 'refused' | 'shadow_dropped' | 'not_refreshed', task: () => Promise<Model | undefined>): Promise<SwapResult> {
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

  /** One run on the event loop, reported to the model's circuit. */
  async #score(loaded: Loaded, slot: ScoreSlot, count: number): Promise<Scored> {
    const { model, circuit } = loaded;
    const { clock } = this.#options;
    let startedAt = 0;
    let calledOff = false;
    const onStart = (): void => {
      calledOff = circuit.state !== 'closed';
      if (calledOff) throw unavailable('the model is resting after a fault');
      startedAt = clock();
    };
    try {
      const scores = await model.score(slot.user, slot.items, count, onStart);
      const elapsedMs = clock() - startedAt;
      for (const score of scores) if (!Number.isFinite(score)) throw unavailable('a score is not a finite number');
      this.#report(loaded, elapsedMs, 'a run took');
      return { scores, model: model.label, elapsedMs };
    } catch (error) {
      if (!calledOff) this.#report(loaded, undefined, reasonOf(error));
      throw error instanceof AppError ? error : unavailable(reasonOf(error), error);
    }
  }

  /** Reports a run, or with no time a failure, to the circuit, tells of what changed, and prepares a trial. */
  #report(loaded: Loaded, elapsedMs: number | undefined, reason: string): void {
    const { model, circuit } = loaded;
    const before = circuit.state;
    if (elapsedMs === undefined) circuit.failed();
    else circuit.succeeded(elapsedMs);
    const after = circuit.state;
    if (after === 'open') {
      const detail = elapsedMs === undefined ? '' : ` ${Math.round(elapsedMs)} ms`;
      this.#options.onEvent?.({ kind: 'circuit_opened', model: model.label, reason: `${reason}${detail}` });
      if (loaded === this.#live) this.#prepareTrial(loaded);
    } else if (before === 'probing') {
      endTrial(loaded);
      this.#options.onEvent?.({ kind: 'circuit_closed', model: model.label });
    }
  }

  /**
   * Half-open: a request's own features are tried in a process of its own, because a model that still stalls would
   * hold up everybody for as long as it takes. The process starts while the circuit cools down.
   */
  #prepareTrial(loaded: Loaded): void {
    endTrial(loaded);
    const trial = { process: new ModelProcess(loaded.folder), ready: false };
    loaded.trial = trial;
    void this.#loadTrial(loaded, trial);
  }

  async #loadTrial(loaded: Loaded, trial: NonNullable<Loaded['trial']>): Promise<void> {
    try {
      await trial.process.load(this.#options.features);
      trial.ready = true;
    } catch {
      // Made again by the first request after another pause.
      loaded.circuit.failed();
      if (loaded.trial === trial) endTrial(loaded);
    }
  }

  #try(loaded: Loaded, slot: ScoreSlot, count: number): void {
    const { circuit, trial } = loaded;
    if (trial === undefined) {
      this.#prepareTrial(loaded);
      return;
    }
    circuit.admit();
    const sample = { user: slot.user.slice(), items: slot.items.slice(0, count * this.pool.itemWidth), count };
    void trial.process.score(sample, circuit.limits.probeMs).then(
      (elapsedMs) => this.#report(loaded, elapsedMs, 'a trial run took'),
      (error: unknown) => this.#report(loaded, undefined, reasonOf(error)),
    );
  }

  /** A shadow that fails or is slow is dropped: it must never cost the live one anything. Never rejects. */
  async #runShadow(shadow: Loaded, slot: ScoreSlot, count: number, live: Scored): Promise<void> {
    this.pool.beginRun(slot);
    try {
      const scored = await this.#score(shadow, slot, count);
      if (shadow.circuit.state !== 'closed') throw unavailable('a run was slow');
      this.#options.onShadow?.(live, scored);
    } catch (error) {
      this.#options.onEvent?.({ kind: 'shadow_dropped', folder: shadow.folder, error: asAppError(error) });
      if (this.#shadow === shadow) await this.#dropShadow();
    } finally {
      this.pool.endRun(slot);
    }
  }

  async #dropShadow(): Promise<undefined> {
    const shadow = this.#shadow;
    this.#shadow = undefined;
    await shadow?.model.retire();
  }
}

function endTrial(loaded: Loaded): void {
  loaded.trial?.process.kill();
  loaded.trial = undefined;
}

async function retire(loaded: Loaded | undefined): Promise<void> {
  if (loaded === undefined) return;
  endTrial(loaded);
  await loaded.model.retire();
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function unavailable(why: string, cause?: unknown): AppError {
  return new AppError('model_unavailable', `The ranking model gave no scores: ${why}.`, { cause });
}
