import { pause } from '../../src/util/pause.js';
import { seededRandom, type Random } from '../../src/util/random.js';
import type { ApiClient, Request, Told } from './api-client.js';
import type { HistoryFiles } from './history-files.js';

export interface LoadOffer {
  readonly id: string;
  readonly reserveMinor: number;
  /** Shoppers who come for it, beside the few who come again and again. */
  readonly shoppers: number;
}

export interface ClaimLoadOptions {
  readonly clients: number;
  readonly apis: readonly ApiClient[];
  /** Claimed from the first on, a few at a time. */
  readonly offers: readonly LoadOffer[];
  readonly history: HistoryFiles;
  readonly seed: number;
  /** An offer is left alone after so many claims were refused because it is exhausted; Infinity: never. */
  readonly refusalsMax: number;
  /** Between what one client does and the next, ms. */
  readonly thinkMs: number;
}

/** What clients were told, by what it was. */
export interface LoadCounts {
  /** Requests sent. */
  requests: number;
  /** Claims made (201). */
  made: number;
  /** Answers without certainty. */
  unknown: number;
  /** Requests whose fate stayed unknown, however often they were sent again. */
  unresolved: number;
  /** Refusals by reason. */
  readonly refused: Record<string, number>;
}

const LOAD = {
  /** Offers that are claimed at once. */
  together: 4,
  hotShoppers: 5,
  hotShare: 0.1,
  devices: 200,
  deviceShare: 0.2,
  /** Claims whose later life a client follows. */
  ownMax: 50,
  /** An unknown answer is asked about again after …, for at most …, ms. */
  againMs: 50,
  patienceMs: 60_000,
} as const;
/** What a client does next: shares of 1. */
const DEEDS = { claim: 0.78, twice: 0.04, replay: 0.05, reuse: 0.01, redeem: 0.06, release: 0.03, refund: 0.03 } as const;
type Deed = keyof typeof DEEDS;

interface Own { readonly request: Request; readonly claim: string; readonly spentMinor: number }

/**
 * Shoppers at the doors of several api processes: each client claims, repeats itself, asks again what it was not told, uses a
 * key twice, redeems, gives back and refunds; the hot ones come for more than they may have. All goes into the history.
 */
export class ClaimLoad {
  readonly #options: ClaimLoadOptions;
  readonly #open: LoadOffer[];
  readonly #refusals = new Map<string, number>();
  readonly counts: LoadCounts = { requests: 0, made: 0, unknown: 0, unresolved: 0, refused: {} };
  #isOver = false;
  #keys = 0;
  readonly #ended: Promise<unknown>;

  constructor(options: ClaimLoadOptions) {
    this.#options = options;
    this.#open = [...options.offers];
    const clients = Array.from({ length: options.clients }, (_, index) => this.#client(seededRandom(options.seed * 1000 + index), index));
    this.#ended = Promise.all(clients);
  }

  /** Resolves when all offers are used up, or after `stop` when every client has got the answers it waits for. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #client(random: Random, index: number): Promise<void> {
    const own: Own[] = [];
    while (!this.#isOver && this.#open.length > 0) {
      await this.#do(deedOf(random()), own, random, index);
      await pause(random() * 2 * this.#options.thinkMs);
    }
  }

  async #do(deed: Deed, own: Own[], random: Random, index: number): Promise<void> {
    const at = Math.floor(random() * own.length);
    const known = own[at];
    const door = Math.floor(random() * this.#options.apis.length);
    if (deed === 'claim' || deed === 'twice' || known === undefined) {
      const offer = this.#open[Math.floor(random() * Math.min(LOAD.together, this.#open.length))];
      if (offer !== undefined) await this.#claim(offer, deed === 'twice', own, random, index, door);
    } else if (deed === 'replay') await this.#insist(known.request, door);
    else if (deed === 'reuse') await this.#insist({ ...known.request, userId: 'somebody-else' }, door);
    else {
      await this.#insist({ act: deed, offer: known.request.offer, claim: known.claim, ...(deed === 'redeem' ? { spentMinor: known.spentMinor } : {}) }, door);
      // A released claim's end is reached; what is redeemed may still be refunded.
      if (deed === 'release') own.splice(at, 1);
    }
  }

  async #claim(offer: LoadOffer, isTwice: boolean, own: Own[], random: Random, index: number, door: number): Promise<void> {
    const isHot = random() < LOAD.hotShare;
    const request: Request = {
      act: 'claim', offer: offer.id, key: `${offer.id}-${index}-${this.#keys++}`,
      userId: isHot ? `hot-${Math.floor(random() * LOAD.hotShoppers)}` : `s${Math.floor(random() * offer.shoppers)}`,
      ...(random() < LOAD.deviceShare ? { deviceId: `d${Math.floor(random() * LOAD.devices)}` } : {}),
    };
    const spentMinor = Math.floor(random() * (offer.reserveMinor + 1));
    const [told] = await Promise.all([this.#insist(request, door), ...(isTwice ? [this.#insist(request, door + 1)] : [])]);
    if (told?.type === 'ok' && told.claim !== undefined) {
      own.push({ request, claim: told.claim, spentMinor });
      if (own.length > LOAD.ownMax) own.shift();
    } else if (told?.reason === 'offer_exhausted') this.#noteExhausted(offer);
  }

  #noteExhausted(offer: LoadOffer): void {
    const refusals = (this.#refusals.get(offer.id) ?? 0) + 1;
    this.#refusals.set(offer.id, refusals);
    const at = this.#open.indexOf(offer);
    if (refusals >= this.#options.refusalsMax && at >= 0) this.#open.splice(at, 1);
  }

  /** Sends until it is certain what became of it, the next time to the next process. Each try is in the history. */
  async #insist(request: Request, door: number): Promise<Told> {
    const { apis } = this.#options;
    const deadline = performance.now() + LOAD.patienceMs;
    for (let next = door; ; next++) {
      const told = await this.#once(request, apis[next % apis.length]!);
      if (told.type !== 'unknown') return told;
      if (performance.now() > deadline) {
        this.counts.unresolved += 1;
        return told;
      }
      await pause(LOAD.againMs);
    }
  }

  async #once(request: Request, api: ApiClient): Promise<Told> {
    const { history } = this.#options;
    const { act, offer, key, userId, claim } = request;
    const op = history.begin({
      act, offer, ...(key === undefined ? {} : { key }), ...(userId === undefined ? {} : { shopper: `u:${userId}` }), ...(claim === undefined ? {} : { claim }),
    });
    const told = await api.send(request);
    const { isNew = false, ...answer } = told;
    history.end(offer, op, answer);
    this.counts.requests += 1;
    if (isNew && act === 'claim') this.counts.made += 1;
    if (told.type === 'unknown') this.counts.unknown += 1;
    if (told.type === 'fail') this.counts.refused[told.reason ?? ''] = (this.counts.refused[told.reason ?? ''] ?? 0) + 1;
    return told;
  }
}

function deedOf(chance: number): Deed {
  let sum = 0;
  for (const [deed, share] of Object.entries(DEEDS)) {
    sum += share;
    if (chance < sum) return deed as Deed;
  }
  return 'claim';
}
