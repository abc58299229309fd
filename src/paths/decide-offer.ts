import type { Catalog } from '../catalog/catalog.js';
import type { Cart } from '../domain/cart.js';
import type { DecisionDegradation } from '../domain/decision.js';
import type { Channel } from '../domain/offer.js';
import type { Scene } from '../domain/scene.js';
import { asAppError } from '../errors.js';
import { isPushed, type Contact } from '../offers/contact-policy.js';
import { pageContact, refusalOf, shutGate, wasShown, type Asked, type Gate, type Policy, type Question, type ShopperFacts } from '../offers/decide/eligibility.js';
import { viewCart, writeOfferRows, type OfferSituation } from '../offers/decide/offer-features.js';
import type { OfferPreparer, PreparedOffer } from '../offers/decide/prepared-offer.js';
import { PRIOR_ERROR, priorScores } from '../offers/decide/prior.js';
import type { ShownOffer } from '../offers/decide/shown-offer.js';
import { weigh, type LiveCase, type Weighed } from '../offers/decide/weigh.js';
import type { LiveOffers } from '../offers/live-offer.js';
import type { PortraitFieldName } from '../profile/portrait-schema.js';
import { writeUserFeatures } from '../profile/vector.js';
import { MODEL_LIMITS } from '../ranking/model.js';
import type { ModelHolder } from '../ranking/model-holder.js';
import type { ScoreSlot } from '../ranking/score-pool.js';
import type { LoggedDecision } from '../redis/decision-log.js';
import type { Clock } from '../util/clock.js';
import { LATE, within } from '../util/deadline.js';
import type { Random } from '../util/random.js';
import { explainDecision, type DecisionExplanation } from './explain-decision.js';

/** The decision path after the shopper is read: who may have what, one run of the response model, profit, pacing, the draw, the log. */

export const DECISION_LIMITS = {
  /** Offers scored at once, with the row for none. */
  rowsMax: MODEL_LIMITS.rowsMax,
} as const;

export interface DecideDeps {
  readonly offers: LiveOffers;
  readonly preparer: OfferPreparer;
  readonly model: ModelHolder;
  readonly catalog: Catalog;
  readonly policy: Policy;
  readonly log: { add(decision: LoggedDecision): void };
  /** Notes behind the reply that a page showed something. */
  readonly noteContact: (shopper: string, contact: Contact) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => string;
  /** Time the model gets, ms. */
  readonly deadlineMs: number;
}

export interface DecisionRequest {
  readonly facts: ShopperFacts;
  /** Whether the profile is as in the store. */
  readonly isStored: boolean;
  readonly scene: Scene;
  readonly channel: Channel;
  readonly itemId?: string | undefined;
  /** Absent: the one that the profile remembers. */
  readonly cart?: Cart | undefined;
  /** Of these only, for the campaign that asks. */
  readonly offerIds?: ReadonlySet<string> | undefined;
  readonly campaignId?: string | undefined;
  readonly explain?: boolean | undefined;
}

export interface Decision {
  readonly decisionId: string;
  readonly offer: ShownOffer | null;
  /** Why there is none. */
  readonly reason?: Gate | 'no_offer' | 'not_worth_it' | 'failed' | undefined;
  /** Label of the response model, `prior`, or `none` when nothing was scored. */
  readonly model: string;
  readonly propensity: number;
  readonly degraded: readonly DecisionDegradation[];
  readonly explain?: DecisionExplanation;
}

interface Scores {
  readonly scores: Float32Array;
  readonly model: string;
  /** Standard error of a logit. */
  readonly error: number;
  readonly degraded: readonly DecisionDegradation[];
}

export class OfferDecider {
  readonly #deps: DecideDeps;
  #known: { readonly live: readonly unknown[]; readonly cases: readonly LiveCase[]; readonly fields: ReadonlySet<PortraitFieldName> } = { live: [], cases: [], fields: ALWAYS_READ };

  constructor(deps: DecideDeps) {
    this.#deps = deps;
  }

  /** What decisions read of the portrait at the moment. */
  fields(): ReadonlySet<PortraitFieldName> {
    this.#liveCases(this.#deps.clock());
    return this.#known.fields;
  }

  /** @throws whatever breaks: the caller answers with no offer */
  async decide(request: DecisionRequest): Promise<Decision> {
    const { clock, policy } = this.#deps;
    const now = clock();
    const { facts, scene, channel, offerIds } = request;
    const asked: Asked = { scene, channel, offerIds, now };
    const cases = this.#liveCases(now);
    const question: Question = { facts, asked, policy };
    const gate = cases.length === 0 ? undefined : shutGate(question);
    const eligible = gate === undefined ? eligibleOf(cases, question) : [];
    if (eligible.length === 0) return this.#nothing(request, asked, cases, gate);
    const slot = this.#deps.model.pool.acquire();
    try {
      const situation = this.#situation(request, now);
      writeUserFeatures(slot.user, facts.profile, scene, now);
      writeOfferRows(slot.items, eligible.map(({ prepared }) => prepared), situation);
      const scored = await this.#score(slot, eligible.length + 1);
      const weighed = weigh(eligible, { situation, seed: Math.floor(this.#deps.random() * 2 ** 32), ...scored });
      return this.#conclude(request, asked, { cases, weighed, scored, slot });
    } catch (error) {
      this.#deps.model.pool.release(slot);
      throw error;
    }
  }

  #liveCases(now: number): readonly LiveCase[] {
    const live = this.#deps.offers.live(now);
    if (live === this.#known.live) return this.#known.cases;
    const cases = live.map(({ offer, usage }) => ({ prepared: this.#deps.preparer.prepare(offer), usage }));
    const fields = new Set(ALWAYS_READ);
    for (const { prepared: { rule, offer } } of cases) {
      for (const field of rule?.fields ?? []) fields.add(field);
      if (offer.eligibility?.segments !== undefined) fields.add('segments');
    }
    this.#known = { live, cases, fields };
    return cases;
  }

  #situation({ facts: { profile }, cart, itemId, channel }: DecisionRequest, now: number): OfferSituation {
    const { catalog } = this.#deps;
    return { profile, cart: viewCart(cart, profile, catalog), pageRow: itemId === undefined ? -1 : catalog.rowOf(itemId), channel, now, catalog };
  }

  /** Logits by row: of the response model, else of the prior. */
  async #score(slot: ScoreSlot, count: number): Promise<Scores> {
    const { model, deadlineMs } = this.#deps;
    if (model.available) {
      try {
        const scored = await within(model.run(slot, count), deadlineMs);
        if (scored !== LATE) {
          const stated = model.current?.manifest.metrics['logitError'];
          return { scores: scored.scores, model: scored.model, error: typeof stated === 'number' && stated > 0 ? stated : PRIOR_ERROR.model, degraded: [] };
        }
      } catch (error) {
        if (asAppError(error).code !== 'model_unavailable') throw error;
      }
    }
    return { scores: priorScores(slot.user, slot.items, count), model: 'prior', error: PRIOR_ERROR.prior, degraded: ['prior_scores'] };
  }

  /** The log is written behind the reply, which keeps the slot until then. */
  #conclude(request: DecisionRequest, asked: Asked, made: { cases: readonly LiveCase[]; weighed: Weighed; scored: Scores; slot: ScoreSlot }): Decision {
    const { cases, weighed, scored, slot } = made;
    const { eligible, contenders, stakes, choice } = weighed;
    const decisionId = this.#deps.newId();
    const chosen = choice.chosen < 0 ? undefined : eligible[contenders[choice.chosen]!]!.prepared;
    if (chosen !== undefined) this.#noteShown(request, chosen, asked.now);
    const decision: Decision = {
      decisionId, offer: chosen?.shown ?? null, ...chosen === undefined ? { reason: 'not_worth_it' as const } : {},
      model: scored.model, propensity: choice.propensity, degraded: scored.degraded,
    };
    const explained = request.explain === true ? { ...decision, explain: explainDecision(this.#question(request, asked), cases, { weighed, slot }) } : decision;
    setImmediate(() => {
      const { log, model } = this.#deps;
      log.add({ record: recordOf(request, asked, { decisionId, model: scored.model, weighed }), user: slot.user, rows: slot.items, noneScore: scored.scores[0]!, kept: contenders, stakes });
      model.pool.release(slot);
    });
    return explained;
  }

  /** What is pushed is noted by the script that pushes it. */
  #noteShown({ facts: { shopper, contacts }, channel }: DecisionRequest, { offer: { id } }: PreparedOffer, now: number): void {
    if (!isPushed(channel) && !wasShown(contacts, id, now)) this.#deps.noteContact(shopper, { id: pageContact(id), at: now });
  }

  /** Nobody to choose among. Who is held out is logged nevertheless, with what would have been known: others are compared with them. */
  #nothing(request: DecisionRequest, asked: Asked, cases: readonly LiveCase[], gate: Gate | undefined): Decision {
    const decisionId = this.#deps.newId();
    if (gate === 'store_holdout') this.#logHeldOut(request, asked, decisionId);
    const decision: Decision = { decisionId, offer: null, reason: gate ?? 'no_offer', model: 'none', propensity: 1, degraded: [] };
    return request.explain === true ? { ...decision, explain: explainDecision(this.#question(request, asked), cases, undefined) } : decision;
  }

  #logHeldOut(request: DecisionRequest, asked: Asked, decisionId: string): void {
    const { model: { pool }, log } = this.#deps;
    const slot = pool.acquire();
    writeUserFeatures(slot.user, request.facts.profile, asked.scene, asked.now);
    writeOfferRows(slot.items, [], this.#situation(request, asked.now));
    log.add({ record: recordOf(request, asked, { decisionId, model: 'none', gate: 'store_holdout' }), user: slot.user, rows: slot.items, noneScore: 0, kept: [], stakes: [] });
    pool.release(slot);
  }

  #question({ facts }: DecisionRequest, asked: Asked): Question {
    return { facts, asked, policy: this.#deps.policy };
  }
}

/** Of the gates; the others are those that live offers ask for. */
const ALWAYS_READ: ReadonlySet<PortraitFieldName> = new Set<PortraitFieldName>(['consent', 'attributes', 'riskScore']);

function eligibleOf(cases: readonly LiveCase[], question: Question): LiveCase[] {
  const eligible: LiveCase[] = [];
  for (const one of cases) if (refusalOf(one, question) === undefined && eligible.push(one) + 1 === DECISION_LIMITS.rowsMax) break;
  return eligible;
}

function recordOf(
  { facts, isStored, itemId, campaignId }: DecisionRequest, { scene, channel, now }: Asked,
  { decisionId, model, weighed, gate }: { decisionId: string; model: string; weighed?: Weighed; gate?: Gate },
): LoggedDecision['record'] {
  const { eligible = [], contenders = [], seed = 0, choice = { chosen: -1, propensity: 1 } } = weighed ?? {};
  return {
    decisionId, shopper: facts.shopper, scene, channel, at: now, itemId, campaignId, events: isStored ? facts.profile.events : undefined, model, seed, gate,
    offers: contenders.map((i) => [eligible[i]!.prepared.offer.id, eligible[i]!.prepared.offer.version]),
    chosen: choice.chosen, propensity: choice.propensity,
  };
}

