import type { Catalog } from '../catalog/catalog.js';
import type { Degradation, RecommendationBatchInput, RecommendationInput } from '../domain/recommendation.js';
import { SCENES } from '../domain/scene.js';
import { shopperKey } from '../domain/shopper.js';
import { AppError } from '../errors.js';
import { emptyProfile } from '../profile/profile.js';
import { ByteWriter } from '../util/byte-writer.js';
import type { Decision } from './decide-offer.js';
import type { ListDecisions } from './decision-service.js';
import type { IngestReport } from './ingest-events.js';
import { namedShopper } from './named-shopper.js';
import { findRoom, type RoomFinder } from './room-finder.js';
import type { ListRequest, RankedItem, RankedList, Recommender } from './recommend.js';
import type { ShopperReader, ShopperState } from './shopper-reader.js';

export interface RecommendationMetrics {
  /** Milliseconds from request to reply, and what the reply was reduced to. */
  readonly onReply: (elapsedMs: number, degraded: readonly Degradation[]) => void;
}

/** The recommendation path as clients call it: one list or a page of lists, as the JSON of the reply in UTF-8. */
export class RecommendationService {
  readonly #out = new ByteWriter();

  constructor(
    private readonly reader: ShopperReader, private readonly recommender: Recommender,
    private readonly catalog: Catalog, private readonly deadlineMs: number, private readonly metrics: RecommendationMetrics,
    private readonly decisions: ListDecisions, private readonly rooms: RoomFinder,
  ) {}

  /** `{requestId, items, model, degraded?, events?, offer?, decision?, explain?}` */
  async recommend(input: RecommendationInput): Promise<Buffer> {
    const startedAt = performance.now();
    const wanted = await this.#list(input);
    const deciding = this.#decision(input);
    const state = await this.#state(input);
    const decision = deciding?.(state, input);
    const list = await this.recommender.rank(toListRequest(input, wanted, state, NOTHING_SHOWN));
    const degraded = [...state.degraded, ...list.degraded];
    const offer = await decision;
    this.metrics.onReply(performance.now() - startedAt, degraded);
    const out = this.#out;
    this.#begin(list);
    this.#body(list, input.withItems ?? false);
    this.#end(list, degraded, state.events, offer);
    return out.take();
  }

  /** Several lists of one page, `{requestId, lists:[{scene, items…}], model, …}`: no item twice across them; an offer by the scene of the first. */
  async recommendBatch(input: RecommendationBatchInput): Promise<Buffer> {
    const startedAt = performance.now();
    const wantedLists = await Promise.all(input.lists.map((list) => this.#list(list)));
    const deciding = this.#decision(input);
    const state = await this.#state(input);
    const decision = deciding?.(state, input.lists[0]!);
    const shown = new Set<number>();
    const lists: RankedList[] = [];
    for (const wanted of wantedLists) {
      const list = await this.recommender.rank(toListRequest(input, wanted, state, shown));
      for (const item of list.items) shown.add(item.row);
      lists.push(list);
    }
    const degraded = [...new Set([...state.degraded, ...lists.flatMap((list) => list.degraded)])];
    const offer = await decision;
    this.metrics.onReply(performance.now() - startedAt, degraded);
    const out = this.#out;
    this.#begin(lists[0]!);
    out.text('"lists":[');
    lists.forEach((list, i) => {
      out.text(`${i === 0 ? '' : ','}{"scene":"${list.scene}",`);
      this.#body(list, input.withItems ?? false);
      out.text(tail(list.degraded, undefined));
      out.text('}');
    });
    out.text(']');
    this.#end(lists[0]!, degraded, state.events, offer);
    return out.take();
  }

  /** Forgets what is kept in this process of an erased shopper. */
  forget(shopper: string): void {
    this.reader.forget(shopper);
    this.recommender.forget(shopper, SCENES);
  }

  async #state(input: { userId?: string; anonymousId?: string; events?: unknown[] }): Promise<ShopperState> {
    const shopper = namedShopper(input);
    if (shopper === undefined && input.events !== undefined && input.events.length > 0) {
      throw new AppError('invalid_request', 'userId or anonymousId is missing: events are folded into the profile of whoever they name.');
    }
    if (shopper === undefined) return { profile: emptyProfile(), degraded: [], events: undefined };
    return this.reader.read(shopper, input.events, this.deadlineMs / 2);
  }

  /** What is wanted: a list of a room is one of its products, as far as there are any left. */
  async #list(list: List): Promise<List> {
    const { roomId, filter } = list;
    const { priceMin = 0, priceMax = Infinity } = filter ?? {};
    if (priceMin > priceMax) throw new AppError('invalid_request', `filter.priceMin ${priceMin} is more than filter.priceMax ${priceMax}: no price is in between.`);
    if (roomId === undefined) return list;
    if (list.scene !== 'live' || list.itemIds !== undefined) throw new AppError('invalid_request', 'roomId goes with the scene live, and without itemIds: it stands for the products of the room.');
    const { products } = await findRoom(this.rooms, roomId);
    return Object.assign({}, list, { itemIds: [...products], filter: { inStock: true, ...filter } });
  }

  #begin({ requestId }: RankedList): void {
    this.#out.text(`{"requestId":${JSON.stringify(requestId)},`);
  }

  #end({ model }: RankedList, degraded: readonly Degradation[], events: IngestReport | undefined, decision: Decision | undefined): void {
    this.#out.text(`,"model":${JSON.stringify(model)}${tail(degraded, events)}`);
    if (decision !== undefined) {
      const { offer, ...made } = decision;
      this.#out.text(`,"offer":${JSON.stringify(offer)},"decision":${JSON.stringify(made)}`);
    }
    this.#out.text('}');
  }

  /** Where an offer is asked for: begins to read what the decision needs, and then decides beside the ranking. */
  #decision(input: Asker & { offers?: boolean }): ((state: ShopperState, list: List) => Promise<Decision>) | undefined {
    const shopper = shopperKey(input);
    if (input.offers !== true || shopper === undefined) return undefined;
    const begun = this.decisions.begin(shopper);
    return (state, { scene, itemId }) => this.decisions.beside(begun, state, { scene, itemId, explain: input.explain });
  }

  #body(list: RankedList, withItems: boolean): void {
    const out = this.#out;
    out.text('"items":[');
    for (let position = 0; position < list.items.length; position++) {
      if (position > 0) out.text(',');
      this.#item(list.items[position]!, position, withItems);
    }
    out.text(']');
    if (list.explanation !== undefined) out.text(`,"explain":${JSON.stringify(list.explanation)}`);
  }

  #item(item: RankedItem, position: number, withItems: boolean): void {
    const out = this.#out;
    const json = this.catalog.json(item.row);
    out.text('{"id":');
    out.text(json.id);
    out.text(',"score":');
    out.decimal(item.score);
    out.text(',"position":');
    out.whole(position);
    out.text(',"source":"');
    out.text(item.source);
    out.text('"');
    if (withItems) {
      out.text(',"item":');
      out.text(json.item);
    }
    if (item.explanation !== undefined) out.text(`,"explain":${JSON.stringify(item.explanation)}`);
    out.text('}');
  }
}

const NOTHING_SHOWN: ReadonlySet<number> = new Set();

type List = RecommendationBatchInput['lists'][number];
type Asker = Pick<RecommendationInput, 'userId' | 'anonymousId' | 'context' | 'explain'>;

function toListRequest(asker: Asker, list: List, state: ShopperState, shown: ReadonlySet<number>): ListRequest {
  return {
    shopper: shopperKey(asker), profile: state.profile, isStored: state.degraded.length === 0, scene: list.scene, limit: list.limit, itemId: list.itemId,
    itemIds: list.itemIds, filter: list.filter, context: asker.context, explain: asker.explain ?? false, shown,
  };
}

function tail(degraded: readonly Degradation[], events: IngestReport | undefined): string {
  return (degraded.length === 0 ? '' : `,"degraded":${JSON.stringify(degraded)}`) + (events === undefined ? '' : `,"events":${JSON.stringify(events)}`);
}
