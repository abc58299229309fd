import type { Logger } from 'pino';
import { DriftCounter, readDistribution } from '../ranking/distribution.js';
import { labelOf } from '../ranking/model-registry.js';
import { readManifest } from '../ranking/manifest.js';
import type { ModelPlaces } from '../ranking/model-watcher.js';
import type { FeatureNames } from '../ranking/model.js';
import type { DriftStore } from '../redis/drift-store.js';
import { SHOWN_FLOATS } from '../redis/impression-log.js';
import { Rounds } from '../util/rounds.js';
import type { VectorEntry, StreamHandler } from './streams.js';

export const DRIFT_JOB_LIMITS = {
  /** Impressions of a batch that are looked at: each costs about 50 µs. */
  perBatch: 8,
  /** Between publications, ms; at each, what was counted before weighs this much less: half after seven minutes. */
  everyMs: 10_000, fade: 0.984,
  /** Fewer lists say nothing yet. */
  listsMin: 100,
} as const;

interface Options {
  readonly models: Pick<ModelPlaces, 'servingFolder'>;
  readonly store: Pick<DriftStore, 'write'>;
  readonly features: FeatureNames;
  readonly log: Logger;
  readonly everyMs?: number;
}

/** Watches how far live traffic is from where the serving model was trained, by a sample of what is archived anyway. */
export class DriftMonitor implements StreamHandler<VectorEntry> {
  readonly name: string;
  readonly #rounds: Rounds;
  #folder = '';
  #model = '';
  #counter: DriftCounter | undefined;

  /** @param archiver does what has to be done with every entry */
  constructor(private readonly archiver: StreamHandler<VectorEntry>, private readonly options: Options) {
    this.name = archiver.name;
    const { log, everyMs = DRIFT_JOB_LIMITS.everyMs } = options;
    this.#rounds = new Rounds({
      everyMs, round: () => this.#round(),
      onError: (error) => { log.warn({ err: error }, 'drift is not measured at the moment'); },
    });
  }

  async handle(entries: readonly VectorEntry[]): Promise<void> {
    await this.archiver.handle(entries);
    this.#look(entries);
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  #look(entries: readonly VectorEntry[]): void {
    const { userFeatures, itemFeatures } = this.options.features;
    const all = entries.flatMap(({ records }) => records);
    const step = Math.max(1, Math.ceil(all.length / DRIFT_JOB_LIMITS.perBatch));
    for (let i = 0; i < all.length; i += step) {
      const { json, vectors } = all[i]!;
      if (this.#counter === undefined || !json.includes(`"model":${JSON.stringify(this.#model)}`)) continue;
      // A copy: the pool behind a small Buffer is not aligned for floats.
      const floats = new Float32Array(new Uint8Array(vectors).buffer);
      const count = (floats.length - userFeatures.length) / SHOWN_FLOATS;
      if (!Number.isInteger(count)) continue;
      const items = new Float32Array(count * itemFeatures.length);
      const scores = new Float32Array(count);
      for (let row = 0; row < count; row++) {
        const from = userFeatures.length + row * SHOWN_FLOATS;
        scores[row] = floats[from]!;
        items.set(floats.subarray(from + SHOWN_FLOATS - itemFeatures.length, from + SHOWN_FLOATS), row * itemFeatures.length);
      }
      this.#counter.add({ user: floats, items, scores, count });
    }
  }

  async #round(): Promise<void> {
    await this.#follow();
    await this.#publish();
  }

  /** Another model has another past. */
  async #follow(): Promise<void> {
    const folder = await this.options.models.servingFolder();
    const model = labelOf(await readManifest(folder));
    if (folder === this.#folder && model === this.#model) return;
    const distribution = await readDistribution(folder);
    this.#folder = folder;
    this.#model = model;
    this.#counter = distribution === undefined ? undefined : new DriftCounter(distribution, this.options.features);
  }

  async #publish(): Promise<void> {
    const counter = this.#counter;
    if (counter === undefined || counter.lists < DRIFT_JOB_LIMITS.listsMin) return;
    await this.options.store.write({ model: this.#model, lists: Math.round(counter.lists), indexes: counter.indexes() });
    counter.fade(DRIFT_JOB_LIMITS.fade);
  }
}
