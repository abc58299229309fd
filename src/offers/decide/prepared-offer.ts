import { reserveOf, type Offer, type OfferTerms } from '../../domain/offer.js';
import type { Scene } from '../../domain/scene.js';
import type { PortraitDocument, PortraitFieldName } from '../../profile/portrait-schema.js';
import { BoundedMap } from '../../util/bounded-map.js';
import { hash32, hash48 } from '../../util/hash.js';
import { showOffer, type ShownOffer } from './shown-offer.js';

/** An expression over the portrait, compiled. */
export interface PortraitRule {
  /** What of the portrait it reads. */
  readonly fields: ReadonlySet<PortraitFieldName>;
  /** Never throws: a rule that cannot be evaluated does not match. */
  matches(document: PortraitDocument): boolean;
}

/** An offer with all that a decision reads of it worked out once. */
export interface PreparedOffer {
  readonly offer: Offer;
  /** hash48 of its id: its name in profiles. */
  readonly key: number;
  /** The most that a claim costs, minor units. */
  readonly reserveMinor: number;
  /** Minor units to be spent first, 0 for none. */
  readonly spendMinor: number;
  readonly scenes: ReadonlySet<Scene> | undefined;
  /** hash48 of the item that its terms name. */
  readonly item: number | undefined;
  /** That one, and what it applies to. */
  readonly items: ReadonlySet<number>;
  /** hash32 of the category paths it applies to. */
  readonly categories: readonly number[];
  /** Whether it applies to some items only. */
  readonly isRestricted: boolean;
  readonly rule: PortraitRule | undefined;
  /** As shoppers see it. */
  readonly shown: ShownOffer;
}

/** @param compile of expressions; called for the offer's, where it has one */
export function prepareOffer(offer: Offer, compile: (source: string) => PortraitRule): PreparedOffer {
  const { terms, appliesTo, eligibility, scenes } = offer;
  const item = 'itemId' in terms ? hash48(terms.itemId) : undefined;
  return {
    offer,
    key: hash48(offer.id),
    reserveMinor: reserveOf(terms),
    spendMinor: 'spendMinor' in terms ? terms.spendMinor ?? 0 : 0,
    scenes: scenes === undefined ? undefined : new Set(scenes),
    item,
    items: new Set([...item === undefined ? [] : [item], ...(appliesTo?.itemIds ?? []).map(hash48)]),
    categories: (appliesTo?.categories ?? []).map(hash32),
    isRestricted: appliesTo !== undefined || terms.kind === 'flash_sale' || terms.kind === 'group_buy',
    rule: eligibility?.expression === undefined ? undefined : compile(eligibility.expression),
    shown: showOffer(offer),
  };
}

const PREPARER_LIMITS = {
  /** Expressions kept, so that offers for the same audience share theirs. */
  rulesMax: 1000,
} as const;

/** Prepares each version of an offer once, and each expression. */
export class OfferPreparer {
  readonly #prepared = new WeakMap<Offer, PreparedOffer>();
  readonly #rules = new BoundedMap<string, PortraitRule>(PREPARER_LIMITS.rulesMax);

  constructor(private readonly compile: (source: string) => PortraitRule) {}

  /** @throws AppError `invalid_expression`, which saving the offer has ruled out */
  prepare(offer: Offer): PreparedOffer {
    let prepared = this.#prepared.get(offer);
    if (prepared === undefined) {
      prepared = prepareOffer(offer, (source) => this.#ruleOf(source));
      this.#prepared.set(offer, prepared);
    }
    return prepared;
  }

  #ruleOf(source: string): PortraitRule {
    const known = this.#rules.get(source);
    if (known !== undefined) return known;
    const rule = askedOnce(this.compile(source));
    this.#rules.set(source, rule);
    return rule;
  }
}

/** Of several offers that ask the same of one shopper only the first has it evaluated: the dearest part of who may have what. */
function askedOnce(rule: PortraitRule): PortraitRule {
  let last: PortraitDocument | undefined;
  let outcome = false;
  return {
    fields: rule.fields,
    matches(document) {
      if (document !== last) {
        outcome = rule.matches(document);
        last = document;
      }
      return outcome;
    },
  };
}

/**
 * What the offer takes off a purchase, or costs with it, minor units: what a conversion is expected to cost.
 * @param orderMinor the purchase it would be used on, as far as can be told; 0 when nothing is known
 */
export function expectedCost(terms: OfferTerms, orderMinor: number): number {
  const { kind } = terms;
  if (kind === 'fixed' && orderMinor > 0) return Math.min(terms.saveMinor, orderMinor);
  if (kind !== 'percentage') return reserveOf(terms);
  const order = Math.max(orderMinor, terms.spendMinor ?? 0);
  return order === 0 ? terms.capMinor : Math.min(terms.capMinor, Math.round((order * terms.basisPoints) / 10_000));
}
