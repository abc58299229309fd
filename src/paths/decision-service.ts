import type { DecisionDegradation, DecisionInput } from '../domain/decision.js';
import type { Channel } from '../domain/offer.js';
import type { Scene } from '../domain/scene.js';
import { AppError, asAppError } from '../errors.js';
import { storeError } from '../redis/errors.js';
import type { Clock } from '../util/clock.js';
import { LATE, within } from '../util/deadline.js';
import type { Decision, DecisionRequest, OfferDecider } from './decide-offer.js';
import { namedShopper } from './named-shopper.js';
import { factsOf, type ShopperExtras, type ShopperFactsReader } from './shopper-facts.js';
import type { ShopperState } from './shopper-reader.js';

export interface DecisionMetrics {
  /** Milliseconds from question to decision, and what came of it. */
  readonly onDecision: (elapsedMs: number, outcome: 'offer' | NonNullable<Decision['reason']>, degraded: readonly DecisionDegradation[]) => void;
}

export interface DecisionServiceDeps {
  readonly decider: OfferDecider;
  readonly facts: ShopperFactsReader;
  readonly metrics: DecisionMetrics;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Time that reading the shopper gets, and a decision beside a list in all, ms. */
  readonly deadlineMs: number;
  readonly onFault: (error: unknown) => void;
}

/** What a campaign or another part of the engine asks for. */
export interface PushQuestion extends Pick<DecisionRequest, 'offerIds' | 'campaignId' | 'itemId'> {
  readonly shopper: string;
  readonly scene: Scene;
  readonly channel: Channel;
}

/** A decision that is wanted beside a list: what is stored of the shopper beside the profile is on its way. */
export interface BesideList {
  readonly startedAt: number;
  readonly shopper: string;
  readonly extras: Promise<ShopperExtras>;
}

/** Decisions as lists ask for them. */
export type ListDecisions = Pick<DecisionService, 'begin' | 'beside'>;

/** The decision path as it is called: reads the shopper, decides, and answers "no offer" where something is broken or late. */
export class DecisionService {
  constructor(private readonly deps: DecisionServiceDeps) {}

  /** @throws AppError `invalid_request` when no shopper is named */
  async decide({ userId, anonymousId, scene, channel = 'page', itemId, cart, explain }: DecisionInput): Promise<Decision> {
    const shopper = namedShopper({ userId, anonymousId });
    if (shopper === undefined) throw new AppError('invalid_request', 'userId or anonymousId is missing: a decision is about a shopper.');
    return this.#decide(shopper, { scene, channel, itemId, cart, explain });
  }

  /** For a campaign: what reaches out to the shopper. */
  decideFor({ shopper, ...question }: PushQuestion): Promise<Decision> {
    return this.#decide(shopper, question);
  }

  /** Starts what a decision beside a list needs, so that it travels with the profile. */
  begin(shopper: string): BesideList {
    const { decider, facts } = this.deps;
    const extras = facts.extras(shopper, decider.fields());
    extras.catch(() => { /* `beside` tells of it. */ });
    return { startedAt: performance.now(), shopper, extras };
  }

  /** Decides with the profile that the list is ranked by. Never rejects. */
  beside({ startedAt, shopper, extras }: BesideList, state: ShopperState, question: Pick<DecisionRequest, 'scene' | 'itemId' | 'explain'>): Promise<Decision> {
    const { decider, facts, clock, deadlineMs } = this.deps;
    const decided = async (): Promise<Decision> => {
      const owner = state.shopper ?? shopper;
      const known = await fromStore(owner === shopper ? extras : facts.extras(owner, decider.fields()));
      return decider.decide({ channel: 'page', facts: factsOf(state.profile, known, clock()), isStored: state.degraded.length === 0, ...question });
    };
    return this.#guarded(startedAt, within(decided(), deadlineMs));
  }

  #decide(shopper: string, question: Omit<DecisionRequest, 'facts' | 'isStored'>): Promise<Decision> {
    const { decider, facts, clock, deadlineMs } = this.deps;
    const decided = async (): Promise<Decision | typeof LATE> => {
      const known = await within(fromStore(facts.read(shopper, decider.fields(), clock())), deadlineMs);
      return known === LATE ? LATE : decider.decide({ facts: known, isStored: true, ...question });
    };
    return this.#guarded(performance.now(), decided());
  }

  /** Without what is known of the shopper no cap could be kept: then there is no offer. */
  async #guarded(startedAt: number, decided: Promise<Decision | typeof LATE>): Promise<Decision> {
    const { metrics, onFault } = this.deps;
    let decision: Decision;
    try {
      const made = await decided;
      decision = made === LATE ? this.#none('late') : made;
    } catch (error) {
      const { code } = asAppError(error);
      const isStore = code === 'store_unavailable' || code === 'write_unknown';
      if (!isStore && code !== 'overloaded') onFault(error);
      decision = this.#none(isStore ? 'not_known' : 'failed');
    }
    const elapsedMs = performance.now() - startedAt;
    // Not before the reply.
    setImmediate(() => { metrics.onDecision(elapsedMs, decision.reason ?? 'offer', decision.degraded); });
    return decision;
  }

  #none(why: DecisionDegradation): Decision {
    return { decisionId: this.deps.newId(), offer: null, reason: 'failed', model: 'none', propensity: 1, degraded: [why] };
  }
}

/** What fails here is the store. */
async function fromStore<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw storeError(error);
  }
}
