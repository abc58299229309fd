import type { RiskChange, RiskFlagInput, RiskState, SuspectInvite } from '../domain/risk.js';
import type { PortraitRecord, ShopperRecord } from '../domain/record.js';
import { AppError } from '../errors.js';
import { decodeProfile } from '../profile/codec.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import type { ProfileStore } from '../redis/profile-store.js';
import type { RiskStore } from '../redis/risk-store.js';
import { isFlagged, scoreOf, signsOf, toldScore, type RiskLimits } from '../risk/score.js';
import type { Clock } from '../util/clock.js';

const LEDGER_LIMITS = {
  /** Tries to write while others write too. */
  attempts: 16,
  /** Suspect invitations kept of a shopper, the latest. */
  invitesMax: 50,
} as const;

export interface RiskLedgerDeps {
  readonly store: RiskStore;
  readonly profiles: Pick<ProfileStore, 'read'>;
  readonly limits: RiskLimits;
  readonly clock: Clock;
  readonly newId: () => string;
}

type Change = Partial<Pick<RiskState, 'invites' | 'override'>>;

/** How much shoppers look like abuse, and who is flagged for it: looked at from the profile as it is, so that it may be repeated. */
export class RiskLedger {
  readonly #deps: RiskLedgerDeps;

  constructor(deps: RiskLedgerDeps) {
    this.#deps = deps;
  }

  /** Works the score out anew; written only when something has changed. */
  async look(shopper: string): Promise<void> {
    await this.#change(shopper, () => ({}));
  }

  /** Notes that a shopper seems to have invited themselves; once by claim and likeness. */
  async noteInvites(shopper: string, invites: readonly SuspectInvite[]): Promise<void> {
    await this.#change(shopper, (state) => ({ invites: joined(state.invites, invites) }));
  }

  /** @param by who says so */
  async setFlag(shopper: string, { flag, reason }: RiskFlagInput, by: string): Promise<RiskState> {
    const at = this.#deps.clock();
    return this.#change(shopper, () => ({ override: flag === 'auto' ? undefined : { flag, reason, by, at } }), { at, by, flag, reason });
  }

  /** What speaks against a visitor speaks against the user they have become. */
  async merge(user: string, visitor: string): Promise<void> {
    const { store } = this.#deps;
    const state = stateOf(await store.read(visitor), 0);
    const traces = await store.traces(visitor);
    await store.noteTraces(user, [...traces], this.#deps.clock());
    await this.#change(user, (known) => ({ invites: joined(known.invites, state.invites), override: known.override ?? state.override }));
    await store.erase(visitor);
  }

  /** @param at of the erasure, ms: what began later belongs to a new life */
  async erase(shopper: string, at: number): Promise<void> {
    if (stateOf(await this.#deps.store.read(shopper), 0).since <= at) await this.#deps.store.erase(shopper);
  }

  async read(shopper: string): Promise<{ state: RiskState; changes: RiskChange[] }> {
    const { store } = this.#deps;
    const [json, changes] = await Promise.all([store.read(shopper), store.changes(shopper)]);
    return { state: stateOf(json, 0), changes };
  }

  /** Flagged shoppers with what they are flagged for. */
  async flagged(cursor: string, limit: number): Promise<{ shoppers: { shopper: string; state: RiskState }[]; cursor: string }> {
    const { store, clock } = this.#deps;
    const page = await store.flaggedPage(cursor, limit);
    const states = await Promise.all(page.shoppers.map((shopper) => store.read(shopper)));
    return { shoppers: page.shoppers.map((shopper, i) => ({ shopper, state: stateOf(states[i]!, clock()) })), cursor: page.cursor };
  }

  async #change(shopper: string, change: (state: RiskState) => Change, asked?: Pick<RiskChange, 'at' | 'by' | 'flag' | 'reason'>): Promise<RiskState> {
    const { store, profiles, limits, clock } = this.#deps;
    for (let attempt = 0; attempt < LEDGER_LIMITS.attempts; attempt++) {
      const [json, value] = await Promise.all([store.read(shopper), profiles.read(shopper)]);
      const now = clock();
      const before = stateOf(json, now);
      const state = this.#judge({ ...before, ...change(before) }, value === null ? emptyProfile() : readable(value), limits, now);
      if (asked === undefined && isSame(before, state)) return before;
      const isWritten = await store.write(shopper, json, {
        state, told: toldScore(state, limits), records: this.#recordsOf(shopper, before, state, now),
        change: asked === undefined ? undefined : { ...asked, wasFlagged: before.isFlagged, isFlagged: state.isFlagged },
      });
      if (isWritten) return state;
    }
    throw new AppError('write_contended', `Risk of shopper ${shopper.slice(2)} is written from too many places at once; try again.`);
  }

  #judge(state: RiskState, profile: Profile | undefined, limits: RiskLimits, at: number): RiskState {
    const reasons = profile === undefined ? state.reasons : signsOf(profile, state.invites, limits);
    const score = scoreOf(reasons);
    const since = profile === undefined || profile.firstAt === 0 ? state.since : Math.min(state.since, profile.firstAt);
    return { ...state, since, reasons, score, isFlagged: isFlagged(score, state.isFlagged, limits, state.override), at };
  }

  /** Portraits show the score; archive and counters hear of the flag. */
  #recordsOf(shopper: string, before: RiskState, state: RiskState, at: number): (PortraitRecord | ShopperRecord)[] {
    const { newId, limits } = this.#deps;
    return [
      ...toldScore(before, limits) === toldScore(state, limits) ? [] : [{ type: 'portrait', id: newId(), shopper, at } as const],
      ...before.isFlagged === state.isFlagged ? [] : [{ type: 'risk', id: newId(), shopper, flagged: state.isFlagged, at } as const],
    ];
  }
}

const stateOf = (json: string, now: number): RiskState => (json === '' ? { since: now, invites: [], score: 0, reasons: [], isFlagged: false, at: now } : JSON.parse(json) as RiskState);

const joined = (known: readonly SuspectInvite[], more: readonly SuspectInvite[]): SuspectInvite[] =>
  [...known, ...more.filter((one) => !known.some(({ claimId, by }) => claimId === one.claimId && by === one.by))].slice(-LEDGER_LIMITS.invitesMax);

/** A newer version may have written it: its processes look after the shopper. */
function readable(value: Buffer): Profile | undefined {
  try {
    return decodeProfile(value);
  } catch (error) {
    if (error instanceof AppError && error.code === 'profile_unreadable') return undefined;
    throw error;
  }
}

/** Evidence changes with every event; only what it comes to is worth a write. */
const isSame = (a: RiskState, b: RiskState): boolean =>
  a.score === b.score && a.isFlagged === b.isFlagged && a.override === b.override && a.invites.length === b.invites.length
  && a.reasons.map(({ reason }) => reason).join() === b.reasons.map(({ reason }) => reason).join();
