import type { Claim } from '../domain/claim.js';
import { partsOfClaimId } from '../domain/claim-code.js';
import type { SuspectInvite } from '../domain/risk.js';
import type { ClaimStore } from '../redis/claim-store.js';
import type { RiskStore } from '../redis/risk-store.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import type { RiskLedger } from './risk-ledger.js';

export interface ShareWatchDeps {
  readonly store: Pick<RiskStore, 'noteTraces' | 'traces'>;
  readonly claims: Pick<ClaimStore, 'get'>;
  readonly ledger: Pick<RiskLedger, 'noteInvites'>;
  readonly clock: Clock;
}

/** From where something was claimed. */
export interface ClaimOrigin { readonly deviceId?: string | undefined; readonly ip?: string | undefined }

/**
 * Watches claims of shares, after they are made: who shares and who comes by it leave the hashes of device and address; a friend
 * who has one of the sharer's is perhaps the sharer. Others' claims leave nothing.
 */
export class ShareWatch {
  constructor(private readonly deps: ShareWatchDeps) {}

  async onClaim({ id, shopper, shareCode, sharedBy }: Claim, origin: ClaimOrigin): Promise<void> {
    if (shareCode === undefined && sharedBy === undefined) return;
    const { store, clock } = this.deps;
    const own = tracesOf(origin);
    if (sharedBy !== undefined) await this.#compare(id, shopper, sharedBy, own);
    await store.noteTraces(shopper, own, clock());
  }

  /** A visitor has become a user: perhaps one by whose share they had come, or who came by theirs. */
  async onMerge(user: string, visitor: string): Promise<void> {
    const { store, ledger, clock } = this.deps;
    const [of, by] = await Promise.all([store.traces(user), store.traces(visitor)]);
    const links = [...[...of].filter((trace) => trace.startsWith(friend(visitor))), ...[...by].filter((trace) => trace.startsWith(friend(user)))];
    if (links.length > 0) await ledger.noteInvites(user, links.map((link) => ({ claimId: link.slice(link.indexOf(' ') + 1), by: 'alias', at: clock() })));
  }

  async #compare(claimId: string, shopper: string, sharedBy: string, own: readonly string[]): Promise<void> {
    const { store, claims, ledger, clock } = this.deps;
    const parts = partsOfClaimId(sharedBy);
    const sharer = parts === undefined ? undefined : (await claims.get(parts.offerId, parts.number))?.shopper;
    if (sharer === undefined || sharer === '') return;
    const theirs = await store.traces(sharer);
    const at = clock();
    await store.noteTraces(sharer, [`${friend(shopper)}${claimId}`], at);
    const invites = own.filter((trace) => theirs.has(trace)).map((trace): SuspectInvite => ({ claimId, by: trace.startsWith('d:') ? 'device' : 'address', at }));
    if (invites.length > 0) await Promise.all([sharer, shopper].map((one) => ledger.noteInvites(one, invites)));
  }
}

const friend = (shopper: string): string => `f:${hash48(shopper).toString(36)} `;
const tracesOf = ({ deviceId, ip }: ClaimOrigin): string[] =>
  [...deviceId === undefined ? [] : [`d:${hash48(deviceId).toString(36)}`], ...ip === undefined ? [] : [`n:${hash48(ip).toString(36)}`]];
