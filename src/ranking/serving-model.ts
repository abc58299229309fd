import type { Encoded } from '../candidates/generate.js';
import type { Catalog } from '../catalog/catalog.js';
import { Retrieval } from '../encoder/retrieval.js';
import { AppError } from '../errors.js';
import type { Profile } from '../profile/profile.js';
import type { Clock } from '../util/clock.js';
import { CIRCUIT_LIMITS, Circuit, type CircuitLimits, type CircuitState } from './circuit.js';
import { ModelProcess, type ModelSample } from './model-check.js';
import type { BatchShape, FeatureNames, Model } from './model.js';
import type { ScoreSlot } from './score-pool.js';

export interface Scored {
  /** One score per candidate, higher is better; the caller's to keep. */
  readonly scores: Float32Array;
  /** Label of the model that gave them. */
  readonly model: string;
  /** Time of the run, ms. */
  readonly elapsedMs: number;
}

/** Features of many users, and of the same number of rows for each. Neither buffer may be changed before the scores are there. */
export interface ScoreBatch extends BatchShape {
  /** `count` users of the engine's width, one after another. */
  readonly users: Float32Array;
  /** `count · rows` rows of the engine's width, user by user. */
  readonly items: Float32Array;
}

/** What the circuit breaker of a model did. */
export type CircuitEvent =
  | { readonly kind: 'circuit_opened'; readonly model: string; readonly reason: string }
  | { readonly kind: 'circuit_closed'; readonly model: string };

export interface ServingOptions {
  readonly features: FeatureNames;
  readonly clock: Clock;
  readonly circuit?: CircuitLimits;
  readonly onEvent?: (event: CircuitEvent) => void;
}

/** An encoder's fault is waited out for longer, because the run that tries it again holds everybody up if it stalls, ms. */
const ENCODER_COOL_DOWN_MS = 30_000;

/** The same model in a process of its own, and whether it is ready to be tried there. */
interface Trial { readonly process: ModelProcess; ready: boolean }

/** A model that is loaded, with its encoder bound to the catalog, each behind a circuit breaker of its own. */
export class ServingModel {
  readonly #options: ServingOptions;
  readonly #circuit: Circuit;
  readonly #retrieval: Retrieval | undefined;
  readonly #encoderCircuit: Circuit;
  /** While the circuit is open. */
  #trial: Trial | undefined;
  #isRetired = false;

  /**
   * @param retrieval undefined: without an encoder
   * @param isShadow never tried again after a fault
   */
  constructor(readonly model: Model, readonly folder: string, options: ServingOptions, retrieval?: Retrieval, readonly isShadow = false) {
    const { clock, circuit } = options;
    this.#options = options;
    this.#circuit = new Circuit(clock, circuit);
    this.#encoderCircuit = new Circuit(clock, { ...CIRCUIT_LIMITS, coolDownMs: ENCODER_COOL_DOWN_MS, ...circuit });
    this.#retrieval = retrieval;
  }

  /** Binds the model's encoder, where it has one, to a catalog. The model is retired if that fails. */
  static async bind(model: Model, folder: string, options: ServingOptions, catalog: Catalog | undefined): Promise<ServingModel> {
    if (model.encoder === undefined || catalog === undefined) return new ServingModel(model, folder, options);
    try {
      return new ServingModel(model, folder, options, await Retrieval.bind(model.encoder, catalog));
    } catch (error) {
      await model.retire();
      throw error;
    }
  }

  /** Whether it is worth asking for a run or, after a fault, for a trial. */
  get available(): boolean {
    return this.#circuit.available && this.#trial?.ready !== false;
  }

  get circuit(): CircuitState {
    return this.#circuit.state;
  }

  get encodes(): boolean {
    return this.#retrieval !== undefined;
  }

  /** Undefined without an encoder. */
  get encoderCircuit(): CircuitState | undefined {
    return this.encodes ? this.#encoderCircuit.state : undefined;
  }

  /** The catalog's change as of which the encoder knows it. */
  get encoderBoundAt(): number | undefined {
    return this.#retrieval?.boundAt;
  }

  /**
   * One run on the event loop, reported to the circuit.
   * @throws AppError `model_unavailable` when the circuit is open by the time of its turn, or the run failed
   */
  score(slot: ScoreSlot, count: number): Promise<Scored> {
    return this.#run((onStart) => this.model.score(slot.user, slot.items, count, onStart));
  }

  /** As `score`, for many users: see `Model.scoreBatch`. */
  scoreBatch({ users, items, count, rows }: ScoreBatch): Promise<Scored> {
    return this.#run((onStart) => this.model.scoreBatch(users, items, { count, rows }, onStart));
  }

  async #run(run: (onStart: () => void) => Promise<Float32Array>): Promise<Scored> {
    const { clock } = this.#options;
    let startedAt = 0;
    let calledOff = false;
    const onStart = (): void => {
      calledOff = this.#circuit.state !== 'closed';
      if (calledOff) throw unavailable('the model is resting after a fault');
      startedAt = clock();
    };
    try {
      const scores = await run(onStart);
      const elapsedMs = clock() - startedAt;
      for (const score of scores) if (!Number.isFinite(score)) throw unavailable('a score is not a finite number');
      this.#report(elapsedMs, 'a run took');
      return { scores, model: this.model.label, elapsedMs };
    } catch (error) {
      if (!calledOff) this.#report(undefined, reasonOf(error));
      throw error instanceof AppError ? error : unavailable(reasonOf(error), error);
    }
  }

  /**
   * Encodes a shopper.
   * @returns undefined without an encoder, or when the shopper has no history that it knows
   * @throws AppError `model_unavailable` when it rests after a fault or the run failed, `overloaded`
   */
  async encode(profile: Profile, now: number): Promise<Encoded | undefined> {
    const retrieval = this.#retrieval;
    if (retrieval === undefined) return undefined;
    const { clock } = this.#options;
    const circuit = this.#encoderCircuit;
    let startedAt: number | undefined;
    const onStart = (): void => {
      // The second time, one before it may have stalled meanwhile.
      const mayRun = startedAt === undefined ? circuit.admit() : circuit.state !== 'open';
      startedAt = mayRun ? clock() : undefined;
      if (!mayRun) throw unavailable('its encoder is resting after a fault');
    };
    try {
      const query = await retrieval.encode(profile, now, onStart);
      if (startedAt !== undefined) this.#judge(circuit, clock() - startedAt, 'its encoder: a run took');
      return query === undefined ? undefined : { query, index: retrieval.index };
    } catch (error) {
      // Without a run there is nothing to report: it rests, or too many runs are under way.
      if (startedAt !== undefined) this.#judge(circuit, undefined, `its encoder: ${reasonOf(error)}`);
      throw error instanceof AppError ? error : unavailable(reasonOf(error), error);
    }
  }

  /** Lets the encoder take up items that came to the catalog. */
  async refresh(): Promise<void> {
    await this.#retrieval?.refresh();
  }

  /**
   * Half-open: a request's own features are tried in a process of its own, because a model that still stalls would
   * hold up everybody for as long as it takes. The process starts while the circuit cools down.
   */
  tryAside(sample: ModelSample): void {
    const trial = this.#trial;
    if (trial === undefined) {
      this.#prepareTrial();
      return;
    }
    this.#circuit.admit();
    void trial.process.score(sample, this.#circuit.limits.probeMs).then(
      (elapsedMs) => this.#report(elapsedMs, 'a trial run took'),
      (error: unknown) => this.#report(undefined, reasonOf(error)),
    );
  }

  /** Frees the native sessions once the runs under way have ended. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    this.#endTrial();
    await this.model.retire();
  }

  /** Reports a run of the ranker, or with no time a failure, and prepares or ends its trial. */
  #report(elapsedMs: number | undefined, reason: string): void {
    this.#judge(this.#circuit, elapsedMs, reason);
    if (this.#circuit.state !== 'open') this.#endTrial();
    else if (!this.#isRetired && !this.isShadow) this.#prepareTrial();
  }

  /** Reports a run, or with no time a failure, to a circuit, and tells of what changed. */
  #judge(circuit: Circuit, elapsedMs: number | undefined, reason: string): void {
    const { onEvent } = this.#options;
    const before = circuit.state;
    if (elapsedMs === undefined) circuit.failed();
    else circuit.succeeded(elapsedMs);
    if (circuit.state === 'open') {
      const detail = elapsedMs === undefined ? '' : ` ${Math.round(elapsedMs)} ms`;
      onEvent?.({ kind: 'circuit_opened', model: this.model.label, reason: `${reason}${detail}` });
    } else if (before !== 'closed') onEvent?.({ kind: 'circuit_closed', model: this.model.label });
  }

  #prepareTrial(): void {
    this.#endTrial();
    const trial = { process: new ModelProcess(this.folder), ready: false };
    this.#trial = trial;
    void this.#loadTrial(trial);
  }

  async #loadTrial(trial: Trial): Promise<void> {
    try {
      await trial.process.load(this.#options.features);
      trial.ready = true;
    } catch {
      // Made again by the first request after another pause.
      this.#circuit.failed();
      if (this.#trial === trial) this.#endTrial();
    }
  }

  #endTrial(): void {
    this.#trial?.process.kill();
    this.#trial = undefined;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function unavailable(why: string, cause?: unknown): AppError {
  return new AppError('model_unavailable', `The ranking model gave no scores: ${why}.`, { cause });
}
