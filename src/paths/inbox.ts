import { AppError } from '../errors.js';
import type { ProfileReader } from '../offers/current-profile.js';
import { pendingOffers, type InboxMessage } from '../offers/inbox.js';
import type { InboxMark, OfferStore } from '../redis/offer-store.js';
import { storeError } from '../redis/errors.js';
import type { Clock } from '../util/clock.js';

export interface InboxDeps {
  readonly offers: Pick<OfferStore, 'inbox' | 'mark' | 'move'>;
  readonly profiles: ProfileReader;
  readonly clock: Clock;
}

/** What was sent to a shopper and still stands, for a page that shows it and for a socket that opens. */
export class Inbox {
  constructor(private readonly deps: InboxDeps) {}

  /** Oldest first. */
  async messages(shopper: string): Promise<readonly InboxMessage[]> {
    try {
      return await pendingOffers(this.deps, shopper);
    } catch (error) {
      throw storeError(error);
    }
  }

  /** What was sent to a visitor is the user's from now on; may be repeated. */
  move(from: string, to: string): Promise<void> {
    return this.deps.offers.move(from, to);
  }

  /** @throws AppError `not_found` */
  async mark(shopper: string, messageId: string, mark: InboxMark): Promise<void> {
    if ((await this.deps.offers.mark(shopper, [messageId], mark)).length === 0) {
      throw new AppError('not_found', `The inbox has no message ${messageId}; it has expired, or newer ones took its place.`);
    }
  }

  /** Marks as read what a client says its shopper has. @returns the ids that the inbox has */
  async acknowledge(shopper: string, messageIds: readonly string[]): Promise<string[]> {
    try {
      return await this.deps.offers.mark(shopper, messageIds, 'read');
    } catch (error) {
      throw storeError(error);
    }
  }
}
