import type { Catalog } from '../catalog/catalog.js';
import type { Degradation, RecommendationBatchInput, RecommendationInput } from '../domain/recommendation.js';
import { SCENES } from '../domain/scene.js';
import { shopperKey } from '../domain/shopper.js';
import { emptyProfile } from '../profile/profile.js';
import type { IngestReport } from './ingest-events.js';
import type { ListRequest, RankedItem, RankedList, Recommender } from './recommend.js';
import type { ShopperReader, ShopperState } from './shopper-reader.js';

export interface RecommendationMetrics {
  /** Milliseconds from request to reply, and what the reply was reduced to. */
  readonly onReply: (elapsedMs: number, degraded: readonly Degradation[]) => void;
}

/** The recommendation path as clients call it: one list or a page of lists, as the JSON text of the reply. */
export class RecommendationService {
  constructor(
    private readonly reader: ShopperReader, private readonly recommender: Recommender,
    private readonly catalog: Catalog, private readonly deadlineMs: number, private readonly metrics: RecommendationMetrics,
  ) {}

  /** `{requestId, items, model, degraded?, events?, explain?}` */
  async recommend(input: RecommendationInput): Promise<string> {
    const startedAt = performance.now();
    const state = await this.#state(input);
    const list = await this.recommender.rank(toListRequest(input, input, state, new Set()));
    const degraded = [...state.degraded, ...list.degraded];
    this.metrics.onReply(performance.now() - startedAt, degraded);
    return `{"requestId":${JSON.stringify(list.requestId)},${this.#body(list, input.withItems ?? false)},"model":${JSON.stringify(list.model)}${tail(degraded, state.events)}}`;
  }

  /** Several lists of one page, `{requestId, lists:[{scene, items…}], model, …}`: no item twice across them. */
  async recommendBatch(input: RecommendationBatchInput): Promise<string> {
    const startedAt = performance.now();
    const state = await this.#state(input);
    const shown = new Set<number>();
    const lists: RankedList[] = [];
    for (const wanted of input.lists) {
      const list = await this.recommender.rank(toListRequest(input, wanted, state, shown));
      for (const item of list.items) shown.add(item.row);
      lists.push(list);
    }
    const degraded = [...new Set([...state.degraded, ...lists.flatMap((list) => list.degraded)])];
    this.metrics.onReply(performance.now() - startedAt, degraded);
    const bodies = lists.map((list) => `{"scene":"${list.scene}",${this.#body(list, input.withItems ?? false)}${tail(list.degraded, undefined)}}`);
    const [first] = lists;
    return `{"requestId":${JSON.stringify(first?.requestId)},"lists":[${bodies.join(',')}],"model":${JSON.stringify(first?.model)}${tail(degraded, state.events)}}`;
  }

  /** Forgets what is kept in this process of an erased shopper. */
  forget(shopper: string): void {
    this.reader.forget(shopper);
    this.recommender.forget(shopper, SCENES);
  }

  async #state(input: { userId?: string; anonymousId?: string; events?: unknown[] }): Promise<ShopperState> {
    const shopper = shopperKey(input);
    if (shopper === undefined) return { profile: emptyProfile(), degraded: [], events: undefined };
    return this.reader.read(shopper, input.events, this.deadlineMs / 2);
  }

  #body(list: RankedList, withItems: boolean): string {
    let items = '';
    for (let position = 0; position < list.items.length; position++) items += (position === 0 ? '' : ',') + this.#item(list.items[position]!, position, withItems);
    const explain = list.explanation === undefined ? '' : `,"explain":${JSON.stringify(list.explanation)}`;
    return `"items":[${items}]${explain}`;
  }

  #item(item: RankedItem, position: number, withItems: boolean): string {
    const json = this.catalog.json(item.row);
    // Four decimals of a score are enough to compare; more would only make the reply longer.
    let text = `{"id":${json.id},"score":${Math.round(item.score * 1e4) / 1e4},"position":${position},"source":"${item.source}"`;
    if (withItems) text += `,"item":${json.item}`;
    if (item.explanation !== undefined) text += `,"explain":${JSON.stringify(item.explanation)}`;
    return `${text}}`;
  }
}

type List = RecommendationBatchInput['lists'][number];
type Asker = Pick<RecommendationInput, 'userId' | 'anonymousId' | 'context' | 'explain'>;

function toListRequest(asker: Asker, list: List, state: ShopperState, shown: ReadonlySet<number>): ListRequest {
  return {
    shopper: shopperKey(asker), profile: state.profile, scene: list.scene, limit: list.limit, itemId: list.itemId,
    itemIds: list.itemIds, filter: list.filter, context: asker.context, explain: asker.explain ?? false, shown,
  };
}

function tail(degraded: readonly Degradation[], events: IngestReport | undefined): string {
  return (degraded.length === 0 ? '' : `,"degraded":${JSON.stringify(degraded)}`) + (events === undefined ? '' : `,"events":${JSON.stringify(events)}`);
}
