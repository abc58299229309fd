import type { Claim, ClaimStatus } from '../domain/claim.js';
import { claimIdOf, codeOf } from '../domain/claim-code.js';

/** What the scripts about claims answer, and records as they write them: see `claim-record.lua`. */

/** Why a claim was not made. */
export type ClaimRefusal =
  | 'offer_exhausted' | 'cap_reached' | 'not_eligible' | 'outside_window' | 'key_reused' | 'offer_not_active' | 'group_closed' | 'share_closed' | 'budget_missing' | 'backlog_full';
/** Why a claim was not redeemed, released or refunded. */
export type SettleRefusal = 'not_found' | 'claim_held' | 'claim_not_redeemed' | 'claim_settled' | 'claim_expired' | 'above_reserved';

export type ClaimOutcome<Refusal> =
  /** `isNew`: false for what was so already. */
  | { readonly claim: Claim; readonly isNew: boolean }
  | { readonly refusal: Refusal };

/** Lines of a claim in the ledger: its random part and its record. */
const ENTRY_LINES = 14;
const STATUSES: Readonly<Record<string, ClaimStatus>> = { h: 'held', c: 'claimed', r: 'redeemed', l: 'released', e: 'expired', f: 'refunded' };

/** @param reply `+` or `=`, claim and record in lines; or a reason */
export function outcomeOf<Refusal extends string>(offerId: string, reply: string): ClaimOutcome<Refusal> {
  const sign = reply[0];
  if (sign !== '+' && sign !== '=') return { refusal: reply as Refusal };
  const end = reply.indexOf('\n');
  return { claim: claimOf(offerId, reply.slice(1, end), reply.slice(end + 1)), isNew: sign === '+' };
}

/** @param lines of a ledger entry: of each claim its random part and its record */
export function claimsOf(offerId: string, lines: string): Claim[] {
  const all = lines.split('\n');
  return Array.from({ length: Math.floor(all.length / ENTRY_LINES) }, (_, i) =>
    claimOf(offerId, all[i * ENTRY_LINES]!, all.slice(i * ENTRY_LINES + 1, (i + 1) * ENTRY_LINES).join('\n')));
}

/** @param record lines, as `claim-record.lua` says */
export function claimOf(offerId: string, number: string, record: string): Claim {
  const [status, role, created, expires, reserved, spent, link, , code, , , , shopper] = record.split('\n');
  const id = claimIdOf(offerId, number);
  const claim = {
    id, offerId, shopper: shopper!, code: codeOf(offerId, code!), status: STATUSES[status!]!,
    createdAt: Number(created), expiresAt: Number(expires), reservedMinor: Number(reserved),
  };
  if (role === 'p' && spent === '') return claim;
  return {
    ...claim,
    ...(spent === '' ? {} : { spentMinor: Number(spent) }),
    ...(role === 'g' ? { groupId: claimIdOf(offerId, link!) } : {}),
    ...(role === 's' ? { shareCode: id } : {}),
    ...(role === 'f' ? { sharedBy: claimIdOf(offerId, link!) } : {}),
  };
}
