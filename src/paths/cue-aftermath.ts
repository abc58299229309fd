import { claimIdOf, partsOfClaimId } from '../domain/claim-code.js';
import type { Cue } from '../domain/cue.js';
import { CUE_CAMPAIGN } from '../offers/cue-messages.js';
import type { LadderBatch } from '../offers/decide/ladder-batch.js';
import { propensityOfDrawn } from '../offers/decide/weigh.js';
import type { ClaimStore } from '../redis/claim-store.js';
import type { CueOutcome, CueStore } from '../redis/cue-store.js';
import type { LoggedDecision } from '../redis/decision-log.js';
import type { Clock } from '../util/clock.js';
import { groupBy } from '../util/group-by.js';
import { LIVE_PAGE, type CueViewer } from './cue-viewer.js';

export interface CueAftermathDeps {
  readonly claims: Pick<ClaimStore, 'claimedBy' | 'settle'>;
  readonly store: Pick<CueStore, 'note'>;
  readonly log: { add(decision: LoggedDecision): void };
  readonly clock: Clock;
}

/** Viewers who are through, and what was decided about them. */
interface Played {
  readonly cue: Cue;
  readonly viewers: readonly CueViewer[];
  readonly batch: LadderBatch;
  /** Label of what scored. */
  readonly model: string;
}

/** What can wait until viewers of a cue have their frames: the log of decisions, inboxes and contacts, and claims that nobody was told of. */
export class CueAftermath {
  readonly #deps: CueAftermathDeps;
  readonly #cue: Cue;
  readonly #viewers: readonly CueViewer[];
  readonly #batch: LadderBatch;
  readonly #model: string;

  constructor(deps: CueAftermathDeps, { cue, viewers, batch, model }: Played) {
    this.#deps = deps;
    this.#cue = cue;
    this.#viewers = viewers;
    this.#batch = batch;
    this.#model = model;
  }

  /** Logs what was decided and has reached its viewers. @returns viewers by outcome, those whom another play had served before apart */
  log(): Record<CueOutcome | 'held' | 'before', number> {
    const counts = { offer: 0, default: 0, sold_out: 0, held: 0, before: 0 };
    for (const viewer of this.#viewers) {
      const { outcome = 'held', mark } = viewer;
      if (mark === undefined) counts.held += outcome === 'held' ? 1 : 0;
      else counts[mark.isNew ? outcome : 'before'] += 1;
      if (outcome === 'offer' && mark?.isNew === true) this.#logOne(viewer);
    }
    return counts;
  }

  /** Sees to inboxes and contacts of those who were reached. */
  async note(): Promise<void> {
    const reached = this.#viewers.filter(({ mark }) => mark?.isNew === true);
    await Promise.all(groupBy(reached, ({ partition }) => partition).map(([partition, viewers]) =>
      this.#deps.store.note(partition, viewers.map(({ shopper }) => shopper), viewers.map(({ contact }) => contact))));
  }

  #logOne({ shopper, owner, events, seat, drawn, decisionId }: CueViewer): void {
    const { eligible, contenders, stakes, seed, chosen } = drawn!;
    this.#deps.log.add({
      record: {
        decisionId, shopper: owner, ...LIVE_PAGE, at: this.#deps.clock(), campaignId: CUE_CAMPAIGN, cueId: this.#cue.id, events: owner === shopper ? events : undefined,
        model: this.#model, seed, offers: contenders.map((i) => [eligible[i]!.prepared.offer.id, eligible[i]!.prepared.offer.version]), chosen, propensity: propensityOfDrawn(drawn!),
      },
      ...this.#batch.vectors(seat), kept: contenders, stakes,
    });
  }

  /**
   * Gives back what was claimed for viewers whom something else has reached: a claim that came too late for its chunk, or one that another
   * play was faster than. What cannot be given back expires.
   */
  async giveBack(): Promise<void> {
    const { claims, clock } = this.#deps;
    const orphans = this.#viewers.flatMap(({ claim, mark }) => (claim !== undefined && mark !== undefined && mark.claim !== claim.id ? [claim.id] : []));
    const doubtful = this.#viewers.filter(({ doubtfulOffer }) => doubtfulOffer !== undefined);
    await Promise.all(groupBy(doubtful, ({ doubtfulOffer }) => doubtfulOffer!).map(async ([offerId, viewers]) => {
      const numbers = await claims.claimedBy(offerId, viewers.map(({ claimKey }) => claimKey));
      numbers.forEach((number, i) => {
        if (number === null) return;
        const id = claimIdOf(offerId, number);
        if (viewers[i]!.mark?.claim !== id) orphans.push(id);
      });
    }));
    await Promise.all(orphans.map((id) => {
      const { offerId, number } = partsOfClaimId(id)!;
      return claims.settle('release', offerId, number, clock());
    }));
  }
}
