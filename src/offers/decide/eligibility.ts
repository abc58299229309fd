import type { Channel } from '../../domain/offer.js';
import type { Scene } from '../../domain/scene.js';
import type { PortraitDocument } from '../../profile/portrait-schema.js';
import type { Profile } from '../../profile/profile.js';
import { hash48 } from '../../util/hash.js';
import { DAY_MS, hasRoom, isPushed, quietUntil, type Contact, type ContactCaps, type QuietHours } from '../contact-policy.js';
import { isHeldOut } from '../holdout.js';
import { memoryOf, OFFER_SEEN } from './offer-features.js';
import { spentShare } from './pacing.js';
import type { PreparedOffer } from './prepared-offer.js';
import type { LiveCase } from './weigh.js';

/** Who may be decided an offer, rule by rule. Pure: all that is asked of the shopper has been read. */

const RULE_LIMITS = {
  /** A dismissed offer is not shown again for so long, ms. */
  dismissedMs: 30 * DAY_MS,
} as const;

/** What is known of the shopper. */
export interface ShopperFacts {
  /** After merges: `u:<userId>` or `a:<anonymousId>`. */
  readonly shopper: string;
  readonly profile: Profile;
  /** Undefined when no live offer asks, or when it could not be had: then expressions do not match. */
  readonly document: PortraitDocument | undefined;
  /** Offer id → claims of it in the wallet. */
  readonly claims: ReadonlyMap<string, number>;
  readonly contacts: readonly Contact[];
}

/** What a decision is asked for. */
export interface Asked {
  readonly scene: Scene;
  readonly channel: Channel;
  /** Of these offers only: those of a campaign. */
  readonly offerIds: ReadonlySet<string> | undefined;
  /** ms */
  readonly now: number;
}

export interface Policy {
  readonly caps: ContactCaps;
  readonly quiet: QuietHours;
  readonly consentRequired: boolean;
  /** Share of shoppers who get no offers at all. */
  readonly holdout: number;
  /** From this score (0 to 1) on a shopper looks too much like abuse to be given anything. */
  readonly riskMax: number;
}

/** What is the same for all offers of a decision. */
export interface Question {
  readonly facts: ShopperFacts;
  readonly asked: Asked;
  readonly policy: Policy;
}

/** What a claim is about. */
type ClaimOffer = Pick<LiveCase, 'prepared'>;
interface ClaimQuestion {
  readonly facts: Pick<ShopperFacts, 'shopper' | 'document'>;
}

/** In the order in which they are asked: what costs nothing first. The first that does not hold is the reason. */
export const OFFER_RULES = {
  status: ({ prepared }) => prepared.offer.status === 'active',
  window: ({ prepared: { offer: { window } } }, { asked: { now } }) => now >= window.startsAt && now < window.endsAt,
  campaign: ({ prepared }, { asked: { offerIds } }) => offerIds === undefined || offerIds.has(prepared.offer.id),
  scene: ({ prepared }, { asked }) => prepared.scenes?.has(asked.scene) !== false,
  channel: ({ prepared: { offer } }, { asked }) => offer.channels?.includes(asked.channel) !== false,
  budget: ({ prepared, usage }) => spentShare(prepared.offer, usage) < 1,
  claimed: ({ prepared: { offer } }, { facts }) => (facts.claims.get(offer.id) ?? 0) < (offer.caps?.perUser ?? 1),
  holdout: ({ prepared: { offer } }: ClaimOffer, { facts }: ClaimQuestion) => !isHeldOut(offer, facts.shopper),
  dismissed: ({ prepared }, { facts: { profile }, asked: { now } }) => {
    const memory = memoryOf(profile, prepared.key);
    return memory === undefined || (memory.state & OFFER_SEEN.dismissed) === 0 || memory.at < now - RULE_LIMITS.dismissedMs;
  },
  frequency: ({ prepared }, { facts: { contacts }, asked: { now }, policy: { caps } }) => hasRoom(caps, contacts, now) || wasShown(contacts, prepared.offer.id, now),
  segments: ({ prepared: { offer } }: ClaimOffer, { facts: { document } }: ClaimQuestion) =>
    offer.eligibility?.segments === undefined || offer.eligibility.segments.some((segment) => document?.segments?.includes(segment) === true),
  expression: ({ prepared: { rule } }: ClaimOffer, { facts: { document } }: ClaimQuestion) => rule === undefined || (document !== undefined && rule.matches(document)),
} as const satisfies Readonly<Record<string, (one: LiveCase, question: Question) => boolean>>;
export type OfferRule = keyof typeof OFFER_RULES;
const RULE_NAMES = Object.keys(OFFER_RULES) as OfferRule[];
const RULES: readonly ((one: LiveCase, question: Question) => boolean)[] = Object.values(OFFER_RULES);
/** Those that also a claim must meet: the others are the claim script's own, or about showing. */
const CLAIM_RULES = ['holdout', 'segments', 'expression'] as const satisfies readonly OfferRule[];

/** @returns the first rule that does not hold, undefined when the offer may be shown */
export function refusalOf(one: LiveCase, question: Question): OfferRule | undefined {
  for (let i = 0; i < RULES.length; i++) if (!RULES[i]!(one, question)) return RULE_NAMES[i];
  return undefined;
}

/** Whether a shopper may claim the offer, as far as that is a matter of who they are. */
export function mayClaim(prepared: PreparedOffer, facts: Pick<ShopperFacts, 'shopper' | 'document'>): boolean {
  return CLAIM_RULES.every((rule) => OFFER_RULES[rule]({ prepared }, { facts }));
}

/** The name of a page's contact: the same offer on further pages of the day is not a further one. */
export const pageContact = (offerId: string): string => `page ${offerId}`;

/** Whether a page showed it in the last day. */
export function wasShown(contacts: readonly Contact[], offerId: string, now: number): boolean {
  const id = pageContact(offerId);
  return contacts.some((contact) => contact.id === id && contact.at > now - DAY_MS);
}

/** Why a shopper is decided nothing at all, whatever the offers. */
export const GATES = {
  /** Of the whole store: see `Policy.holdout`. */
  store_holdout: ({ facts, policy }) => !isInStoreHoldout(facts.shopper, policy.holdout),
  risk: ({ facts: { document }, policy }) => (document?.riskScore ?? 0) < policy.riskMax,
  /** A page may show what it likes to whom it has before it; whoever refused personal offers gets none even there. */
  consent: ({ facts: { document }, asked: { channel }, policy: { consentRequired } }) => {
    const { consent } = document ?? {};
    if (consent?.get('personalization') === false) return false;
    if (!isPushed(channel)) return true;
    return consentRequired ? consent?.get('marketing') === true : consent?.get('marketing') !== false;
  },
  quiet_hours: ({ facts: { document }, asked: { channel, now }, policy: { quiet } }) => {
    const timezone = document?.attributes?.get('timezone');
    return !isPushed(channel) || quietUntil(quiet, typeof timezone === 'string' ? timezone : undefined, now) === undefined;
  },
} as const satisfies Readonly<Record<string, (question: Question) => boolean>>;
export type Gate = keyof typeof GATES;
const GATE_LIST = Object.entries(GATES) as [Gate, (question: Question) => boolean][];

/** @returns the gate that is shut, undefined when all are open */
export function shutGate(question: Question): Gate | undefined {
  for (const [name, isOpen] of GATE_LIST) if (!isOpen(question)) return name;
  return undefined;
}

const HASHES = 2 ** 48;
/** The same answer for ever; independent from the holdouts of single offers. */
const isInStoreHoldout = (shopper: string, share: number): boolean => share > 0 && hash48(`holdout of all\n${shopper}`) / HASHES < share;
