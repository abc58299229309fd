import type { Logger } from 'pino';
import type { Claim } from '../domain/claim.js';
import type { ClaimStore, LedgerEntry } from '../redis/claim-store.js';
import type { Lease } from '../redis/lease.js';
import { mergeClaims } from '../redis/merge-claims.js';
import type { OfferBookStore } from '../redis/offer-book-store.js';
import type { WalletStore } from '../redis/wallet-store.js';
import type { Clock } from '../util/clock.js';
import { Rounds } from '../util/rounds.js';

export const CLAIM_KEEPER_LIMITS = {
  /** Between rounds over all offers, ms, and lease of who makes them. */
  everyMs: 500, leaseMs: 10_000,
  /** Ledger entries followed, and claims swept, by one call. */
  entries: 100, sweep: 200,
  /** Calls on one offer in a round; the rest has to wait for the others. */
  callsMax: 50,
  /** Between looks for archived offers of which nothing is left, ms. */
  closeEveryMs: 60_000,
} as const;

interface Options {
  readonly claims: ClaimStore;
  readonly book: OfferBookStore;
  readonly wallets: WalletStore;
  /** Who a shopper is now: of a merged visitor the user. */
  readonly ownerOf: (shopper: string) => Promise<string>;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs?: number;
}

/**
 * What hangs behind claims: follows the offers' ledgers (wallets, and when what is due), and does what is due. Every step
 * can be repeated, an entry is dropped only when all of it is done; of all workers one does it at a time.
 */
export class ClaimKeeper {
  readonly #rounds: Rounds;
  #isStopping = false;
  #closeAt = 0;
  /** Claims looked at by the sweep, and ledger entries followed. */
  readonly counts = { swept: 0, followed: 0 };

  constructor(private readonly options: Options) {
    const { lease, log, everyMs = CLAIM_KEEPER_LIMITS.everyMs } = options;
    this.#rounds = new Rounds({
      everyMs,
      round: async () => { if (await lease.take(CLAIM_KEEPER_LIMITS.leaseMs)) await this.round(); },
      onError: (error) => { if (!this.#isStopping) log.warn({ err: error }, 'claims are not kept at the moment; the next round goes on'); },
    });
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#rounds.stop();
    await this.options.lease.release();
  }

  /** One round over all offers with anything left to do. */
  async round(): Promise<void> {
    const { book, clock } = this.options;
    const ids = await book.openIds();
    await Promise.all(ids.map((id) => this.#keep(id)));
    if (clock() < this.#closeAt) return;
    this.#closeAt = clock() + CLAIM_KEEPER_LIMITS.closeEveryMs;
    for (const id of ids) await this.#closeIfDone(id);
  }

  async #keep(id: string): Promise<void> {
    const { claims, clock } = this.options;
    for (let call = 0; call < CLAIM_KEEPER_LIMITS.callsMax && !this.#isStopping; call++) {
      const entries = await claims.ledger(id, CLAIM_KEEPER_LIMITS.entries);
      await this.#follow(id, entries);
      if (entries.length < CLAIM_KEEPER_LIMITS.entries) break;
    }
    for (let call = 0; call < CLAIM_KEEPER_LIMITS.callsMax && !this.#isStopping; call++) {
      const swept = await claims.sweep(id, clock(), CLAIM_KEEPER_LIMITS.sweep);
      this.counts.swept += swept;
      if (swept < CLAIM_KEEPER_LIMITS.sweep) break;
    }
  }

  async #follow(id: string, entries: readonly LedgerEntry[]): Promise<void> {
    const { claims, wallets, ownerOf } = this.options;
    const last = entries.at(-1);
    if (last === undefined) return;
    const made = entries.flatMap((entry) => entry.claims).filter(({ status }) => status === 'claimed' || status === 'held');
    await claims.noteDue(id, made);
    await Promise.all(made.filter(({ shopper }) => shopper !== '').map(async ({ shopper, id: claimId, createdAt }) => {
      await wallets.add(shopper, [{ claimId, at: createdAt }]);
      // Claimed as a visitor while they were merged: the merge did not find it.
      const owner = await ownerOf(shopper);
      if (owner !== shopper) await mergeClaims({ claims, wallets }, shopper, owner);
    }));
    await this.#takeBack(id, made);
    await claims.dropLedger(id, last.id);
    this.counts.followed += entries.length;
  }

  /** Who was merged or erased before their claim was followed has lost it since: it is no longer for their wallet. */
  async #takeBack(id: string, made: readonly Claim[]): Promise<void> {
    const { claims, wallets } = this.options;
    const holders = await claims.holders(id, made);
    await Promise.all(made.filter(({ shopper }, i) => shopper !== '' && holders[i] !== shopper).map(({ shopper, id: claimId }) => wallets.remove(shopper, [claimId])));
  }

  async #closeIfDone(id: string): Promise<void> {
    const { claims, book } = this.options;
    if (await claims.isDone(id) && (await book.read(id))?.status === 'archived') await book.close(id);
  }
}
