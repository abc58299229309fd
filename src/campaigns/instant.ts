import type { ShopperEvent } from '../domain/event.js';
import { decodeProfile } from '../profile/codec.js';
import type { CampaignSet } from './campaign-set.js';
import { enrolmentOf, isTooLate } from './enrolment.js';
import type { Known, StepRunner } from './run-step.js';
import type { Clock } from '../util/clock.js';

/** Events that have just been stored. */
export interface StoredEvents {
  /** Whose they are, after merges. */
  readonly shopper: string;
  readonly events: readonly ShopperEvent[];
  /** The profile with them in it. */
  readonly value: Buffer;
  /** Nothing was known of the shopper before. */
  readonly isNew: boolean;
}

export interface InstantCampaignsDeps {
  readonly campaigns: { readonly set: CampaignSet };
  readonly runner: Pick<StepRunner, 'run'>;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/**
 * First steps without a pause, done by the process that got the event, before its stream is read: a message is on its way
 * while the event is acknowledged. Whatever fails here, or dies with the process, is done by a worker, which does the same
 * step again in any case; the mark of the message lets only one of them send.
 */
export class InstantCampaigns {
  readonly #deps: InstantCampaignsDeps;

  constructor(deps: InstantCampaignsDeps) {
    this.#deps = deps;
  }

  /** Not awaited by who stores events; never throws. */
  afterStored({ shopper, events, value, isNew }: StoredEvents): void {
    const { set } = this.#deps.campaigns;
    if (!set.hasInstant) return;
    let known: Known | undefined;
    const now = this.#deps.clock();
    for (const [i, event] of events.entries()) {
      for (const campaign of set.instantOn(event.type, isNew && i === 0)) {
        const enrolment = enrolmentOf(campaign, event);
        if (isTooLate(campaign, enrolment, now)) continue;
        known ??= { shopper, profile: decodeProfile(value, { ids: false }) };
        this.#deps.runner.run(enrolment, known).catch(this.#deps.onFault);
      }
    }
  }
}
