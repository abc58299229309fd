import type { Claim } from '../domain/claim.js';
import type { CueOf } from '../domain/cue.js';
import type { OfferMessage } from '../domain/offer-message.js';
import type { Offer } from '../domain/offer.js';

/** The campaign of what cues hand out. */
export const CUE_CAMPAIGN = 'live_cue';
const SOLD_OUT = 'Nothing left for you this time';

/** What a viewer gets of a claim that was made for them. */
export interface ClaimedOffer {
  readonly decisionId: string;
  readonly claim: Pick<Claim, 'id' | 'code' | 'expiresAt'>;
}

/**
 * The messages of a cue, as JSON. What is the same for all who get an offer is written once: of ten thousand messages that is nearly
 * everything. One id stands for all that a viewer may get of a cue: a client shows it once.
 */
export class CueMessages {
  readonly #cue: CueOf<'coupon_ladder'>;
  /** By offer, without the closing brace. */
  readonly #beginnings = new Map<Offer, string>();
  #soldOut: string | undefined;
  #instant = { ms: 0, text: '' };

  constructor(cue: CueOf<'coupon_ladder'>) {
    this.#cue = cue;
  }

  /** An offer that was chosen, and claimed, for the viewer. */
  claimed(offer: Offer, { decisionId, claim: { id, code, expiresAt } }: ClaimedOffer): string {
    const until = this.#textOf(expiresAt);
    // Ids and codes are of letters that JSON takes as they are.
    return `${this.#beginningOf(offer)},"decisionId":"${decisionId}","claim":{"id":"${id}","code":"${code}","expiresAt":"${until}"},"expiresAt":"${until}"}`;
  }

  /** The offer for whom nothing could be decided: theirs by a tap. */
  byDefault(offer: Offer): string {
    return `${this.#beginningOf(offer)},"isDefault":true,"expiresAt":"${this.#textOf(offer.window.endsAt)}"}`;
  }

  /** For whom nothing of the ladder is left. */
  soldOut(): string {
    this.#soldOut ??= JSON.stringify({ ...this.#common('notice', SOLD_OUT), expiresAt: this.#textOf(this.#cue.endsAt) } satisfies OfferMessage);
    return this.#soldOut;
  }

  #beginningOf(offer: Offer): string {
    let beginning = this.#beginnings.get(offer);
    if (beginning === undefined) {
      const { id, title, currency, terms } = offer;
      const fields: Omit<OfferMessage, 'expiresAt'> = {
        ...this.#common('coupon', title), offerId: id,
        ...('itemId' in terms ? { itemId: terms.itemId } : {}), ...(currency === undefined ? {} : { currency }),
      };
      beginning = JSON.stringify(fields).slice(0, -1);
      this.#beginnings.set(offer, beginning);
    }
    return beginning;
  }

  #common(kind: OfferMessage['kind'], title: string): Omit<OfferMessage, 'expiresAt'> {
    const { id, roomId, at } = this.#cue;
    return { id: `cue_${id}`, kind, cause: CUE_CAMPAIGN, title, roomId, cueId: id, createdAt: new Date(at).toISOString() };
  }

  #textOf(ms: number): string {
    if (this.#instant.ms !== ms) this.#instant = { ms, text: new Date(ms).toISOString() };
    return this.#instant.text;
  }
}
