import { toMinor } from '../domain/money.js';
import type { Campaign, Step } from '../domain/campaign.js';
import type { EventType } from '../domain/event.js';
import type { OfferMessage } from '../domain/offer-message.js';
import { quietUntil, type QuietHours, type SendResult } from '../offers/contact-policy.js';
import { currentProfile, type ProfileReader } from '../offers/current-profile.js';
import type { PortraitSource } from '../offers/decide/portrait-source.js';
import type { PortraitDocument, PortraitFieldName } from '../profile/portrait-schema.js';
import type { Line, Profile } from '../profile/profile.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import { audienceOf } from './audience.js';
import type { CampaignSet } from './campaign-set.js';
import { isStepHeldOut, type Enrolment } from './enrolment.js';
import { messageId, messageOf, type Facts, type MessageItem } from './words.js';

const STEP_LIMITS = {
  /** Part of the price by which it must fall to be worth a word. */
  dropMin: 0.01,
  /** Who was seen first longer before it than this is no new shopper, ms. */
  newcomerMs: 3_600_000,
} as const;

/** An item as campaigns look at it. */
export interface CampaignItem extends MessageItem {
  readonly price?: number | undefined;
  readonly stock?: number | undefined;
}

export interface OfferQuestion {
  readonly shopper: string;
  readonly campaign: string;
  readonly itemId: string | undefined;
  readonly offer: NonNullable<Step['offer']>;
}

/** At most one run of a campaign within a time reaches a shopper: `of` the campaign, held by one run, ms. */
export interface Cooldown { readonly of: string; readonly holder: string; readonly ms: number }

export interface StepRunnerDeps {
  readonly campaigns: { readonly set: CampaignSet };
  readonly profiles: ProfileReader;
  readonly items: { getItem(id: string): Promise<CampaignItem | undefined> };
  readonly portraits: PortraitSource;
  readonly messages: {
    send(shopper: string, message: OfferMessage, cooldown: Cooldown): Promise<SendResult>;
    wasSent(shopper: string, messageId: string): Promise<boolean>;
  };
  /** @returns when the shopper last did any of these, ms; undefined for never, or long ago */
  readonly lastEvent: (shopper: string, types: readonly EventType[]) => Promise<number | undefined>;
  /** @returns the offer a step hands out, undefined where there is none to be had */
  readonly offerFor: (question: OfferQuestion) => Promise<Facts['offer']>;
  readonly quietHours: QuietHours;
  readonly clock: Clock;
}

/**
 * What came of a step. `restarted`: a later happening began the campaign anew; `goal_met`, `not_in_audience`,
 * `not_there` (the item is not in cart or wishlist any more), `not_so` (the price, the stock, the newcomer): nothing to
 * say any more; `off`: the campaign was paused, removed or changed.
 */
export type StepOutcome = SendResult | 'off' | 'gone' | 'restarted' | 'goal_met' | 'not_in_audience' | 'not_there' | 'not_so' | 'held_out' | 'no_offer' | 'no_words' | 'quiet';

export interface StepResult {
  readonly outcome: StepOutcome;
  /** Of `quiet`: when it may be tried again, ms. */
  readonly until?: number;
}

/** A shopper whose profile is at hand. */
export interface Known { readonly shopper: string; readonly profile: Profile }

/** After these nothing more of the run follows. */
export const FINAL: ReadonlySet<StepOutcome> = new Set<StepOutcome>(['off', 'gone', 'restarted', 'goal_met', 'not_in_audience', 'not_there', 'not_so', 'cooldown', 'no_consent']);

/**
 * Does one step of one run of a campaign, by whichever process gets to it first: everything before the message is sent
 * only looks, and the script that sends it marks it as sent, so a step that is done again sends nothing again.
 */
export class StepRunner {
  readonly #deps: StepRunnerDeps;

  constructor(deps: StepRunnerDeps) {
    this.#deps = deps;
  }

  /** @param known the profile, where the caller has just stored it and nothing can have happened since */
  async run(enrolment: Enrolment, known?: Known): Promise<StepResult> {
    const campaign = this.#deps.campaigns.set.get(enrolment.campaign);
    const step = campaign?.steps[enrolment.step];
    if (campaign?.status !== 'active' || step === undefined) return { outcome: 'off' };
    const { clock } = this.#deps;
    const [current, happened, item, open] = await Promise.all([
      known ?? currentProfile(this.#deps.profiles, enrolment.shopper),
      known === undefined ? this.#happened(campaign, enrolment) : undefined,
      enrolment.itemId === undefined ? undefined : this.#deps.items.getItem(enrolment.itemId),
      this.#openPortrait(campaign, enrolment.shopper),
    ]);
    if (current === undefined) return { outcome: 'gone' };
    const { profile, shopper } = current;
    const since = happened === undefined || shopper === enrolment.shopper ? happened : await this.#alsoHappened(happened, campaign, shopper);
    const hindrance = (since === undefined ? undefined : hindranceOf(since, campaign, enrolment, profile)) ?? newsOf(campaign, enrolment, profile, item);
    if (hindrance !== undefined) return { outcome: hindrance };
    const opened = shopper === enrolment.shopper ? open : await this.#openPortrait(campaign, shopper);
    const document = opened?.(profile, clock());
    if (document !== undefined && audienceOf(campaign)?.matches(document) === false) return { outcome: 'not_in_audience' };
    if (isStepHeldOut(campaign, { step: enrolment.step, shopper })) return { outcome: 'held_out' };
    const until = quietUntil(this.#deps.quietHours, timezoneOf(document), clock());
    if (until !== undefined) return { outcome: 'quiet', until };
    return { outcome: await this.#send(enrolment, { campaign, step, shopper, profile, item }) };
  }

  async #send(enrolment: Enrolment, { campaign, step, shopper, profile, item }: { campaign: Campaign; step: Step; shopper: string; profile: Profile; item: CampaignItem | undefined }): Promise<StepOutcome> {
    const { messages, offerFor, clock } = this.#deps;
    // Under another name before a merge, and then by somebody who did not know of it.
    if (shopper !== enrolment.shopper && await messages.wasSent(enrolment.shopper, messageId(enrolment))) return 'sent_before';
    const offer = step.offer === undefined ? undefined : await offerFor({ shopper, campaign: campaign.id, itemId: enrolment.itemId, offer: step.offer });
    if (step.offer !== undefined && offer === undefined) return 'no_offer';
    const message = messageOf(enrolment, step, { item: namedItem(campaign, profile, item), price: priceOf(campaign, profile, item), level: enrolment.level, offer }, clock());
    if (message === undefined) return 'no_words';
    return messages.send(shopper, message, { of: campaign.id, holder: enrolment.trigger, ms: (campaign.cooldownS ?? 0) * 1000 });
  }

  async #happened({ goal, trigger }: Campaign, { shopper }: Enrolment): Promise<Happened> {
    const { lastEvent } = this.#deps;
    const [goalAt, startedAt] = await Promise.all([
      goal === undefined ? undefined : lastEvent(shopper, goal),
      trigger.on === 'event' && trigger.restart === true ? lastEvent(shopper, trigger.types) : undefined,
    ]);
    return { goalAt, startedAt };
  }

  /** What a merged shopper has done since they are known as the user. */
  async #alsoHappened({ goalAt, startedAt }: Happened, { goal }: Campaign, user: string): Promise<Happened> {
    const later = goal === undefined ? undefined : await this.#deps.lastEvent(user, goal);
    return { goalAt: Math.max(goalAt ?? -Infinity, later ?? -Infinity), startedAt };
  }

  async #openPortrait(campaign: Campaign, shopper: string): Promise<((profile: Profile, now: number) => PortraitDocument) | undefined> {
    const { quietHours: { from, until }, portraits } = this.#deps;
    const fields = audienceOf(campaign)?.fields;
    if (fields === undefined && from === until) return undefined;
    return portraits.open(shopper, new Set<PortraitFieldName>([...fields ?? [], 'attributes']));
  }
}

/** What the stream has told: when the goal was last met, and when the campaign last began; ms. */
interface Happened { readonly goalAt: number | undefined; readonly startedAt: number | undefined }

/** What happened since the campaign began for the shopper that ends it. */
function hindranceOf({ goalAt, startedAt }: Happened, { trigger, goal = [] }: Campaign, { at }: Enrolment, profile: Profile): StepOutcome | undefined {
  let since = at;
  const types: readonly EventType[] = trigger.on === 'event' ? trigger.types : [];
  if (trigger.on === 'event' && trigger.restart === true) {
    if (startedAt === undefined) return 'gone';
    // The profile knows what the stream has not told yet.
    if (startedAt > at || (types.includes('add_to_cart') && profile.cart.some((line) => line.at > at))) return 'restarted';
    since = startedAt;
  }
  // What starts a campaign is not yet its goal.
  const isOwn = goal.some((type) => types.includes(type));
  if (goalAt !== undefined && (isOwn ? goalAt > since : goalAt >= since)) return 'goal_met';
  // Times in the profile are whole seconds at best: an order in the same second counts as after it.
  if (goal.includes('purchase') && !types.includes('purchase') && profile.lastOrderAt >= Math.floor(since / 1000) * 1000) return 'goal_met';
  return undefined;
}

/** Why the news that the campaign brings is none. */
function newsOf({ trigger }: Campaign, { at, itemId }: Enrolment, profile: Profile, item: CampaignItem | undefined): StepOutcome | undefined {
  if (trigger.on === 'first_seen' && at - profile.firstAt > STEP_LIMITS.newcomerMs) return 'not_so';
  if (trigger.on !== 'catalog') return undefined;
  if (item === undefined || itemId === undefined || item.stock === 0) return 'not_so';
  const lines = linesOf(profile, itemId);
  if (lines.length === 0) return 'not_there';
  if (trigger.change === 'back_in_stock') return undefined;
  const { wasMinor, nowMinor } = pricesOf(lines, item);
  return nowMinor === undefined || nowMinor > wasMinor * (1 - STEP_LIMITS.dropMin) ? 'not_so' : undefined;
}

function priceOf({ trigger }: Campaign, profile: Profile, item: CampaignItem | undefined): Facts['price'] {
  if (trigger.on !== 'catalog' || trigger.change !== 'price_drop' || item === undefined) return undefined;
  const { wasMinor, nowMinor } = pricesOf(linesOf(profile, item.id), item);
  return nowMinor === undefined ? undefined : { wasMinor, nowMinor };
}

const pricesOf = (lines: readonly Line[], { price, currency }: CampaignItem): { wasMinor: number; nowMinor: number | undefined } =>
  ({ wasMinor: Math.max(...lines.map((line) => line.priceMinor)), nowMinor: price === undefined ? undefined : toMinor(price, currency) });

/** Of what was put into a cart only what is still there is named. */
function namedItem({ trigger }: Campaign, profile: Profile, item: CampaignItem | undefined): CampaignItem | undefined {
  if (item === undefined || trigger.on !== 'event' || !trigger.types.includes('add_to_cart')) return item;
  const key = hash48(item.id);
  return profile.cart.some((line) => line.item === key && line.quantity > 0) ? item : undefined;
}

/** The open lines of an item in cart and wishlist. */
export function linesOf({ cart, wishlist }: Profile, itemId: string): Line[] {
  const key = hash48(itemId);
  return [...cart, ...wishlist].filter((line) => line.item === key && line.quantity > 0);
}

function timezoneOf(document: PortraitDocument | undefined): string | undefined {
  const timezone = document?.attributes?.get('timezone');
  return typeof timezone === 'string' ? timezone : undefined;
}
