import type { OfferMessage } from '../domain/offer-message.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import { currentProfile, type ProfileReader } from './current-profile.js';

/** A message in an inbox. */
export type InboxMessage = OfferMessage & { readonly isRead?: true };

/** `OfferMemory.state`: taken up, or declined. */
const ANSWERED = 2 | 4;

/**
 * What a shopper who connects is sent: the offers that stand and that they have neither taken up nor declined
 * (`select_promotion` or `dismiss` with `context.offerId`). One that was only seen is sent again, so that a page that
 * was reloaded has it; pages show each id once.
 */
export async function pendingOffers(
  { offers, profiles, clock }: { offers: { inbox(shopper: string, now: number): Promise<InboxMessage[]> }; profiles: ProfileReader; clock: Clock }, shopper: string,
): Promise<InboxMessage[]> {
  const kept = await offers.inbox(shopper, clock());
  if (kept.length === 0) return kept;
  const current = await currentProfile(profiles, shopper);
  const answered = new Set(current?.profile.offers.filter(({ state }) => (state & ANSWERED) !== 0).map(({ offer }) => offer));
  return kept.filter((offer) => !answered.has(hash48(offer.id)));
}
