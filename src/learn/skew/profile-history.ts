import type { ShopperEvent } from '../../domain/event.js';
import type { ShopperRecord } from '../../domain/record.js';
import { fold, type ItemFacts } from '../../profile/fold.js';
import { mergeProfile } from '../../profile/merge.js';
import { emptyProfile, type Profile } from '../../profile/profile.js';

/** What happened to a shopper, in the order of the shopper's stream; an item's facts as of then. */
type Step = { readonly event: ShopperEvent; readonly facts: ItemFacts | undefined } | { readonly merge: History } | { readonly erase: true };

interface History {
  profile: Profile;
  readonly steps: Step[];
  /** Steps that are in the profile. */
  done: number;
  movedTo: string | undefined;
}

/**
 * Profiles as they were, by the number of events folded into them: that number is logged with an impression, and names a
 * state exactly, because a shopper's events have one order.
 */
export class ProfileHistory {
  readonly #histories = new Map<string, History>();

  addEvent(event: ShopperEvent, facts: ItemFacts | undefined): void {
    this.#of(event.shopper).steps.push({ event, facts });
  }

  addRecord(record: ShopperRecord): void {
    // A flag says something of a profile, and changes nothing in it.
    if (record.type === 'risk') return;
    const history = this.#of(record.shopper);
    if (record.type === 'erase') history.steps.push({ erase: true });
    else {
      const from = this.#of(record.from);
      from.movedTo = record.shopper;
      if (record.isSilent !== true) history.steps.push({ merge: from });
    }
  }

  /** @returns the shopper's profile when this many events were in it, undefined when it never was so, or is past that */
  at(shopper: string, events: number): Profile | undefined {
    const history = this.#of(shopper);
    while (history.profile.events !== events && history.done < history.steps.length) advance(history);
    if (history.profile.events === events) return history.profile;
    // More than it ever had alone: it was merged, and the user's was read.
    return history.movedTo === undefined ? undefined : this.at(history.movedTo, events);
  }

  #of(shopper: string): History {
    let history = this.#histories.get(shopper);
    if (history === undefined) {
      history = { profile: emptyProfile(), steps: [], done: 0, movedTo: undefined };
      this.#histories.set(shopper, history);
    }
    return history;
  }
}

function advance(history: History): void {
  const step = history.steps[history.done]!;
  history.done += 1;
  if ('event' in step) fold(history.profile, step.event, step.facts);
  else if ('erase' in step) history.profile = emptyProfile();
  else {
    while (step.merge.done < step.merge.steps.length) advance(step.merge);
    mergeProfile(history.profile, structuredClone(step.merge.profile));
  }
}
