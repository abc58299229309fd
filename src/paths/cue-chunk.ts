import type { Catalog } from '../catalog/catalog.js';
import type { LoggedFrame } from '../domain/channel.js';
import type { ClaimStatus } from '../domain/claim.js';
import type { CueOf } from '../domain/cue.js';
import type { ShopperKey } from '../domain/shopper.js';
import { asAppError } from '../errors.js';
import type { Audience } from '../live/audience.js';
import type { CueMessages } from '../offers/cue-messages.js';
import { pageContact, refusalOf, shutGate, type Asked, type Policy, type ShopperFacts } from '../offers/decide/eligibility.js';
import { LadderBatch } from '../offers/decide/ladder-batch.js';
import { viewCart } from '../offers/decide/offer-features.js';
import { PRIOR_ERROR } from '../offers/decide/prior.js';
import type { LiveCase } from '../offers/decide/weigh.js';
import { emptyProfile } from '../profile/profile.js';
import type { ModelHolder } from '../ranking/model-holder.js';
import type { ClaimRefusal } from '../redis/claim-record.js';
import type { ClaimStore } from '../redis/claim-store.js';
import { cueFrame, type CueMark, type CueStore } from '../redis/cue-store.js';
import type { Keys } from '../redis/keys.js';
import { groupBy } from '../util/group-by.js';
import { hash32 } from '../util/hash.js';
import { CueAftermath, type CueAftermathDeps } from './cue-aftermath.js';
import { choiceOf, cueViewer, LIVE_PAGE, type CueViewer } from './cue-viewer.js';
import { readCueViewers, readEarlierPlay, type CueReadingDeps } from './read-cue-viewers.js';

export interface CueChunkDeps extends CueReadingDeps, CueAftermathDeps {
  readonly audience: Audience;
  readonly keys: Keys;
  /** Who looks like abuse, as this process knows it: they are given nothing. */
  readonly flagged: { has(shopper: ShopperKey): boolean };
  readonly catalog: Catalog;
  readonly model: ModelHolder;
  readonly policy: Policy;
  readonly claims: Pick<ClaimStore, 'claimMany' | 'claimedBy' | 'settle'>;
  readonly store: CueStore;
  readonly newId: () => string;
  /** Told whenever the store has answered. */
  readonly onAnswer: () => void;
}

/** A cue that is being played. */
export interface Ladder {
  readonly cue: CueOf<'coupon_ladder'>;
  readonly messages: CueMessages;
  /** Offers of which it is known by a refusal that nobody gets them any more. */
  readonly gone: Set<string>;
  /** Those that can be given now, in the ladder's order. */
  cases(now: number): readonly LiveCase[];
  /** Catalog row of the product that the host shows, −1 for none. */
  readonly pageRow: number;
}

const NOBODY = emptyProfile();
/** Caps on contacts do not hold back a page, and caps on claims are the claim's own. */
const NOT_ASKED: Pick<ShopperFacts, 'claims' | 'contacts'> = { claims: new Map(), contacts: [] };
const EXHAUSTED = { refusal: 'offer_exhausted' } as const;
/** Refusals that hold for everybody, as long as a cue takes. */
const FINAL: ReadonlySet<ClaimRefusal> = new Set<ClaimRefusal>(['offer_exhausted', 'outside_window', 'offer_not_active', 'budget_missing', 'backlog_full']);
/** A claim that stands. */
const STANDING: ReadonlySet<ClaimStatus> = new Set<ClaimStatus>(['claimed', 'redeemed']);

/**
 * Some viewers of a cue, from their profiles to their frames: each stage for all of them at once. Stages can be repeated, by this process
 * and by others: a claim's key names cue and viewer, the draw's seed does, and the script that delivers does so once.
 */
export class CueChunk {
  readonly ladder: Ladder;
  readonly #deps: CueChunkDeps;
  readonly #viewers: readonly CueViewer[];
  readonly #areReturning: boolean;
  readonly #batch: LadderBatch;
  #model = 'prior';
  readonly #until: number;
  /** When the last of its viewers were reached, ms. */
  deliveredAt = 0;
  /** Its time was up before it was through. */
  isLate = false;

  /**
   * @param shoppers ordered by partition
   * @param areReturning whether an earlier play, here or in a process that is gone, may have begun with them
   * @param until when its time is up, ms
   */
  constructor(deps: CueChunkDeps, ladder: Ladder, shoppers: readonly ShopperKey[], { areReturning, until }: { areReturning: boolean; until: number }) {
    this.#deps = deps;
    this.ladder = ladder;
    this.#viewers = shoppers.map((shopper) => cueViewer(deps.keys, ladder.cue.id, shopper));
    this.#areReturning = areReturning;
    this.#until = until;
    this.#batch = new LadderBatch(shoppers.length, ladder.cue.offerIds.length);
    // Of whom it is known already needs not be read.
    const asked: Asked = { offerIds: undefined, now: 0, ...LIVE_PAGE };
    for (const viewer of this.#viewers) this.#admit(viewer, { shopper: viewer.shopper, profile: NOBODY, document: undefined, ...NOT_ASKED }, asked);
  }

  get shoppers(): ShopperKey[] {
    return this.#viewers.map(({ shopper }) => shopper);
  }

  /** Ends its time: what is not claimed by now is not handed out. */
  end(): void {
    this.isLate = true;
  }

  /** @returns false when its time was up before anything was delivered @throws whatever breaks; who has no mark then was not reached for certain */
  async play(): Promise<boolean> {
    await this.#read();
    if (this.#isOver()) return false;
    await this.#score();
    if (this.#isOver()) return false;
    await this.#claim();
    if (this.#isOver()) return false;
    this.#address();
    await this.deliver();
    return true;
  }

  #isOver(): boolean {
    this.isLate ||= this.#deps.clock() >= this.#until;
    return this.isLate;
  }

  async #read(): Promise<void> {
    const { clock, onAnswer } = this.#deps;
    const now = clock();
    if (this.#areReturning) await readEarlierPlay(this.#deps, this.#viewers, this.ladder.cue);
    const cases = this.ladder.cases(now);
    const viewers = this.#viewers.filter(({ mark, outcome }) => mark === undefined && outcome === undefined);
    await readCueViewers(this.#deps, viewers, { cue: this.ladder.cue, cases, now, onViewer: (viewer, profile, document) => { this.#qualify(viewer, { shopper: viewer.owner, profile, document, ...NOT_ASKED }, cases, now); } });
    onAnswer();
  }

  /** Whoever is given no offers at all is held; whoever wants nothing that is about them gets what everybody might. */
  #admit(viewer: CueViewer, facts: ShopperFacts, asked: Asked): void {
    const { flagged, policy } = this.#deps;
    const gate = flagged.has(viewer.owner) ? 'risk' : shutGate({ facts, asked, policy });
    if (gate !== undefined) viewer.outcome = gate === 'consent' ? 'default' : 'held';
  }

  /** What a viewer may have, by the rules of every decision; and the features of it. */
  #qualify(viewer: CueViewer, facts: ShopperFacts, cases: readonly LiveCase[], now: number): void {
    const { policy, catalog } = this.#deps;
    const { cue, gone, pageRow } = this.ladder;
    const asked: Asked = { offerIds: undefined, now, ...LIVE_PAGE };
    this.#admit(viewer, facts, asked);
    if (viewer.outcome !== undefined) return;
    const { profile } = facts;
    viewer.events = profile.events;
    const own = cases.filter(({ prepared: { offer } }) => offer.id === viewer.claimedOffer);
    const eligible = own.length > 0 ? own : cases.filter((one) => !gone.has(one.prepared.offer.id) && refusalOf(one, { facts, asked, policy }) === undefined);
    if (eligible.length === 0) {
      viewer.outcome = 'sold_out';
      return;
    }
    const situation = { profile, cart: viewCart(undefined, profile, catalog), pageRow, channel: LIVE_PAGE.channel, now, catalog } as const;
    viewer.seat = this.#batch.add({ eligible, seed: hash32(`${cue.id}\n${viewer.owner}`), situation, scene: LIVE_PAGE.scene });
  }

  /** One run of the response model for all; of the prior where there is none. */
  async #score(): Promise<void> {
    const { model } = this.#deps;
    const batch = this.#batch;
    if (batch.count === 0) return;
    if (model.available) {
      try {
        const { scores, model: label } = await model.runBatch(batch);
        const stated = model.current?.manifest.metrics['logitError'];
        batch.score(scores, typeof stated === 'number' && stated > 0 ? stated : PRIOR_ERROR.model);
        this.#model = label;
        return;
      } catch (error) {
        if (asAppError(error).code !== 'model_unavailable') throw error;
      }
    }
    batch.scoreByPrior(PRIOR_ERROR.prior);
  }

  /** The best of the ladder for each; where that is refused, the next best. */
  async #claim(): Promise<void> {
    let waiting = this.#viewers.filter(({ seat }) => seat >= 0);
    while (waiting.length > 0 && !this.#isOver()) {
      for (const viewer of waiting) viewer.drawn = this.#batch.draw(viewer.seat);
      const tries = await Promise.all(groupBy(waiting, choiceOf).map(([one, viewers]) => this.#claimOne(one, viewers)));
      waiting = tries.flat();
    }
  }

  /** @returns those who were refused it and have something left */
  async #claimOne(one: LiveCase, viewers: readonly CueViewer[]): Promise<CueViewer[]> {
    const { claims, clock } = this.#deps;
    const { id } = one.prepared.offer;
    const isGone = this.ladder.gone.has(id);
    const outcomes = isGone ? [] : await claims.claimMany(id, viewers.map(({ claimKey, owner }) => ({ key: claimKey, shopper: owner })), clock());
    if (outcomes.some((outcome) => outcome !== undefined)) this.#deps.onAnswer();
    return viewers.filter((viewer, i) => {
      const outcome = isGone ? EXHAUSTED : outcomes[i];
      if (outcome === undefined) {
        viewer.doubtfulOffer = id;
        return false;
      }
      if ('claim' in outcome && STANDING.has(outcome.claim.status)) {
        viewer.claim = outcome.claim;
        return false;
      }
      if ('refusal' in outcome && FINAL.has(outcome.refusal)) this.ladder.gone.add(id);
      if (this.#batch.drop(viewer.seat, one)) return true;
      if (viewer.message === '') viewer.outcome = 'sold_out';
      return false;
    });
  }

  /** What each is to get, now that all claims are known. */
  #address(): void {
    const { messages } = this.ladder;
    for (const viewer of this.#viewers) {
      const { claim } = viewer;
      if (claim === undefined) continue;
      const { offer } = choiceOf(viewer).prepared;
      viewer.outcome = 'offer';
      viewer.decisionId = this.#deps.newId();
      viewer.contact = pageContact(offer.id);
      viewer.message = messages.claimed(offer, { decisionId: viewer.decisionId, claim });
    }
    this.addressRest();
  }

  /** Whoever has nothing yet gets the default offer, without a claim; when that is gone, too, the word that it is. */
  addressRest(): void {
    const { cue, messages, gone } = this.ladder;
    const offer = this.ladder.cases(this.#deps.clock()).find(({ prepared }) => prepared.offer.id === cue.defaultOfferId)?.prepared.offer;
    for (const viewer of this.#viewers) {
      if (viewer.message !== '' || viewer.outcome === 'held') continue;
      viewer.outcome = viewer.outcome === 'sold_out' || offer === undefined || gone.has(offer.id) ? 'sold_out' : 'default';
      viewer.message = viewer.outcome === 'default' ? messages.byDefault(offer!) : messages.soldOut();
      viewer.contact = viewer.outcome === 'default' ? pageContact(offer!.id) : '';
    }
  }

  /**
   * Brings each their message, into inbox, log and sockets.
   * @param isRetry an earlier try may have done it without our hearing of it
   */
  async deliver(isRetry = false): Promise<void> {
    const { store, audience, clock } = this.#deps;
    const waiting = this.#viewers.filter(({ message, mark }) => message !== '' && mark === undefined);
    await Promise.all(groupBy(waiting, ({ partition }) => partition).map(async ([partition, viewers]) => {
      const deliveries = viewers.map(({ shopper, message, head, outcome, claim, channel }) => ({ shopper, message, head, claim: outcome === 'offer' ? claim!.id : '', after: audience.headOf(channel) }));
      const marks = await store.deliver(this.ladder.cue, partition, deliveries);
      this.#deps.onAnswer();
      this.deliveredAt = clock();
      viewers.forEach((viewer, i) => {
        const mark = marks[i]!;
        const isNew = mark.isNew || (isRetry && mark.claim === deliveries[i]!.claim);
        // An earlier try may have been heard of meanwhile.
        viewer.mark ??= { ...mark, isNew };
        if (isNew) this.#show(viewer, mark);
      });
    }));
  }

  /** Hands a frame to the viewer's sockets here; when they are elsewhere by now, it goes there. */
  #show({ channel, head, message }: CueViewer, { position: { epoch, offset } }: CueMark): void {
    const { audience, store } = this.#deps;
    const frame: LoggedFrame = { epoch, offset, json: Buffer.from(cueFrame(head, { epoch, offset }, message)) };
    if (!audience.feed(channel, frame)) store.republish(channel, frame).catch(() => { /* The log has it. */ });
  }

  /** Tells viewers without waiting for the store: in a frame without a place, because no log has it yet. */
  tellDirectly(): void {
    for (const viewer of this.#viewers) {
      const { channel, head, message, mark, isTold } = viewer;
      if (message === '' || mark !== undefined || isTold) continue;
      viewer.isTold = true;
      const frame = Buffer.from(cueFrame(head, undefined, message));
      for (const member of this.#deps.audience.viewersOf(channel)) member.deliver(channel, frame, undefined);
    }
  }

  /** What is left to be done for whoever was reached. */
  get aftermath(): CueAftermath {
    return new CueAftermath(this.#deps, { cue: this.ladder.cue, viewers: this.#viewers, batch: this.#batch, model: this.#model });
  }
}
