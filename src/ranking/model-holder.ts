import type { Encoded } from '../candidates/generate.js';
import type { Catalog } from '../catalog/catalog.js';
import { asAppError, type AppError } from '../errors.js';
import type { Profile } from '../profile/profile.js';
import type { Clock } from '../util/clock.js';
import { breathe } from '../util/pause.js';
import type { CircuitLimits, CircuitState } from './circuit.js';
import { checkModel } from './model-check.js';
import { loadModel, type FeatureNames, type Model } from './model.js';
import { ScorePool, type ScoreSlot } from './score-pool.js';
import { ServingModel, unavailable, type CircuitEvent, type ScoreBatch, type Scored } from './serving-model.js';
import { SharedRuns } from './shared-runs.js';

/** What happened to the model, for the log and the metrics. */
export type ModelEvent =
  | { readonly kind: 'swapped'; readonly model: string; readonly previous: string | undefined }
  | { readonly kind: 'refused' | 'shadow_dropped' | 'not_refreshed'; readonly folder: string; readonly error: AppError }
  | CircuitEvent;

export interface ModelHolderOptions {
  readonly features: FeatureNames;
  /** Where a model's encoder finds candidates; without one, encoders are left out. */
  readonly catalog?: Catalog;
  readonly clock: Clock;
  readonly slotsMax?: number;
  /** Whether runs are to be shared by those who ask in the same turn, and `runBatch` will be asked for. */
  readonly batched?: boolean;
  readonly circuit?: CircuitLimits;
  readonly onEvent?: (event: ModelEvent) => void;
  /** Told the scores of the live and of the shadow model for the same candidates. */
  readonly onShadow?: (live: Scored, shadow: Scored) => void;
}

interface HolderStatus {
  readonly model: string | undefined;
  readonly shadow: string | undefined;
  readonly circuit: CircuitState;
  /** Undefined without an encoder. */
  readonly encoderCircuit: CircuitState | undefined;
  readonly queued: number;
  readonly refused: string | undefined;
}

export type SwapResult = { readonly model: string } | { readonly refused: AppError };

/**
 * The model in service, the shadow beside it, and the buffers to hand it features in. Runs of one turn of the event
 * loop follow one after another; when one of them stalls, those behind it are called off just before their turn, so that
 * a stall is paid once, or by as many as shared the run (`SharedRuns`). (Handing runs over one at a time would do it too, but cost a bare endpoint 8 to 17 % of its
 * throughput: measured with 32 connections.)
 */
export class ModelHolder {
  /** Buffers to write features into: acquire, write, `run`, release. */
  readonly pool: ScorePool;
  readonly #options: ModelHolderOptions;
  #live: ServingModel | undefined;
  /** Undefined where the live model cannot score several users in one run. */
  #shared: SharedRuns | undefined;
  #shadow: ServingModel | undefined;
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
    return this.#live?.available === true;
  }

  /** Whether it is worth asking for `encode`. */
  get encodes(): boolean {
    return this.#live?.encodes === true;
  }

  /** The catalog's change as of which the encoder knows it. */
  get encoderBoundAt(): number | undefined {
    return this.#live?.encoderBoundAt;
  }

  get current(): Model | undefined {
    return this.#live?.model;
  }

  /** For health reports and metrics; `refused` is why the latest offered model was not taken. */
  get status(): HolderStatus {
    return {
      model: this.#live?.model.label, shadow: this.#shadow?.model.label,
      circuit: this.#live?.circuit ?? 'closed', encoderCircuit: this.#live?.encoderCircuit,
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
    if (live.circuit === 'open') {
      live.tryAside({ user: slot.user.slice(), items: slot.items.slice(0, count * this.pool.itemWidth), count });
      throw unavailable('the model is being tried again after a fault');
    }
    this.pool.beginRun(slot);
    this.#running += 1;
    try {
      const scored = await (this.#shared ?? live).score(slot, count);
      // The last of a turn: nobody waits behind it.
      if (this.#shadow !== undefined && this.#running === 1) void this.#runShadow(this.#shadow, slot, count, scored);
      return scored;
    } finally {
      this.#running -= 1;
      this.pool.endRun(slot);
    }
  }

  /**
   * Scores many users in one run; the shadow does not.
   * @throws AppError `model_unavailable`, as `run`
   */
  async runBatch(batch: ScoreBatch): Promise<Scored> {
    const live = this.#live;
    if (live === undefined) throw unavailable('no model is loaded');
    if (!this.available) throw unavailable('the model is resting after a fault');
    if (live.circuit === 'open') {
      const { userWidth, itemWidth } = this.pool;
      live.tryAside({ user: batch.users.slice(0, userWidth), items: batch.items.slice(0, batch.rows * itemWidth), count: batch.rows });
      throw unavailable('the model is being tried again after a fault');
    }
    this.#running += 1;
    try {
      return await live.scoreBatch(batch);
    } finally {
      this.#running -= 1;
    }
  }

  /**
   * Encodes a shopper by the encoder of the model in service.
   * @returns undefined when the model has none, or the shopper no history that it knows
   * @throws AppError `model_unavailable` when it rests after a fault or the run failed, `overloaded`
   */
  async encode(profile: Profile, now: number): Promise<Encoded | undefined> {
    const live = this.#live;
    const encoded = await live?.encode(profile, now);
    // Its vectors would mean nothing to another model.
    if (this.#live !== live) throw unavailable('another one took its place meanwhile');
    return encoded;
  }

  /** Lets the encoder take up items that came to the catalog. */
  async refresh(): Promise<void> {
    const live = this.#live;
    if (live?.encodes !== true) return;
    await this.#inTurn(live.folder, 'not_refreshed', async () => {
      await live.refresh();
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
      const live = await ServingModel.bind(model, folder, this.#options, this.#options.catalog);
      this.#live = live;
      this.#shared = model.isBatched ? new SharedRuns(live, this.pool) : undefined;
      this.#refused = undefined;
      this.#options.onEvent?.({ kind: 'swapped', model: model.label, previous: previous?.model.label });
      await retireAfterTurn(previous);
      return model;
    });
  }

  /** Lets a second model score beside the live one, while nobody waits; `undefined` ends that. */
  shadow(folder: string | undefined): Promise<SwapResult | undefined> {
    if (folder === undefined) return this.#inTurn('', 'shadow_dropped', () => this.#dropShadow()).then(() => undefined);
    return this.#inTurn(folder, 'shadow_dropped', async () => {
      const model = await this.#load(folder);
      await this.#dropShadow();
      this.#shadow = new ServingModel(model, folder, this.#options, undefined, true);
      return model;
    });
  }

  /** Frees the native sessions once their runs have ended. */
  async close(): Promise<void> {
    await this.#swaps;
    const live = this.#live;
    this.#live = undefined;
    await this.#dropShadow();
    await retireAfterTurn(live);
  }

  async #load(folder: string): Promise<Model> {
    const { features, batched = false } = this.#options;
    if (this.#started) await checkModel(folder, features);
    this.#started = true;
    return loadModel(folder, features, { batched });
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

  /** A shadow that fails or is slow is dropped: it must never cost the live one anything. Never rejects. */
  async #runShadow(shadow: ServingModel, slot: ScoreSlot, count: number, live: Scored): Promise<void> {
    this.pool.beginRun(slot);
    try {
      const scored = await shadow.score(slot, count);
      if (shadow.circuit !== 'closed') throw unavailable('a run was slow');
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
    await shadow?.retire();
  }
}

/** What was asked of it in this turn is handed over at the turn's end. */
async function retireAfterTurn(model: ServingModel | undefined): Promise<void> {
  await breathe();
  await model?.retire();
}
