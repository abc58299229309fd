import type { Claim } from '../domain/claim.js';
import type { ShopperEvent } from '../domain/event.js';
import type { OfferKind } from '../domain/offer.js';
import { claimIdOf, claimNumberOf, codeOf, partsOfClaimId } from '../domain/claim-code.js';
import { AppError } from '../errors.js';
import { hash48 } from '../util/hash.js';
import { claimOf, claimsOf, outcomeOf, type ClaimOutcome, type ClaimRefusal, type SettleRefusal } from './claim-record.js';
import type { RedisClient } from './client.js';
import { DurableCalls, type WaitPolicy } from './durable-calls.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

const CLAIM_STORE_LIMITS = {
  /** Claims of one script call. */
  perCall: 64,
  /** Entries of an offer's ledger that no worker has followed, from which on nothing is claimed. */
  ledgerMax: 1_000_000,
} as const;

export interface ClaimRequest {
  readonly offerId: string;
  /** Of the offer. */
  readonly kind: OfferKind;
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

/** A claim for one of many. */
export type ManyClaim = Pick<ClaimRequest, 'key' | 'shopper'>;
export type MadeClaim = Pick<Claim, 'id' | 'code' | 'expiresAt' | 'status'>;
export type ManyOutcome = { readonly claim: MadeClaim } | { readonly refusal: ClaimRefusal };

/** A claim that waits for the end of the turn, when all of one offer go to Redis together. */
interface WaitingClaim {
  readonly lines: string;
  readonly resolve: (reply: string) => void;
  readonly reject: (error: unknown) => void;
}

interface ClaimScripts {
  claimTogether(state: string, ledger: string, due: string, requests: string): Promise<string>;
  claimOffer(state: string, ledger: string, due: string, requests: string): Promise<string>;
  claimMany(state: string, ledger: string, due: string, now: number, isWaited: 0 | 1, ...claims: string[]): Promise<string>;
  settleClaim(state: string, ledger: string, due: string, what: string, number: string, now: number, spent: number): Promise<string>;
  buyByShare(state: string, ledger: string, due: string, what: string, number: string, shopper: string, purchase: number, item: number | string, at: number, now: number): Promise<number>;
  relinkClaim(state: string, ledger: string, due: string, number: string, from: string, to: string): Promise<number>;
  sweepClaims(state: string, ledger: string, due: string, now: number, limit: number): Promise<number>;
}

/** What parts the fields of requests and records must not be in them. */
const CONTROL = /\p{Cc}/u;

/** What a script has changed: claims, each as it became. */
export interface LedgerEntry {
  readonly id: string;
  readonly claims: readonly Claim[];
}

const script = (name: string): string => readScript('claim-record') + readScript(name);

function defineScripts(redis: RedisClient): void {
  const limited = (name: string): string => readScript(name).replace('$LEDGER_MAX, entries', 'Entries').replace('$LEDGER_MAX', String(CLAIM_STORE_LIMITS.ledgerMax));
  const lua = limited('claim-offer');
  redis.defineCommand('claimOffer', { numberOfKeys: 3, lua });
  redis.defineCommand('claimMany', { numberOfKeys: 3, lua: limited('claim-many') });
  redis.defineCommand('claimTogether', { numberOfKeys: 3, lua: readScript('claim-record') + lua.replace('-- $TOGETHER\n', () => readScript('claim-together')) });
  redis.defineCommand('settleClaim', { numberOfKeys: 3, lua: script('settle-claim') });
  redis.defineCommand('buyByShare', { numberOfKeys: 3, lua: script('buy-by-share') });
  redis.defineCommand('relinkClaim', { numberOfKeys: 3, lua: script('relink-claim') });
  redis.defineCommand('sweepClaims', { numberOfKeys: 3, lua: script('sweep-claims') });
}

/** Claims in Redis: everything of an offer in its own slot, every change one script. */
export class ClaimStore {
  readonly #redis: RedisClient;
  readonly #scripts: ClaimScripts;
  readonly #keys: Keys;
  readonly #newCode: () => string;
  /** By offer; not empty until the end of the turn. */
  readonly #waiting = new Map<string, WaitingClaim[]>();

  /** Where replicas are waited for. */
  readonly #durable: DurableCalls<ClaimScripts> | undefined;
  /** A call of claims is under way whose replicas are waited for: those that come meanwhile travel together after it. */
  #isWaiting = false;

  /** @param newCode 25 unguessable letters at each call */
  constructor(redis: RedisClient, keys: Keys, newCode: () => string, wait?: WaitPolicy) {
    this.#durable = wait === undefined ? undefined : new DurableCalls(wait, defineScripts);
    defineScripts(redis);
    this.#redis = redis;
    this.#scripts = redis as unknown as ClaimScripts;
    this.#keys = keys;
    this.#newCode = newCode;
  }

  /**
   * Claims once per key, however often it is asked. Claims of one turn on one offer travel in one call, which costs the
   * client and Redis far less than a call each.
   * @throws AppError `invalid_request`; what Redis says: whether it was claimed is then unknown
   */
  async claim({ offerId, kind, key, shopper, deviceId, named = '', isEligible, at }: ClaimRequest): Promise<ClaimOutcome<ClaimRefusal>> {
    if (CONTROL.test(key) || CONTROL.test(shopper) || CONTROL.test(named)) {
      throw new AppError('invalid_request', 'A key, a user or an anonymous id that claims may not contain control characters.');
    }
    const code = this.#newCode();
    const device = deviceId === undefined ? '' : hash48(deviceId);
    const lines = `${at}\n${claimNumberOf(code)}\n${code}\n${this.#durable === undefined ? '' : 'w'}${isEligible ? '' : 'x'}\n${key}\n${device}\n${named}\n${shopper}\n`;
    const reply = await (kind === 'group_buy' || kind === 'share_reward' ? this.#together(offerId, lines) : this.#inTurn(offerId, lines));
    return outcomeOf(offerId, reply);
  }

  /** Of offers whose claims change other claims: one a call. */
  #together(offerId: string, lines: string): Promise<string> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    return this.#durably(state, (scripts) => scripts.claimTogether(state, ledger, due, lines));
  }

  #inTurn(offerId: string, lines: string): Promise<string> {
    return new Promise((resolve, reject) => {
      // After all microtasks: whatever the replies of this turn lead to has been asked for by then.
      if (this.#waiting.size === 0 && !this.#isWaiting) process.nextTick(() => { this.#flush(); });
      const claims = this.#waiting.get(offerId);
      if (claims === undefined) this.#waiting.set(offerId, [{ lines, resolve, reject }]);
      else claims.push({ lines, resolve, reject });
    });
  }

  #flush(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [offerId, claims] of waiting) {
      for (let from = 0; from < claims.length; from += CLAIM_STORE_LIMITS.perCall) void this.#call(offerId, claims.slice(from, from + CLAIM_STORE_LIMITS.perCall));
    }
  }

  /**
   * Makes a call, and where replicas are to have it, waits for them.
   * @throws AppError `write_unknown` when too few have it in time
   */
  async #durably(key: string, call: (scripts: ClaimScripts) => Promise<string>): Promise<string> {
    return this.#durable === undefined ? call(this.#scripts) : this.#durable.call(key, call);
  }

  async #call(offerId: string, claims: readonly WaitingClaim[]): Promise<void> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    const lines = claims.map((claim) => claim.lines).join('');
    this.#isWaiting = this.#durable !== undefined;
    try {
      const replies = (await this.#durably(state, (scripts) => scripts.claimOffer(state, ledger, due, lines))).split('\0');
      claims.forEach(({ resolve }, i) => { resolve(replies[i]!); });
    } catch (error) {
      for (const { reject } of claims) reject(error);
    }
    this.#isWaiting = false;
    if (this.#durable !== undefined && this.#waiting.size > 0) this.#flush();
  }

  /**
   * Claims an offer for many shoppers. Of group buys and share rewards there is no such thing.
   * @returns by request; undefined where it is not known whether it was claimed: the same key tells
   */
  async claimMany(offerId: string, requests: readonly ManyClaim[], at: number): Promise<(ManyOutcome | undefined)[]> {
    // Whom a claim cannot name has none.
    const outcomes = requests.map(({ key, shopper }): ManyOutcome | undefined => (CONTROL.test(shopper) || CONTROL.test(key) ? { refusal: 'not_eligible' } : undefined));
    const asked = [...requests.keys()].filter((i) => outcomes[i] === undefined);
    const call = async (indexes: readonly number[]): Promise<void> => {
      try {
        const found = await this.#callMany(offerId, indexes.map((i) => requests[i]!), at);
        found.forEach((outcome, n) => { outcomes[indexes[n]!] = outcome; });
      } catch {
        // Whether it was refused or is unknown, the same can be done about it.
      }
    };
    const calls: Promise<void>[] = [];
    for (let from = 0; from < asked.length; from += CLAIM_STORE_LIMITS.perCall) calls.push(call(asked.slice(from, from + CLAIM_STORE_LIMITS.perCall)));
    await Promise.all(calls);
    return outcomes;
  }

  async #callMany(offerId: string, requests: readonly ManyClaim[], at: number): Promise<ManyOutcome[]> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    const codes = requests.map(() => this.#newCode());
    const numbers = codes.map(claimNumberOf);
    const args: string[] = [];
    requests.forEach(({ key, shopper }, i) => { args.push(`k:${key}`, `u:${shopper}`, numbers[i]!, `${codes[i]!}\n${key}\n\n\n${shopper}`); });
    const reply = await this.#durably(state, (scripts) => scripts.claimMany(state, ledger, due, at, this.#durable === undefined ? 0 : 1, ...args));
    const [expires, ...replies] = reply.split('\0');
    return replies.map((text, i): ManyOutcome => {
      if (text === '+') return { claim: { id: claimIdOf(offerId, numbers[i]!), code: codeOf(offerId, codes[i]!), expiresAt: Number(expires), status: 'claimed' } };
      return outcomeOf<ClaimRefusal>(offerId, text);
    });
  }

  /** @returns the random part of the claim that each key has made of an offer, null for none */
  claimedBy(offerId: string, idempotencyKeys: readonly string[]): Promise<(string | null)[]> {
    return this.#redis.hmget(this.#keys.offer(offerId).state, ...idempotencyKeys.map((key) => `k:${key}`));
  }

  /** @param spentMinor what a redeemed claim came to */
  async settle(what: 'redeem' | 'release' | 'refund', offerId: string, number: string, at: number, spentMinor = 0): Promise<ClaimOutcome<SettleRefusal>> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    return outcomeOf(offerId, await this.#durably(state, (scripts) => scripts.settleClaim(state, ledger, due, what, number, at, spentMinor)));
  }

  async get(offerId: string, number: string): Promise<Claim | undefined> {
    const record = await this.#redis.hget(this.#keys.offer(offerId).state, `c:${number}`);
    return record === null ? undefined : claimOf(offerId, number, record);
  }

  /**
   * Notes a purchase by a friend who came by a share, or that it was returned.
   * @returns whether the claim is a friend's that waits for it
   */
  async buyByShare(what: 'purchase' | 'refund', claimId: { offerId: string; number: string }, event: ShopperEvent, now: number): Promise<boolean> {
    const { state, ledger, due } = this.#keys.offer(claimId.offerId);
    const item = event.itemId === undefined ? '' : hash48(event.itemId);
    return (await this.#scripts.buyByShare(state, ledger, due, what, claimId.number, event.shopper, hash48(event.id), item, event.at, now)) === 1;
  }

  /** @returns whose each claim is now: '' of an erased shopper's, undefined of one that is forgotten */
  async holders(offerId: string, claims: readonly Claim[]): Promise<(string | undefined)[]> {
    if (claims.length === 0) return [];
    const records = await this.#redis.hmget(this.#keys.offer(offerId).state, ...claims.map(({ id }) => `c:${partsOfClaimId(id)!.number}`));
    return records.map((record) => record?.split('\n').at(-1));
  }

  /** Gives a claim to another shopper, or with an empty `to` to nobody. */
  async relink({ offerId, number }: { offerId: string; number: string }, from: string, to: string): Promise<void> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    await this.#scripts.relinkClaim(state, ledger, due, number, from, to);
  }

  /** Entries of an offer's ledger that nobody has followed, oldest first. */
  async ledger(offerId: string, limit: number): Promise<LedgerEntry[]> {
    const rows = await this.#redis.xrange(this.#keys.offer(offerId).ledger, '-', '+', 'COUNT', limit);
    return rows.map(([id, fields]) => ({ id, claims: claimsOf(offerId, fields[1] ?? '') }));
  }

  /** Notes when new claims expire; one that has changed since is noted already, by who changed it. */
  async noteDue(offerId: string, claims: readonly Claim[]): Promise<void> {
    const pairs = claims.flatMap(({ id, expiresAt }) => [expiresAt, partsOfClaimId(id)!.number]);
    if (pairs.length > 0) await this.#redis.zadd(this.#keys.offer(offerId).due, 'NX', ...pairs);
  }

  /** Drops the entries of a ledger up to and with `last`. */
  async dropLedger(offerId: string, last: string): Promise<void> {
    const [ms, sequence] = last.split('-');
    await this.#redis.xtrim(this.#keys.offer(offerId).ledger, 'MINID', `${ms}-${Number(sequence) + 1}`);
  }

  /** @returns whether nothing is left to follow, to expire or to forget */
  async isDone(offerId: string): Promise<boolean> {
    const { ledger, due } = this.#keys.offer(offerId);
    const [entries, claims] = await Promise.all([this.#redis.xlen(ledger), this.#redis.zcard(due)]);
    return entries === 0 && claims === 0;
  }

  /** Does what is due in an offer: expiry, failed groups, rewards of shares, forgetting. @returns how many claims were looked at */
  sweep(offerId: string, now: number, limit: number): Promise<number> {
    const { state, ledger, due } = this.#keys.offer(offerId);
    return this.#scripts.sweepClaims(state, ledger, due, now, limit);
  }
}
