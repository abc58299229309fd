import { createHash } from 'node:crypto';
import { SALE_PREFIX, type Cue, type CueDraft, type CueInput } from '../domain/cue.js';
import type { Item } from '../domain/item.js';
import { toMinor } from '../domain/money.js';
import { OFFER_LIMITS, type Offer, type OfferInput } from '../domain/offer.js';
import type { Room } from '../domain/room.js';
import { AppError, type ErrorCode } from '../errors.js';
import { CUE_OUTCOMES, type CueOutcome, type CueStore } from '../redis/cue-store.js';
import { ROOM_STORE_LIMITS, type CueRefusal, type RoomStore } from '../redis/room-store.js';
import type { Clock } from '../util/clock.js';
import type { OfferDesk } from './offer-desk.js';
import type { RoomItems } from './room-items.js';

export const ROOM_CUES_LIMITS = {
  listMax: 200,
  /** Life of a flash sale's claim that nobody redeems, s. */
  flashClaimS: 3600,
  /** Tries to make an offer that another try makes at the same time; and those so close to one another share its window, ms. */
  saleAttempts: 5, sameTryMs: 2000,
} as const;

export interface RoomCuesOptions {
  readonly store: RoomStore;
  readonly items: RoomItems;
  readonly catalog: { getItem(id: string): Promise<Item | undefined> };
  readonly offers: Pick<OfferDesk, 'create' | 'change' | 'move' | 'get'>;
  readonly played: Pick<CueStore, 'reach' | 'told'>;
  readonly clock: Clock;
}

export interface CueReply {
  readonly kind: 'made' | 'replayed';
  readonly cue: Cue;
}

/** Whom a cue has reached so far: of a ladder those who were served, else those who were there when it was told. */
export interface CueReach {
  readonly reached: number;
  /** Of these, of a ladder: what the cue had for want of time, and word that nothing was left. */
  readonly default: number;
  readonly soldOut: number;
  /** By the time since the cue, ms. */
  readonly buckets: readonly { readonly ms: number; readonly count: number }[];
}

/** A cue as its host asks for it: the key makes a retry safe. */
export interface CueRequest {
  readonly roomId: string;
  readonly key: string;
  readonly input: CueInput;
  /** Who, for the audit of the offer that a flash sale makes. */
  readonly by: string;
}

const REFUSALS: Readonly<Record<CueRefusal, readonly [ErrorCode, string]>> = {
  key_reused: ['key_reused', 'This Idempotency-Key came with another cue before; a new cue needs a new key.'],
  not_live: ['room_not_live', 'This room is not live: cues are for rooms that have been opened and not yet closed.'],
  too_many: ['conflict', `This room has had its ${ROOM_STORE_LIMITS.cuesMax} cues; end it and open another.`],
  too_many_open: ['conflict', `There are ${ROOM_STORE_LIMITS.openCuesMax} cues open in this room; wait until one has ended.`],
};

/** A cue that is being put together. */
interface Call extends CueRequest { readonly room: Room }
type InputOf<Kind extends CueInput['kind']> = Extract<CueInput, { kind: Kind }>;

/**
 * Cues, top to bottom: what the key did before, what the cue needs (a flash sale: its offer), and one script in the room's slot that
 * numbers it, changes the room and appends the frame. Whatever is cut short is mended by sending the same key again.
 */
export class RoomCues {
  readonly #options: RoomCuesOptions;

  constructor(options: RoomCuesOptions) {
    this.#options = options;
  }

  /** @throws AppError `not_found`, `room_not_live`, `key_reused`, `conflict`, `invalid_request` */
  async add(request: CueRequest): Promise<CueReply> {
    const { store, offers } = this.#options;
    const { roomId } = request;
    const key = { key: request.key, request: digestOf(request) };
    const before = await store.cueOfKey(roomId, key);
    if (before !== undefined) return this.#reply(roomId, before);
    const room = await store.read(roomId);
    if (room === undefined) throw noRoom(roomId);
    if (room.status !== 'live') throw refusal('not_live');
    const draft = await this.#draft({ ...request, room });
    const result = await store.addCue(roomId, key, draft);
    // Its offer would be nobody's; but for a try of the same key that came through meanwhile.
    if (result.kind === 'refused' && draft.kind === 'flash_sale' && (await store.cueOfKey(roomId, key))?.kind !== 'replayed') await offers.move(draft.offerId, 'pause', request.by);
    return this.#reply(roomId, result);
  }

  /** @throws AppError `not_found` */
  async get(roomId: string, number: number): Promise<Cue> {
    const cue = await this.#options.store.cue(roomId, number);
    if (cue === undefined) throw new AppError('not_found', `There is no cue ${number} of a room ${roomId}.`);
    return cue;
  }

  async reach({ roomId, number, kind }: Cue): Promise<CueReach> {
    const { played } = this.#options;
    if (kind !== 'coupon_ladder') {
      const reached = await played.told(roomId, number);
      return { reached, default: 0, soldOut: 0, buckets: reached === 0 ? [] : [{ ms: 0, count: reached }] };
    }
    const pieces = await played.reach(roomId, number);
    const total = (outcome: CueOutcome): number => pieces.reduce((sum, piece) => sum + piece[outcome], 0);
    return {
      reached: CUE_OUTCOMES.reduce((sum, outcome) => sum + total(outcome), 0), default: total('default'), soldOut: total('sold_out'),
      buckets: pieces.map((piece) => ({ ms: piece.fromMs, count: piece.offer + piece.default + piece.sold_out })),
    };
  }

  /** A page of cues, the latest first; `cursor` is undefined on the last one. @throws AppError `not_found` */
  async list(roomId: string, before: number | undefined, limit: number): Promise<{ cues: Cue[]; cursor?: string }> {
    const { store } = this.#options;
    const cues = await store.cues(roomId, before, limit);
    if (cues.length === 0 && await store.read(roomId) === undefined) throw noRoom(roomId);
    const last = cues.at(-1)?.number ?? 1;
    return last === 1 ? { cues } : { cues, cursor: String(last) };
  }

  /** Does what hangs behind a room's close: no item, no open sale. Safe to repeat. */
  async wrapUp(room: Room): Promise<void> {
    const { store, items, offers } = this.#options;
    await items.put(room);
    const open = (await store.cues(room.id, undefined, ROOM_STORE_LIMITS.cuesMax)).filter(({ endsAt }) => endsAt > (room.closedAt ?? 0));
    for (const cue of open) if (cue.kind === 'flash_sale') await offers.move(cue.offerId, 'archive', `room ${room.id}`);
    await store.noteClosed([room.id]);
  }

  async #reply(roomId: string, result: Awaited<ReturnType<RoomStore['addCue']>>): Promise<CueReply> {
    if (result.kind === 'refused') throw refusal(result.why);
    if (result.cue.kind === 'end') {
      const room = await this.#options.store.read(roomId);
      if (room?.status === 'closed') await this.wrapUp(room);
    }
    return result;
  }

  /** Checks a cue against the room, and fills in what was left to defaults. */
  async #draft(call: Call): Promise<CueDraft> {
    const { input, room } = call;
    const at = this.#options.clock();
    if (input.kind === 'pin') {
      if (input.itemId !== null) requireProduct(room, input.itemId);
      return { ...input, at, endsAt: at };
    }
    if (input.kind === 'end') return { ...input, at, endsAt: at };
    const endsAt = at + input.durationS * 1000;
    if (input.kind === 'flash_sale') return this.#openSale(call, input, at);
    if (input.kind !== 'coupon_ladder') return { ...input, at, endsAt };
    await this.#checkLadder(input.offerIds, endsAt);
    const defaultOfferId = input.defaultOfferId ?? input.offerIds.at(-1)!;
    if (!input.offerIds.includes(defaultOfferId)) throw new AppError('invalid_request', `defaultOfferId ${defaultOfferId} is none of offerIds.`);
    return { ...input, defaultOfferId, at, endsAt };
  }

  async #checkLadder(offerIds: readonly string[], until: number): Promise<void> {
    const { offers, clock } = this.#options;
    for (const offer of await Promise.all(offerIds.map((id) => offers.get(id)))) {
      const { id, status, window, terms: { kind } } = offer;
      if (status !== 'active') throw new AppError('offer_not_active', `Offer ${id} is ${status}; the offers of a ladder are active.`);
      if (clock() < window.startsAt || until > window.endsAt) throw new AppError('outside_window', `The window of offer ${id} does not hold for as long as the ladder stands.`);
      if (kind === 'group_buy' || kind === 'share_reward') throw new AppError('invalid_request', `Offer ${id} is a ${kind}, which needs others: it cannot be claimed for a viewer.`);
    }
  }

  /**
   * Makes the offer of a flash sale, and activates it: before the cue, so that nobody is told of what cannot be had yet. Its id comes from
   * the cue's key, so that another try finds the one that is there; and the cue has the window of its offer.
   */
  async #openSale(call: Call, input: InputOf<'flash_sale'>, at: number): Promise<CueDraft> {
    const { room, by } = call;
    requireProduct(room, input.itemId);
    const item = await this.#options.catalog.getItem(input.itemId);
    const { itemId, priceMinor, stock, perUser = 1 } = input;
    requireLower(item, input);
    const costMinor = input.costMinor ?? costOf(item, input);
    const offer = await this.#sale({
      id: `${SALE_PREFIX}${room.id}_${digestOf(call)}`, title: `${room.title}: ${item?.title ?? itemId}`.slice(0, OFFER_LIMITS.titleCharsMax),
      ...(item?.currency === undefined ? {} : { currency: item.currency }), terms: { kind: 'flash_sale', itemId, priceMinor, stock, costMinor },
      window: { startsAt: at, endsAt: at + input.durationS * 1000 }, budget: { moneyMinor: stock * costMinor, count: stock }, caps: { perUser },
      stacking: { group: 'flash' }, marginMinor: 0, claimTtlS: ROOM_CUES_LIMITS.flashClaimS, scenes: ['live'], channels: ['socket'],
    }, by);
    return { ...input, costMinor, perUser, offerId: offer.id, at, endsAt: offer.window.endsAt };
  }

  /** The offer as stated and active. One that a try made which was cut short some time ago gets the window of this one. */
  async #sale(input: OfferInput, by: string): Promise<Offer> {
    const { offers } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const there = await orMissing(offers.get(input.id)) ?? await offers.create(input, by);
        if (there.window.startsAt < input.window.startsAt - ROOM_CUES_LIMITS.sameTryMs) await offers.change(input.id, input, by, there.version);
        return await offers.move(input.id, 'activate', by);
      } catch (error) {
        // Of two tries at once each finds what the other has changed.
        if (!(error instanceof AppError && error.code === 'conflict') || attempt === ROOM_CUES_LIMITS.saleAttempts) throw error;
      }
    }
  }
}

const noRoom = (roomId: string): AppError => new AppError('not_found', `There is no room ${roomId}.`);
const refusal = (why: CueRefusal): AppError => new AppError(...REFUSALS[why]);

/** The same for the same key and cue, in whichever order its fields came. */
function digestOf({ key, input }: CueRequest): string {
  return createHash('sha256').update(`${key}\n${JSON.stringify(input, Object.keys(input).toSorted())}`).digest('hex').slice(0, 16);
}

async function orMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return undefined;
    throw error;
  }
}

function requireProduct({ id, products }: Room, itemId: string): void {
  if (!products.includes(itemId)) throw new AppError('invalid_request', `Item ${itemId} is none of the products of room ${id}; add it by PUT first.`);
}

/** A sale is cheaper than the shop: two zeros too many are a slip, and a told cue cannot be taken back. */
function requireLower(item: Item | undefined, { itemId, priceMinor }: InputOf<'flash_sale'>): void {
  if (item?.price === undefined) return;
  const usual = toMinor(item.price, item.currency);
  if (priceMinor >= usual) throw new AppError('invalid_request', `priceMinor ${priceMinor} is no sale: item ${itemId} is ${usual} in the catalog.`);
}

/** What a unit costs the store: what it would have brought, less what it brings. */
function costOf(item: Item | undefined, { itemId, priceMinor }: InputOf<'flash_sale'>): number {
  if (item?.price === undefined) throw new AppError('invalid_request', `costMinor is missing: the catalog has no price of item ${itemId} to work it out from.`);
  return toMinor(item.price, item.currency) - priceMinor;
}
