import type { Redis } from 'ioredis';
import type { Claim, ClaimStatus } from '../domain/claim.js';
import { claimIdOf, claimNumberOf, codeOf } from '../domain/claim-code.js';
import { hash48 } from '../util/hash.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

const CLAIM_STORE_LIMITS = {
  /** Entries of an offer's ledger that no worker has followed, from which on nothing is claimed. */
  ledgerMax: 1_000_000,
} as const;

/** Why a claim was not made. */
export const CLAIM_REFUSALS = [
  'offer_exhausted', 'cap_reached', 'not_eligible', 'outside_window', 'key_reused', 'offer_not_active', 'group_closed', 'share_closed', 'budget_missing', 'backlog_full',
] as const;
export type ClaimRefusal = (typeof CLAIM_REFUSALS)[number];
/** Why a claim was not redeemed, released or refunded. */
export const SETTLE_REFUSALS = ['not_found', 'claim_held', 'claim_settled', 'claim_expired', 'above_reserved'] as const;
export type SettleRefusal = (typeof SETTLE_REFUSALS)[number];

export interface ClaimRequest {
  readonly offerId: string;
  /** Chosen by the client: the same key gets the same claim. No control characters. */
  readonly key: string;
  /** `u:` or `a:` and the id; no control characters. */
  readonly shopper: string;
  readonly deviceId?: string | undefined;
  /** Random part of the claim whose group is joined, or by whose share the shopper came. */
  readonly named?: string | undefined;
  /** Whether the shopper may have it at all; who may not still gets what the key has claimed before. */
  readonly isEligible: boolean;
  /** ms */
  readonly at: number;
}

export type ClaimOutcome<Refusal> =
  /** `isNew`: false for what was so already. */
  | { readonly claim: Claim; readonly isNew: boolean }
  | { readonly refusal: Refusal };

/** How many replicas must have a write before it counts as done. */
export interface WaitPolicy {
  readonly replicas: number;
  readonly timeoutMs: number;
}

interface ClaimScripts {
  claimOffer(state: string, ledger: string, due: string, request: string, flags: string): Promise<string>;
  settleClaim(state: string, ledger: string, due: string, what: string, number: string, now: number, spent: number): Promise<string>;
  sweepClaims(state: string, ledger: string, due: string, now: number, limit: number): Promise<number>;
}

const STATUSES: Readonly<Record<string, ClaimStatus>> = { h: 'held', c: 'claimed', r: 'redeemed', l: 'released', e: 'expired', f: 'refunded' };
const script = (name: string): string => readScript('claim-record') + readScript(name);

/** Claims in Redis: everything of an offer in its own slot, every change one script. */
export class ClaimStore {
  readonly #redis: Redis;
  readonly #scripts: ClaimScripts;
  readonly #keys: Keys;
  readonly #newCode: () => string;

  /** @param newCode 25 unguessable letters at each call */
  constructor(redis: Redis, keys: Keys, newCode: () => string) {
    redis.defineCommand('claimOffer', { numberOfKeys: 3, lua: script('claim-offer').replaceAll('$LEDGER_MAX', String(CLAIM_STORE_LIMITS.ledgerMax)) });
    redis.defineCommand('settleClaim', { numberOfKeys: 3, lua: script('settle-claim') });
    redis.defineCommand('sweepClaims', { numberOfKeys: 3, lua: script('sweep-claims') });
    this.#redis = redis;
    this.#scripts = redis as unknown as ClaimScripts;
    this.#keys = keys;
    this.#newCode = newCode;
  }

  /** Claims once per key, however often it is asked. @throws what Redis says; whether it was claimed is then unknown */
  async claim({ offerId, key, shopper, deviceId, named = '', isEligible, at }: ClaimRequest): Promise<ClaimOutcome<ClaimRefusal>> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    const code = this.#newCode();
    const device = deviceId === undefined ? '' : hash48(deviceId);
    const request = `${at}\n${claimNumberOf(code)}\n${code}\n${key}\n${device}\n${named}\n${shopper}`;
    return outcomeOf(offerId, await this.#scripts.claimOffer(state, ledger, due, request, isEligible ? '' : 'x'));
  }

  /** @param spentMinor what a redeemed claim came to */
  async settle(what: 'redeem' | 'release' | 'refund', offerId: string, number: string, at: number, spentMinor = 0): Promise<ClaimOutcome<SettleRefusal>> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    return outcomeOf(offerId, await this.#scripts.settleClaim(state, ledger, due, what, number, at, spentMinor));
  }

  async get(offerId: string, number: string): Promise<Claim | undefined> {
    const record = await this.#redis.hget(this.#keys.offer(offerId).state, `c:${number}`);
    return record === null ? undefined : claimOf(offerId, number, record);
  }

  /** Does what is due in an offer: expiry, failed groups, rewards of shares, forgetting. @returns how many claims were looked at */
  sweep(offerId: string, now: number, limit: number): Promise<number> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    return this.#scripts.sweepClaims(state, ledger, due, now, limit);
  }
}

/** @param reply `+` or `=`, claim and record in lines; or a reason */
function outcomeOf<Refusal extends string>(offerId: string, reply: string): ClaimOutcome<Refusal> {
  const sign = reply[0];
  if (sign !== '+' && sign !== '=') return { refusal: reply as Refusal };
  const end = reply.indexOf('\n');
  return { claim: claimOf(offerId, reply.slice(1, end), reply.slice(end + 1)), isNew: sign === '+' };
}

/** @param record lines, as `claim-record.lua` says */
function claimOf(offerId: string, number: string, record: string): Claim {
  const [status, role, created, expires, reserved, spent, link, , code, , , , shopper] = record.split('\n');
  const id = claimIdOf(offerId, number);
  return {
    id, offerId, shopper: shopper!, code: codeOf(offerId, code!), status: STATUSES[status!]!,
    createdAt: Number(created), expiresAt: Number(expires), reservedMinor: Number(reserved),
    ...(spent === '' ? {} : { spentMinor: Number(spent) }),
    ...(role === 'g' ? { groupId: claimIdOf(offerId, link!) } : {}),
    ...(role === 's' ? { shareCode: id } : {}),
    ...(role === 'f' ? { sharedBy: claimIdOf(offerId, link!) } : {}),
  };
}
