import type { ArchivedImpression, ArchivedWorld } from '../../archive/reader.js';
import { generateCandidates, type CandidateRequest, type Encoded } from '../../candidates/generate.js';
import { CandidatePool, RowMarks } from '../../candidates/pool.js';
import { Statistics } from '../../candidates/statistics.js';
import { contextRows } from '../../candidates/visible.js';
import { SCENES } from '../../domain/scene.js';
import { Retrieval } from '../../encoder/retrieval.js';
import type { Profile } from '../../profile/profile.js';
import { USER_FEATURES, writeUserFeatures } from '../../profile/vector.js';
import { ENGINE_FEATURES, FeatureWriter, ITEM_FEATURES } from '../../ranking/features.js';
import { loadModel, type Model } from '../../ranking/model.js';
import { SHOWN_FLOATS } from '../../redis/impression-log.js';
import { CatalogHistory } from './catalog-history.js';
import { readIncrement, readStatistics, TrendingHistory } from './published.js';

const WIDTH = ITEM_FEATURES.length;

/** What the archive, or the registry of models, does not hold any more, or held only later. */
export type Missing = 'catalog' | 'statistics' | 'trending' | 'model' | 'item';

/** A model with its encoder bound to the catalog. */
interface Bound { readonly label: string; readonly model: Model; readonly retrieval: Retrieval | undefined }

/** All that ranking reads beside the profile, as the process that ranked had it. */
export class World {
  readonly #dir: string;
  readonly #folderOf: (label: string) => Promise<string>;
  readonly #history: CatalogHistory;
  readonly #trending: TrendingHistory;
  readonly #pool = new CandidatePool(new RowMarks());
  readonly #writer = new FeatureWriter();
  #statistics: Statistics | undefined;
  /** Version of the statistics, and the change of the catalog they were bound at. */
  #statisticsBound = '';
  #trends = -1;
  #ranker: Bound | undefined;

  /** @param as folder of a model that stands in for all that served */
  constructor(dir: string, folderOf: (label: string) => Promise<string>, private readonly as?: string) {
    this.#dir = dir;
    this.#folderOf = as === undefined ? folderOf : async () => as;
    this.#history = new CatalogHistory(dir);
    this.#trending = new TrendingHistory(dir);
  }

  /** Goes to where the process was. @returns what of it cannot be had */
  async bring(world: ArchivedWorld): Promise<Missing | undefined> {
    const [version = '', increments = '0'] = world.statistics.split('+');
    const steps: { readonly at: number; readonly take: () => Promise<Missing | undefined> }[] = [];
    if (`${version} ${world.bound}` !== this.#statisticsBound || this.#statistics!.increments > Number(increments)) {
      steps.push({ at: world.bound, take: () => this.#bindStatistics(version, world.bound) });
    }
    const label = this.as ?? world.model;
    // A model that stands in takes up new items when the statistics do.
    const encoder = this.as === undefined ? world.encoder : world.bound;
    const { retrieval } = this.#ranker ?? {};
    if (this.#ranker?.label !== label || (this.as === undefined ? retrieval?.boundAt !== encoder : steps.length > 0)) {
      steps.push({ at: encoder ?? world.bound, take: () => this.#bindModel(label) });
    }
    // What was bound to an earlier catalog comes first: it only goes forward.
    for (const { at, take } of steps.sort((a, b) => a.at - b.at)) {
      if (!(await this.#history.toSequence(at))) return 'catalog';
      const missing = await take();
      if (missing !== undefined) return missing;
    }
    return await this.#catchUp(version, Number(increments)) ?? await this.#goOn(world);
  }

  async close(): Promise<void> {
    await this.#ranker?.model.retire();
    this.#ranker = undefined;
  }

  /** @returns vectors as they are logged, scores and propensities as they were */
  async rebuild(impression: ArchivedImpression, profile: Profile): Promise<Float32Array | 'item'> {
    const { catalog } = this.#history;
    const pool = this.#pool;
    const { items, at: now, itemId, sources, proposedBy = [] } = impression;
    const scene = SCENES.find((known) => known === impression.scene)!;
    const rows = items.map((id) => catalog.rowOf(id));
    if (rows.includes(-1)) return 'item';
    const request: CandidateRequest = {
      catalog, statistics: this.#statistics!, profile, scene, region: undefined, contextRows: contextRows(catalog, profile, scene, itemId),
      pinnedRows: [], now, random: () => 0, encoded: await this.#encode(profile, now), reads: this.#ranker?.model.reads,
    };
    pool.begin(catalog, items.length, () => true);
    rows.forEach((row, i) => pool.add(row, sources[i]!));
    pool.close();
    generateCandidates(pool, request);
    // By chance, or by what else was in the pool: the log says.
    proposedBy.forEach((bits, slot) => { pool.sources[slot] = bits; });
    const features = new Float32Array(items.length * WIDTH);
    const vectors = impression.vectors.slice();
    writeUserFeatures(vectors, profile, scene, now);
    this.#writer.write(features, pool, request);
    for (let i = 0; i < items.length; i++) vectors.set(features.subarray(i * WIDTH, (i + 1) * WIDTH), USER_FEATURES.length + i * SHOWN_FLOATS + SHOWN_FLOATS - WIDTH);
    return vectors;
  }

  async #encode(profile: Profile, now: number): Promise<Encoded | undefined> {
    const retrieval = this.#ranker?.retrieval;
    const query = await retrieval?.encode(profile, now);
    return retrieval === undefined || query === undefined ? undefined : { query, index: retrieval.index };
  }

  async #bindStatistics(version: string, bound: number): Promise<Missing | undefined> {
    this.#statisticsBound = '';
    const data = await readStatistics(this.#dir, version);
    if (data === undefined) return 'statistics';
    this.#statistics = await Statistics.build(data, this.#history.catalog);
    this.#statisticsBound = `${version} ${bound}`;
    this.#trends = -1;
    return undefined;
  }

  async #bindModel(label: string): Promise<Missing | undefined> {
    if (label === this.#ranker?.label) {
      await this.#ranker.retrieval?.refresh();
      return undefined;
    }
    await this.close();
    if (label === '') return undefined;
    const folder = await this.#folderOf(label).catch(() => undefined);
    if (folder === undefined) return 'model';
    const model = await loadModel(folder, ENGINE_FEATURES);
    this.#ranker = { label, model, retrieval: model.encoder === undefined ? undefined : await Retrieval.bind(model.encoder, this.#history.catalog) };
    return undefined;
  }

  async #catchUp(version: string, increments: number): Promise<Missing | undefined> {
    for (let number = this.#statistics!.increments + 1; number <= increments; number++) {
      const increment = await readIncrement(this.#dir, version, number);
      if (increment === undefined) return 'statistics';
      this.#statistics!.apply(increment, number);
    }
    return undefined;
  }

  async #goOn({ catalog, trending }: ArchivedWorld): Promise<Missing | undefined> {
    if (!(await this.#history.toSequence(catalog))) return 'catalog';
    if (trending === this.#trends) return undefined;
    const lists = await this.#trending.find(trending);
    if (lists === undefined) return 'trending';
    this.#statistics!.setTrending(lists);
    this.#trends = trending;
    return undefined;
  }
}
