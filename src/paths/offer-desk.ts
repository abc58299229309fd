import { isDeepStrictEqual } from 'node:util';
import { currencyFault } from '../domain/money.js';
import { reserveOf, type Offer, type OfferInput, type OfferStatus, type OfferTerms } from '../domain/offer.js';
import { AppError } from '../errors.js';
import type { AuditEntry, OfferBookStore, OfferUsage } from '../redis/offer-book-store.js';
import type { Clock } from '../util/clock.js';

export const OFFER_DESK_LIMITS = {
  /** Offers with anything left to do: every process follows each. */
  openMax: 2000,
  listMax: 200,
  auditMax: 200,
  /** Tries of a change that names no version, while others change the offer. */
  attemptsMax: 20,
} as const;

/** What an operator does to an offer's life, from which states, and into which. */
const MOVES = {
  activate: { from: ['draft', 'paused'], to: 'active' },
  pause: { from: ['active'], to: 'paused' },
  archive: { from: ['draft', 'active', 'paused'], to: 'archived' },
} as const satisfies Record<string, { from: readonly OfferStatus[]; to: OfferStatus }>;
export type OfferMove = keyof typeof MOVES;

export interface OfferDeskOptions {
  readonly store: OfferBookStore;
  readonly clock: Clock;
  /** Of the store; undefined: any. */
  readonly currency?: string | undefined;
  /** @throws AppError for an eligibility that cannot be evaluated */
  readonly checkEligibility: (offer: OfferInput) => void;
}

/** What operators do to offers. Every change has a version, and an entry in the offer's audit in the same write. */
export class OfferDesk {
  readonly #options: OfferDeskOptions;

  constructor(options: OfferDeskOptions) {
    this.#options = options;
  }

  /**
   * Drafts an offer; the same draft again is no fault.
   * @param by who, for the audit
   * @throws AppError `conflict` where there is another offer of this id, `invalid_request`, `other_currency`
   */
  async create(input: OfferInput, by: string): Promise<Offer> {
    const { store, clock } = this.#options;
    this.#check(input);
    if (await store.countOpen() >= OFFER_DESK_LIMITS.openMax) {
      throw new AppError('conflict', `There are ${OFFER_DESK_LIMITS.openMax} offers already; archive some.`);
    }
    const now = clock();
    const offer: Offer = { ...this.#inCurrency(input), status: 'draft', version: 1, createdAt: now, updatedAt: now };
    const entry: AuditEntry = { at: now, by, action: 'create', version: 1, changes: changesOf({}, offer) };
    const result = await store.write(offer, entry);
    if (result.kind === 'written') return offer;
    const there = await this.get(input.id);
    if (Object.keys(changesOf(there, { ...offer, createdAt: there.createdAt, updatedAt: there.updatedAt })).length === 0) return there;
    throw new AppError('conflict', `There is an offer ${input.id} already; change it by PUT, or choose another id.`);
  }

  /** Replaces a definition; what is out stays out, and what was promised with it. @param version that the operator saw; undefined: whichever is there */
  async change(id: string, input: OfferInput, by: string, version?: number): Promise<Offer> {
    if (input.id !== id) throw new AppError('invalid_request', `The body is of offer ${input.id}, the address of ${id}; an id never changes.`);
    this.#check(input);
    const next = this.#inCurrency(input);
    return this.#rewrite(id, 'change', by, version, (offer) => {
      const broken = offer.status === 'draft' ? [] : brokenBy(offer, next);
      if (broken.length > 0) {
        throw new AppError('conflict', `Offer ${id} is ${offer.status}: ${broken.join(', ')} must stay what shoppers were promised (of terms all but stock and costMinor). Archive it and draft another.`);
      }
      return { ...next, status: offer.status };
    });
  }

  /**
   * Activates, pauses or archives; what is so already stays as it is.
   * @throws AppError `not_found`, `conflict`; `outside_window` for an activation that nobody could use
   */
  move(id: string, move: OfferMove, by: string): Promise<Offer> {
    const { from, to } = MOVES[move];
    return this.#rewrite(id, move, by, undefined, (offer) => {
      if (offer.status === to) return undefined;
      if (!from.some((status) => status === offer.status)) {
        throw new AppError('conflict', `Offer ${id} is ${offer.status}; only one that is ${from.join(' or ')} can be ${to}.`);
      }
      if (to === 'active' && offer.window.endsAt <= this.#options.clock()) {
        throw new AppError('outside_window', `The window of offer ${id} ended at ${new Date(offer.window.endsAt).toISOString()}: give it a later one by PUT first.`);
      }
      const { version: _version, createdAt: _createdAt, updatedAt: _updatedAt, ...input } = offer;
      return { ...input, status: to };
    });
  }

  /** @throws AppError `not_found` */
  async get(id: string): Promise<Offer> {
    const offer = await this.#options.store.read(id);
    if (offer === undefined) throw new AppError('not_found', `There is no offer ${id}.`);
    return offer;
  }

  /** An offer and what is out of it. @throws AppError `not_found` */
  async describe(id: string): Promise<OfferDescription> {
    const [offer, [pulse]] = await Promise.all([this.get(id), this.#options.store.pulses([id])]);
    return { ...offer, ...usageOf(pulse) };
  }

  /** A page of offers, in order of their ids; `cursor` is undefined on the last one. */
  async list(cursor: string, limit: number, status?: OfferStatus): Promise<{ offers: OfferDescription[]; cursor?: string }> {
    const { store } = this.#options;
    const ids = await store.ids(cursor, limit);
    const [found, pulses] = await Promise.all([Promise.all(ids.map((id) => store.read(id))), store.pulses(ids)]);
    const offers = found.flatMap((offer, i) => (offer === undefined || (status !== undefined && offer.status !== status) ? [] : [{ ...offer, ...usageOf(pulses[i]) }]));
    const last = ids.at(-1);
    return last === undefined || ids.length < limit ? { offers } : { offers, cursor: last };
  }

  async audit(id: string, cursor: string | undefined, limit: number): Promise<{ entries: AuditEntry[]; cursor?: string }> {
    await this.get(id);
    const rows = await this.#options.store.audit(id, cursor, limit);
    const entries = rows.map(({ entry }) => entry);
    const last = rows.at(-1);
    return last === undefined || rows.length < limit ? { entries } : { entries, cursor: last.id };
  }

  /** @param next the new definition, undefined to leave it */
  async #rewrite(
    id: string, action: AuditEntry['action'], by: string, version: number | undefined, next: (offer: Offer) => Omit<Offer, 'version' | 'createdAt' | 'updatedAt'> | undefined,
  ): Promise<Offer> {
    const { store, clock } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const offer = await this.get(id);
      if (version !== undefined && version !== offer.version) throw changedMeanwhile(id, offer.version);
      if (offer.status === 'archived' && action !== 'archive') throw new AppError('conflict', `Offer ${id} is archived; an archived offer never changes.`);
      const definition = next(offer);
      if (definition === undefined) return offer;
      const now = clock();
      const changed: Offer = { ...definition, version: offer.version + 1, createdAt: offer.createdAt, updatedAt: now };
      const result = await store.write(changed, { at: now, by, action, version: changed.version, changes: changesOf(offer, changed) });
      if (result.kind === 'written') return changed;
      if (result.kind === 'budget_missing') {
        throw new AppError('budget_missing', `The budget of offer ${id} is gone from the store: it can be neither claimed nor changed until the store is restored.`);
      }
      if (result.kind !== 'changed') {
        throw new AppError('conflict', `Offer ${id} has ${result.count} claims and ${result.moneyMinor} minor units out; its budget cannot go below that.`);
      }
      // Whoever names no version means the offer as it is by then.
      if (version !== undefined || attempt === OFFER_DESK_LIMITS.attemptsMax) throw changedMeanwhile(id, result.version);
    }
  }

  /** As it is kept: with the store's currency where it states none. */
  #inCurrency(input: OfferInput): OfferInput {
    const { currency = this.#options.currency } = input;
    return currency === undefined ? input : { ...input, currency };
  }

  #check(input: OfferInput): void {
    const { id, window, budget, terms } = input;
    const other = currencyFault(input.currency, this.#options.currency);
    if (other !== undefined) throw new AppError('other_currency', `Offer ${id}: ${other}`);
    if (window.startsAt >= window.endsAt) throw new AppError('invalid_request', `The window of offer ${id} ends before it starts.`);
    const least = terms.kind === 'group_buy' ? { money: reserveOf(terms) * terms.size, count: terms.size, what: 'one group' }
      : terms.kind === 'share_reward' ? { money: reserveOf(terms), count: 2, what: 'a sharer and a friend' } : { money: reserveOf(terms), count: 1, what: 'one claim' };
    if (budget.moneyMinor < least.money || budget.count < least.count) {
      throw new AppError('invalid_request', `The budget of offer ${id} is less than ${least.what} may need: ${least.money} minor units and ${least.count} claims.`);
    }
    this.#options.checkEligibility(input);
  }
}

/** An offer with what is out; without `usage` its budget is gone from the store. */
export interface OfferDescription extends Offer { readonly usage?: OfferUsage }

const usageOf = (pulse: { readonly usage: OfferUsage } | undefined): Pick<OfferDescription, 'usage'> => (pulse === undefined ? {} : { usage: pulse.usage });

/** Of the terms what whoever claims relies on: not how many there are, nor what they cost the store. */
const promiseOf = (terms: OfferTerms): Record<string, unknown> =>
  Object.fromEntries(Object.entries(terms).filter(([name]) => name !== 'stock' && name !== 'costMinor'));

/** @returns the fields by which a claim that is out would come to something else on a cart */
function brokenBy(offer: OfferInput, input: OfferInput): string[] {
  const promised = (of: OfferInput): Record<string, unknown> => ({ terms: promiseOf(of.terms), currency: of.currency, appliesTo: of.appliesTo, stacking: of.stacking });
  const now = promised(input);
  return Object.entries(promised(offer)).flatMap(([name, value]) => (isDeepStrictEqual(value, now[name]) ? [] : [name]));
}

const changedMeanwhile = (id: string, version: number): AppError =>
  new AppError('conflict', `Offer ${id} was changed meanwhile, it is at version ${version}; read it again.`);

/** Fields that differ, but those that say so themselves. */
function changesOf(before: Readonly<Record<string, unknown>> | Offer, after: Offer): AuditEntry['changes'] {
  const was = new Map(Object.entries(before));
  const is = new Map<string, unknown>(Object.entries(after));
  const names = [...new Set([...was.keys(), ...is.keys()])].filter((name) => name !== 'version' && name !== 'updatedAt' && name !== 'createdAt');
  return Object.fromEntries(names.flatMap((name) => {
    const [old, now] = [was.get(name) ?? null, is.get(name) ?? null];
    return JSON.stringify(old) === JSON.stringify(now) ? [] : [[name, { before: old, after: now }]];
  }));
}
