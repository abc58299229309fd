import { partsOfClaimId } from '../domain/claim-code.js';
import type { ShopperEvent } from '../domain/event.js';
import type { ClaimStore } from '../redis/claim-store.js';
import { mergeClaims, relinkClaims } from '../redis/merge-claims.js';
import type { WalletStore } from '../redis/wallet-store.js';
import type { Clock } from '../util/clock.js';
import type { EventEntry, StreamHandler } from './streams.js';

interface Options {
  readonly claims: ClaimStore;
  readonly wallets: WalletStore;
  readonly clock: Clock;
}

/**
 * What happens to shoppers, told to their claims: a friend's purchase and its return to the share they came by, a merge
 * and an erasure to all. In the order of the stream; every step can be repeated.
 */
export class ClaimEvents implements StreamHandler {
  readonly name = 'claims';
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  async handle(entries: readonly EventEntry[]): Promise<void> {
    for (const { record } of entries) {
      if (record.type === 'erase') await this.#erase(record.shopper);
      else if (record.type === 'alias') await mergeClaims(this.#options, record.from, record.shopper);
      else if (record.type === 'purchase' || record.type === 'refund') await this.#buy(record.type, record);
    }
  }

  async #buy(what: 'purchase' | 'refund', event: ShopperEvent): Promise<void> {
    const { claims, wallets, clock } = this.#options;
    const entries = await wallets.read(event.shopper);
    for (const { claimId } of entries) {
      const parts = partsOfClaimId(claimId);
      if (parts === undefined) continue;
      // A purchase counts for one share: the latest that waits for it.
      if (await claims.buyByShare(what, parts, event, clock()) && what === 'purchase') return;
    }
  }

  async #erase(shopper: string): Promise<void> {
    const { claims, wallets } = this.#options;
    await relinkClaims(claims, (await wallets.read(shopper)).map(({ claimId }) => claimId), shopper, '');
    await wallets.erase(shopper);
  }
}
