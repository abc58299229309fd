import { parseAttributes } from '../domain/attributes.js';
import type { LedgerEntry } from '../domain/growth.js';
import type { PortraitRecord } from '../domain/record.js';
import { AppError } from '../errors.js';
import { awardBadges, foldMerit, levelOf, mergeGrowth, type GrowthContext, type Merit } from '../growth/fold.js';
import type { PreparedRules } from '../growth/prepared-rules.js';
import { newGrowth, type GrowthState } from '../growth/state.js';
import type { PortraitDocument } from '../profile/portrait-schema.js';
import type { Growth } from '../profile/portrait.js';
import type { AttributeStore } from '../redis/attribute-store.js';
import type { GrowthStore, StoredGrowth } from '../redis/growth-store.js';
import { dayIn } from '../util/calendar.js';
import type { Clock } from '../util/clock.js';

const LEDGER_LIMITS = {
  /** Tries to write one shopper's growth while others write it too. */
  attempts: 16,
  /** Merged shoppers followed one after another. */
  redirects: 4,
} as const;

export interface GrowthLedgerDeps {
  readonly store: GrowthStore;
  readonly attributes: AttributeStore;
  /** As they are now in this process. */
  readonly rules: () => PreparedRules;
  /** Of shoppers who have not said theirs. */
  readonly timezone: string;
  /** The portrait that badges' expressions read; asked only where there are any. */
  readonly document: (shopper: string, growth: Growth) => Promise<PortraitDocument>;
  readonly clock: Clock;
  readonly newId: () => string;
}

/** A shopper's growth as it is kept, with the time zone it is reckoned in. */
export interface KnownGrowth { readonly shopper: string; readonly state: GrowthState; readonly context: GrowthContext; readonly isFlagged: boolean }

type Change = (state: GrowthState, context: GrowthContext, stored: StoredGrowth) => Changed | undefined;
interface Changed { readonly entries: readonly LedgerEntry[]; readonly ids: readonly { id: string; at: number }[]; readonly isUndone: boolean }

/** The points of shoppers: read, fold, compare and set, with the ledger's entries in the same script. */
export class GrowthLedger {
  readonly #deps: GrowthLedgerDeps;

  constructor(deps: GrowthLedgerDeps) {
    this.#deps = deps;
  }

  /** Takes what a shopper did, each once by its id; of flagged shoppers nothing. @returns how many counted */
  async apply(shopper: string, merits: readonly Merit[]): Promise<number> {
    let counted = 0;
    await this.#change(shopper, merits.map(({ id }) => id), (state, context, { seen, isFlagged }) => {
      counted = 0;
      if (isFlagged) return undefined;
      const entries: LedgerEntry[] = [];
      const ids: Merit[] = [];
      for (const merit of merits) {
        if (seen.has(merit.id) || ids.some(({ id }) => id === merit.id)) continue;
        const changes = foldMerit(state, merit, context);
        if (changes === undefined) continue;
        entries.push(...changes);
        ids.push(merit);
      }
      counted = ids.length;
      return { entries, ids, isUndone: state.refunds.length > 0 && ids.some(({ on }) => on === 'purchase' || on === 'refund') };
    });
    return counted;
  }

  /** The shopper says that they have come by. @returns whether it was the first time today. @throws AppError `not_eligible` when flagged */
  async checkIn(shopper: string): Promise<boolean> {
    const { context, isFlagged } = await this.read(shopper);
    if (isFlagged) throw new AppError('not_eligible', 'This shopper is flagged as a risk and earns nothing; GET /v1/users/:id/risk says why.');
    const day = dayIn(context.now, context.timezone);
    return await this.apply(shopper, [{ id: `check-in ${day}`, on: 'check_in', at: context.now }]) === 1;
  }

  /**
   * What was a visitor's becomes the user's, once, though the two live in different slots: the visitor's growth is frozen with a
   * signpost to the user, merged under the record's id, and emptied. Whoever finds it frozen, after a crash, goes on from there.
   */
  async merge(user: string, visitor: string, recordId: string): Promise<void> {
    const frozen = await this.#freeze(visitor, user);
    if (frozen.runs.length > 0) {
      await this.#change(user, [recordId], (state, context, { seen }) => {
        if (seen.has(recordId)) return undefined;
        return { entries: mergeGrowth(state, structuredClone(frozen), recordId, context), ids: [{ id: recordId, at: context.now }], isUndone: state.refunds.length > 0 };
      });
    }
    await this.#put(visitor, JSON.stringify(frozen), { ...newGrowth(frozen.since), movedTo: user });
  }

  async #freeze(visitor: string, user: string): Promise<GrowthState> {
    for (let attempt = 0; attempt < LEDGER_LIMITS.attempts; attempt++) {
      const { json } = await this.#deps.store.read(visitor);
      const state = json === '' ? newGrowth(this.#deps.clock()) : JSON.parse(json) as GrowthState;
      if (state.movedTo !== undefined) return state;
      const frozen = { ...state, movedTo: user };
      if (await this.#put(visitor, json, frozen)) return frozen;
    }
    throw contended(visitor);
  }

  /** Of a signpost there is nothing to be seen. */
  #put(visitor: string, read: string, state: GrowthState): Promise<boolean> {
    return this.#deps.store.write(visitor, read, { json: JSON.stringify(state), points: 0, level: 0, badges: [], entries: [], ids: [] });
  }

  /** @param at of the erasure, ms: what began later belongs to a new life */
  async erase(shopper: string, at: number): Promise<void> {
    const { json } = await this.#deps.store.read(shopper);
    if (json === '' || (JSON.parse(json) as GrowthState).since <= at) await this.#deps.store.erase(shopper);
  }

  /** @returns the growth, of the user it was merged into where it was; an empty one for who has none */
  async read(shopper: string): Promise<KnownGrowth> {
    return (await this.#read(shopper, [])).known;
  }

  async #read(shopper: string, ids: readonly string[]): Promise<{ known: KnownGrowth; stored: StoredGrowth }> {
    const { store, attributes, rules, timezone, clock } = this.#deps;
    let key = shopper;
    // What counted for a visitor before the merge does not count again for the user.
    const seen = new Set<string>();
    for (let hop = 0; hop <= LEDGER_LIMITS.redirects; hop++) {
      const [stored, said] = await Promise.all([store.read(key, ids), attributes.readJson(key)]);
      for (const id of stored.seen) seen.add(id);
      const now = clock();
      const state = stored.json === '' ? newGrowth(now) : JSON.parse(stored.json) as GrowthState;
      if (state.movedTo === undefined) {
        const context = { rules: rules().rules, timezone: parseAttributes(said)?.timezone ?? timezone, now };
        return { known: { shopper: key, state, context, isFlagged: stored.isFlagged }, stored: { ...stored, seen } };
      }
      key = state.movedTo;
    }
    throw new AppError('conflict', `Shopper ${shopper.slice(2)} was merged more than ${LEDGER_LIMITS.redirects} times in a row.`);
  }

  /** Reads, changes and writes until nobody was in between. @param change in place; returns undefined to leave it */
  async #change(shopper: string, ids: readonly string[], change: Change): Promise<void> {
    for (let attempt = 0; attempt < LEDGER_LIMITS.attempts; attempt++) {
      const { known: { shopper: key, state, context }, stored } = await this.#read(shopper, ids);
      const before = { points: state.points, level: state.level, badges: Object.keys(state.badges).join() };
      const changed = change(state, context, stored);
      if (changed === undefined || changed.ids.length === 0) return;
      state.level = levelOf(state.points, context.rules);
      await this.#award(key, state, context, changed.isUndone);
      const badges = Object.keys(state.badges);
      const isSeen = state.points !== before.points || state.level !== before.level || badges.join() !== before.badges;
      const isWritten = await this.#deps.store.write(key, stored.json, {
        json: JSON.stringify(state), points: state.points, level: state.level, badges, entries: changed.entries, ids: changed.ids,
        record: isSeen ? this.#record(key, before.level, state.level, context.now) : undefined,
      });
      if (isWritten) return;
    }
    throw contended(shopper);
  }

  async #award(shopper: string, state: GrowthState, context: GrowthContext, isUndone: boolean): Promise<void> {
    const { document, rules } = this.#deps;
    const { expressions } = rules();
    const growth = { points: state.points, level: state.level, badges: Object.keys(state.badges) };
    const portrait = expressions.size === 0 ? undefined : await document(shopper, growth);
    awardBadges(state, context, isUndone, ({ id }) => portrait !== undefined && expressions.get(id)?.matches(portrait) === true);
  }

  /** Who follows the portrait looks again; a level is reached once, however often it is said. */
  #record(shopper: string, before: number, level: number, at: number): PortraitRecord {
    return level > before
      ? { type: 'portrait', id: `level ${level} ${shopper}`, shopper, at, levelUp: level }
      : { type: 'portrait', id: this.#deps.newId(), shopper, at };
  }
}

const contended = (shopper: string): AppError =>
  new AppError('write_contended', `Growth of shopper ${shopper.slice(2)} is written from too many places at once; try again.`);
