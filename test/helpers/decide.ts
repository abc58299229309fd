import { Catalog } from '../../src/catalog/catalog.js';
import type { Offer, OfferTerms } from '../../src/domain/offer.js';
import { NO_CAPS } from '../../src/offers/contact-policy.js';
import type { Asked, Policy, ShopperFacts } from '../../src/offers/decide/eligibility.js';
import { prepareOffer, type PreparedOffer } from '../../src/offers/decide/prepared-offer.js';
import { NO_BUYERS } from '../../src/profile/buyers.js';
import type { Attributes } from '../../src/domain/attributes.js';
import { PortraitView } from '../../src/profile/portrait.js';
import { emptyProfile, type Profile } from '../../src/profile/profile.js';
import { compileExpression } from '../../src/segments/expression.js';

export const NOW = Date.parse('2026-03-10T12:00:00Z');
const DAY_MS = 86_400_000;
const NO_ITEMS = new Catalog();

/** An active offer of 5.00 off in the middle of its two days, as its store would state it. */
export function anOffer(id: string, changes: Partial<Offer> & { terms?: OfferTerms } = {}): Offer {
  return {
    id, title: `Offer ${id}`, terms: { kind: 'fixed', saveMinor: 500 }, window: { startsAt: NOW - DAY_MS, endsAt: NOW + DAY_MS },
    budget: { moneyMinor: 1_000_000, count: 10_000 }, marginMinor: 4000, status: 'active', version: 1, createdAt: NOW - DAY_MS, updatedAt: NOW - DAY_MS, ...changes,
  };
}

export const prepared = (offer: Offer): PreparedOffer => prepareOffer(offer, compileExpression);

/** Half of the money handed out at half time, by few claims. */
export const ON_PLAN = { count: 2, moneyMinor: 500_000 };
export const UNUSED = { count: 0, moneyMinor: 0 };

export const OPEN_POLICY: Policy = { caps: NO_CAPS, quiet: { from: 0, until: 0, timezone: 'UTC' }, consentRequired: false, holdout: 0, riskMax: 0.9 };
export const ASKED: Asked = { scene: 'home', channel: 'page', offerIds: undefined, now: NOW };

export interface FactsOptions {
  readonly shopper?: string;
  readonly profile?: Profile;
  readonly attributes?: Attributes;
  readonly segments?: readonly string[];
  readonly riskScore?: number;
}

export function documentOf({ profile = emptyProfile(), attributes, segments = [], riskScore }: FactsOptions, now = NOW): PortraitView {
  return new PortraitView({ profile, attributes, growth: undefined, riskScore, segments, book: NO_ITEMS, buyers: NO_BUYERS, now });
}

/** What is known of a shopper who has done nothing yet. */
export function factsOf(options: FactsOptions = {}, changes: Partial<ShopperFacts> = {}): ShopperFacts {
  return { shopper: options.shopper ?? 'u:ann', profile: options.profile ?? emptyProfile(), document: documentOf(options), claims: new Map(), contacts: [], ...changes };
}
