import { BETWEEN, type Catalog } from '../catalog/catalog.js';
import { compileFilter } from '../candidates/filter.js';
import { generateCandidates, type CandidateRequest, type Encoded } from '../candidates/generate.js';
import { CandidatePool, RowMarks, SOURCES, SOURCE_INDEX } from '../candidates/pool.js';
import type { Statistics } from '../candidates/statistics.js';
import { contextRows, hiddenRows } from '../candidates/visible.js';
import type { Context } from '../domain/event.js';
import { RECOMMENDATION_LIMITS, type Degradation, type Filter } from '../domain/recommendation.js';
import type { Scene } from '../domain/scene.js';
import { asAppError } from '../errors.js';
import type { Profile } from '../profile/profile.js';
import { writeUserFeatures } from '../profile/vector.js';
import { fallbackScores } from '../ranking/fallback.js';
import { FeatureWriter } from '../ranking/features.js';
import type { Impression, RankedState } from '../redis/impression-log.js';
import type { ModelHolder } from '../ranking/model-holder.js';
import { diversify, explore, placeRooms, roomsIn, type RankedSlot } from '../ranking/rerank.js';
import type { ScoreSlot } from '../ranking/score-pool.js';
import { bestOf } from '../util/best-of.js';
import { BoundedMap } from '../util/bounded-map.js';
import type { Clock } from '../util/clock.js';
import { LATE, within } from '../util/deadline.js';
import type { Random } from '../util/random.js';
import { explainItem, explainUser, type ItemExplanation } from './explain.js';

/** The recommendation path after the profile is read: candidates, features, one run, re-rank, reply, log. */

const RECOMMEND_LIMITS = {
  /** Last lists kept, by shopper and scene, for when a full answer cannot be had. */
  cachedListsMax: 10_000,
} as const;

export interface RecommendDeps {
  readonly catalog: Catalog;
  readonly statistics: () => Statistics;
  readonly pins: (scene: Scene) => readonly string[];
  readonly model: ModelHolder;
  readonly impressions: { add(impression: Impression): void };
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => string;
  readonly candidatesMax: number;
  readonly deadlineMs: number;
  readonly onFault: (error: unknown) => void;
}

/** One list that is asked for. */
export interface ListRequest {
  readonly shopper: string | undefined;
  readonly profile: Profile;
  /** Whether the profile is as in the store: read from there just now. */
  readonly isStored: boolean;
  readonly scene: Scene;
  readonly limit: number | undefined;
  readonly itemId: string | undefined;
  readonly itemIds: readonly string[] | undefined;
  readonly filter: Filter | undefined;
  readonly context: Context | undefined;
  readonly explain: boolean;
  /** Rows shown elsewhere on the page. */
  readonly shown: ReadonlySet<number>;
}

export interface RankedItem {
  readonly row: number;
  readonly score: number;
  readonly source: string;
  readonly explanation?: ItemExplanation;
}

export interface RankedList {
  readonly requestId: string;
  readonly scene: Scene;
  readonly items: readonly RankedItem[];
  /** Label of the model that scored, or the name of what stood in for it. */
  readonly model: string;
  readonly degraded: readonly Degradation[];
  readonly explanation?: Readonly<Record<string, unknown>>;
}

interface EncodedOrNot {
  readonly encoded: Encoded | undefined;
  readonly missing: readonly Degradation[];
}
const NOT_ENCODED: EncodedOrNot = { encoded: undefined, missing: [] };

/** A ranking as it is logged. */
interface Ranking {
  readonly requestId: string;
  readonly request: ListRequest;
  readonly pool: CandidatePool;
  readonly slot: ScoreSlot;
  readonly ranked: readonly RankedSlot[];
  readonly scores: Float32Array;
  readonly label: string;
  readonly now: number;
  readonly state: RankedState;
}

export class Recommender {
  readonly #deps: RecommendDeps;
  readonly #marks = new RowMarks();
  readonly #pools: CandidatePool[] = [];
  readonly #writer = new FeatureWriter();
  readonly #cached = new BoundedMap<string, readonly number[]>(RECOMMEND_LIMITS.cachedListsMax);

  constructor(deps: RecommendDeps) {
    this.#deps = deps;
  }

  /** Ranks one list. Never throws: what cannot be done in full is done by the next rung of the ladder, and said. */
  async rank(request: ListRequest): Promise<RankedList> {
    try {
      return await this.#rankFully(request);
    } catch (error) {
      if (asAppError(error).code !== 'overloaded') this.#deps.onFault(error);
      return this.#standIn(request);
    }
  }

  /** Forgets the lists of an erased shopper. */
  forget(shopper: string, scenes: readonly string[]): void {
    for (const scene of scenes) this.#cached.delete(`${shopper}|${scene}`);
  }

  async #rankFully(request: ListRequest): Promise<RankedList> {
    const { model, catalog, clock } = this.#deps;
    const now = clock();
    const slot = model.pool.acquire();
    const pool = this.#pools.pop() ?? new CandidatePool(this.#marks);
    try {
      const { encoded, missing } = model.encodes ? await this.#encode(request.profile, now) : NOT_ENCODED;
      const asked = this.#candidates(pool, request, now, encoded);
      writeUserFeatures(slot.user, request.profile, request.scene, now);
      this.#writer.write(slot.items, pool, asked);
      const state = rankedState(request, asked, model, missing.length === 0);
      const { scores, label, degraded } = await this.#score(slot, pool.count);
      const ranked = this.#select(pool, scores, request);
      const requestId = this.#deps.newId();
      this.#log({ requestId, request, pool, slot, ranked, scores, label, now, state });
      const items = ranked.map((entry): RankedItem => {
        const row = pool.rows[entry.slot]!;
        const item = { row, score: scores[entry.slot]!, source: SOURCES[pool.first[entry.slot]!]! };
        return request.explain ? { ...item, explanation: explainItem(pool, slot.items, entry) } : item;
      });
      if (request.shopper !== undefined && request.itemIds === undefined && request.filter === undefined) {
        this.#cached.set(`${request.shopper}|${request.scene}`, items.map((item) => item.row));
      }
      const list = { requestId, scene: request.scene, items, model: label, degraded: [...missing, ...degraded] };
      if (!request.explain) return list;
      return { ...list, explanation: { ...explainUser(slot.user, request.profile), candidates: pool.count, catalogItems: catalog.size } };
    } finally {
      this.#pools.push(pool);
      model.pool.release(slot);
    }
  }

  /** Not at any price: without it the other sources do. */
  async #encode(profile: Profile, now: number): Promise<EncodedOrNot> {
    const { model, deadlineMs } = this.#deps;
    try {
      const encoded = await within(model.encode(profile, now), deadlineMs / 4);
      if (encoded !== LATE) return { encoded, missing: [] };
    } catch (error) {
      if (!['model_unavailable', 'overloaded'].includes(asAppError(error).code)) throw error;
    }
    return { encoded: undefined, missing: ['no_encoder'] };
  }

  #candidates(pool: CandidatePool, request: ListRequest, now: number, encoded: Encoded | undefined): CandidateRequest {
    const { catalog, random, model } = this.#deps;
    const contextRows = this.#contextRows(request);
    const asked: CandidateRequest = {
      catalog, statistics: this.#deps.statistics(), profile: request.profile, scene: request.scene, region: regionOf(request.context),
      contextRows, pinnedRows: this.#rowsOf(this.#deps.pins(request.scene)), now, random,
      encoded, reads: model.current?.reads,
    };
    if (request.itemIds === undefined) pool.begin(catalog, this.#deps.candidatesMax, this.#acceptor(request, contextRows));
    else {
      pool.begin(catalog, request.itemIds.length, this.#asked(request));
      for (const row of this.#rowsOf(request.itemIds)) pool.add(row, SOURCE_INDEX.requested);
      pool.close();
    }
    generateCandidates(pool, asked);
    return asked;
  }

  /** What may be shown: the filter, in stock, not dismissed, not on the page already. */
  #acceptor(request: ListRequest, context: readonly number[]): (row: number) => boolean {
    const { catalog } = this.#deps;
    return compileFilter(catalog, request.filter, hiddenRows(catalog, request.profile, request.scene, [...request.shown, ...context]));
  }

  /** Of items that are asked for by id: what is sold out, too, unless a filter says otherwise. */
  #asked({ filter, shown }: ListRequest): (row: number) => boolean {
    return compileFilter(this.#deps.catalog, filter ?? { inStock: false }, shown);
  }

  #contextRows({ itemId, scene, profile }: ListRequest): number[] {
    return contextRows(this.#deps.catalog, profile, scene, itemId);
  }

  #rowsOf(ids: readonly string[]): number[] {
    return ids.map((id) => this.#deps.catalog.rowOf(id)).filter((row) => row >= 0);
  }

  async #score(slot: ScoreSlot, count: number): Promise<{ scores: Float32Array; label: string; degraded: Degradation[] }> {
    const { model, deadlineMs } = this.#deps;
    if (count === 0) return { scores: new Float32Array(0), label: model.current?.label ?? 'fallback', degraded: [] };
    if (model.available) {
      try {
        const scored = await within(model.run(slot, count), deadlineMs);
        if (scored !== LATE) return { scores: scored.scores, label: scored.model, degraded: [] };
      } catch (error) {
        if (asAppError(error).code !== 'model_unavailable') throw error;
      }
    }
    return { scores: fallbackScores(slot.items, count), label: 'fallback', degraded: ['fallback_scorer'] };
  }

  #select(pool: CandidatePool, scores: Float32Array, request: ListRequest): RankedSlot[] {
    const { catalog, random } = this.#deps;
    const limit = Math.min(limitOf(request), pool.count);
    if (request.itemIds !== undefined) return bestOf(scores, pool.count).slice(0, limit).map((slot) => ({ slot, propensity: 1 }));
    const rooms = roomsIn(catalog, pool, scores);
    const list = diversify(catalog, pool, scores, Math.min(limit + rooms.length, pool.count));
    const ranked = rooms.length === 0 ? list : placeRooms(catalog, pool, { rooms, list, limit });
    explore(ranked, { count: pool.count, random, rooms, isPinned: (slot) => pool.first[slot] === SOURCE_INDEX.pinned });
    return ranked;
  }

  #log({ requestId, request, pool, slot, ranked, scores, label, now, state }: Ranking): void {
    if (request.shopper === undefined || ranked.length === 0) return;
    this.#deps.impressions.add({
      requestId, shopper: request.shopper, scene: request.scene, model: label, at: now, state,
      user: slot.user, items: slot.items,
      shown: ranked.map((entry) => ({
        idJson: this.#deps.catalog.json(pool.rows[entry.slot]!).id, slot: entry.slot, score: scores[entry.slot]!,
        propensity: entry.propensity, source: pool.first[entry.slot]!, proposedBy: pool.sources[entry.slot]!,
      })),
    });
  }

  /** Lower rungs: the shopper's last list, what is popular in the region and scene, anything there is. */
  #standIn(request: ListRequest): RankedList {
    const { catalog } = this.#deps;
    const statistics = this.#deps.statistics();
    const limit = limitOf(request);
    const accept = request.itemIds === undefined ? this.#acceptor(request, this.#contextRows(request)) : this.#asked(request);
    const take = (rows: Iterable<number>): number[] => {
      const taken = new Set<number>();
      for (const row of rows) {
        if (taken.size === limit) break;
        if (accept(row)) taken.add(row);
      }
      return [...taken];
    };
    const region = regionOf(request.context);
    // What was asked for by id has no other rung: nothing else is an answer.
    const rungs: [Degradation, () => number[]][] = request.itemIds === undefined ? [
      ['cached_list', () => take(this.#cached.get(`${request.shopper}|${request.scene}`) ?? [])],
      ['popular_list', () => take([...statistics.trending(`region:${region}`) ?? [], ...statistics.trending('all') ?? [], ...statistics.order])],
      ['static_list', () => take(catalog.allRows())],
    ] : [['cached_list', () => take(this.#rowsOf(request.itemIds!))]];
    for (const [rung, list] of rungs) {
      const rows = list();
      if (rows.length === 0) continue;
      return {
        requestId: this.#deps.newId(), scene: request.scene, model: 'none', degraded: [rung],
        items: rows.map((row, i) => ({ row, score: 1 / (i + 1), source: rung })),
      };
    }
    return { requestId: this.#deps.newId(), scene: request.scene, model: 'none', degraded: ['static_list'], items: [] };
  }
}

/**
 * Taken when the features are written: while the model runs, the catalog and the lists may change.
 * @param isWhole whether nothing that the model reads was missing
 */
function rankedState({ profile, isStored, itemId }: ListRequest, { catalog, statistics }: CandidateRequest, model: ModelHolder, isWhole: boolean): RankedState {
  const { sequence } = catalog;
  const { boundAt: bound } = statistics;
  const { encoderBoundAt: encoder } = model;
  const isNamed = isStored && isWhole && sequence !== BETWEEN && bound !== BETWEEN && encoder !== BETWEEN;
  return {
    events: isNamed ? profile.events : undefined, itemId,
    catalog: sequence, statistics: statistics.version, bound, trending: statistics.trendingVersion, model: model.current?.label ?? '', encoder,
  };
}

const limitOf = ({ limit, itemIds }: ListRequest): number => limit ?? itemIds?.length ?? RECOMMENDATION_LIMITS.limitDefault;

function regionOf(context: Context | undefined): string | undefined {
  const region = context?.['region'];
  return typeof region === 'string' ? region : undefined;
}
