import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Catalog } from '../catalog/catalog.js';
import type { Config } from '../config.js';
import type { Offer } from '../domain/offer.js';
import { decisionRoutes } from '../http/decisions.js';
import { mayClaim, type Policy } from '../offers/decide/eligibility.js';
import { OFFER_FEATURES } from '../offers/decide/offer-features.js';
import type { PortraitSource } from '../offers/decide/portrait-source.js';
import { OfferPreparer } from '../offers/decide/prepared-offer.js';
import { isHeldOut } from '../offers/holdout.js';
import type { LiveOffers } from '../offers/live-offer.js';
import { OfferDecider } from '../paths/decide-offer.js';
import { DecisionService, type DecisionMetrics } from '../paths/decision-service.js';
import { ShopperFactsReader } from '../paths/shopper-facts.js';
import type { PortraitFieldName } from '../profile/portrait-schema.js';
import { USER_FEATURES } from '../profile/vector.js';
import { ModelHolder } from '../ranking/model-holder.js';
import type { RedisClient } from '../redis/client.js';
import { ContactStore } from '../redis/contact-store.js';
import { DecisionLog } from '../redis/decision-log.js';
import type { Keys } from '../redis/keys.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { WalletStore } from '../redis/wallet-store.js';
import { compileExpression } from '../segments/expression.js';
import type { Clock } from '../util/clock.js';
import { idSource } from '../util/id-source.js';

export interface EligibilityParts {
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly profiles: ProfileStore;
  readonly portraits: PortraitSource;
  /** Who looks like abuse: they may claim nothing. */
  readonly flagged: { has(shopper: string): boolean };
  readonly clock: Clock;
}

/** Who may have which offer: for claims, carts and decisions. */
export interface Eligibility {
  readonly contacts: ContactStore;
  readonly facts: ShopperFactsReader;
  readonly preparer: OfferPreparer;
  /** Whether a shopper may claim an offer, as far as that is a matter of who they are. */
  isEligible(offer: Offer, shopper: string): Promise<boolean>;
  /** @throws AppError `invalid_expression` when the offer's expression cannot be compiled */
  check(offer: Pick<Offer, 'eligibility'>): void;
}

export function wireEligibility({ redis, keys, profiles, portraits, flagged, clock }: EligibilityParts): Eligibility {
  const preparer = new OfferPreparer(compileExpression);
  const contacts = new ContactStore(redis, keys);
  const facts = new ShopperFactsReader({ profiles, contacts, wallets: new WalletStore(redis, keys), portraits });
  return {
    contacts, facts, preparer,
    async isEligible(offer, shopper) {
      // Asked of memory: of offers for everybody nothing else has to be read.
      if (flagged.has(shopper)) return false;
      if (offer.eligibility === undefined) return !isHeldOut(offer, shopper);
      const prepared = preparer.prepare(offer);
      return mayClaim(prepared, await facts.read(shopper, fieldsOf(prepared.rule?.fields), clock()));
    },
    check({ eligibility }) {
      if (eligibility?.expression !== undefined) compileExpression(eligibility.expression);
    },
  };
}

const fieldsOf = (fields: Iterable<PortraitFieldName> = []): ReadonlySet<PortraitFieldName> => new Set<PortraitFieldName>(['segments', ...fields]);

export interface DecisionParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly catalog: Catalog;
  readonly metrics: Registry;
  readonly clock: Clock;
  readonly offers: LiveOffers;
  readonly eligibility: Eligibility;
}

export interface WiredDecisions {
  readonly service: DecisionService;
  /** Parts of it that cues share. */
  readonly model: ModelHolder;
  readonly log: DecisionLog;
  readonly policy: Policy;
  stop(): Promise<void>;
}

/** Decisions of an api process, with their route. */
export async function wireDecisions(app: FastifyInstance, parts: DecisionParts): Promise<WiredDecisions> {
  const decisions = await makeDecisions(parts);
  decisionRoutes(app, decisions.service);
  return decisions;
}

/** Decisions as any process makes them. */
export async function makeDecisions({ config, log, redis, keys, catalog, metrics, clock, offers, eligibility }: DecisionParts): Promise<WiredDecisions> {
  const model = new ModelHolder({
    features: { userFeatures: USER_FEATURES, itemFeatures: OFFER_FEATURES }, batched: true, clock: () => performance.now(),
    onEvent: (event) => {
      if ('error' in event) log.error({ err: event.error, folder: event.folder }, 'response model refused; the prior stands in');
      else log.info(event, 'response model');
    },
  });
  // Without one the prior does: nothing to be refused.
  if (await exists(join(config.responseModelDir, 'manifest.json'))) await model.swap(config.responseModelDir);
  const decisions = new DecisionLog(redis, keys);
  const { contacts } = eligibility;
  const policy: Policy = { caps: config.contactCaps, quiet: config.quietHours, consentRequired: config.consentRequired, holdout: config.decisionHoldout, riskMax: config.risk.flagScore };
  const newId = idSource();
  const decider = new OfferDecider({
    offers, preparer: eligibility.preparer, model, catalog, policy, log: decisions, clock, random: Math.random, newId, deadlineMs: config.decisionDeadlineMs,
    noteContact: (shopper, contact) => { contacts.note(shopper, contact); },
  });
  const service = new DecisionService({
    decider, facts: eligibility.facts, metrics: decisionMetrics(metrics), clock, newId, deadlineMs: config.decisionDeadlineMs,
    onFault: (error) => { log.error({ err: error }, 'decision failed; there is no offer'); },
  });
  return {
    service, model, log: decisions, policy,
    async stop() {
      await decisions.flush();
      await model.close();
    },
  };
}

function decisionMetrics(registry: Registry): DecisionMetrics {
  const seconds = new Histogram({
    name: 'rivulet_decision_seconds', help: 'Time from question to decision', registers: [registry],
    buckets: [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1],
  });
  const outcomes = new Counter({ name: 'rivulet_decisions_total', help: 'Decisions: an offer, or why there was none', labelNames: ['outcome'], registers: [registry] });
  const degraded = new Counter({ name: 'rivulet_decisions_degraded_total', help: 'Decisions by what they were reduced to', labelNames: ['rung'], registers: [registry] });
  return {
    onDecision: (elapsedMs, outcome, rungs) => {
      seconds.observe(elapsedMs / 1000);
      outcomes.inc({ outcome });
      for (const rung of rungs) degraded.inc({ rung });
    },
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
