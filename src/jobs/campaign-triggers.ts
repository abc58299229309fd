import type { CampaignSet } from '../campaigns/campaign-set.js';
import { enrolmentId, enrolmentOf, isTooLate, type Enrolment } from '../campaigns/enrolment.js';
import { linesOf } from '../campaigns/run-step.js';
import type { Campaign } from '../domain/campaign.js';
import type { EventType, ShopperEvent } from '../domain/event.js';
import type { PortraitRecord } from '../domain/record.js';
import { currentProfile, type ProfileReader } from '../offers/current-profile.js';
import { birthdayOf } from '../profile/birthday.js';
import type { AttributeStore } from '../redis/attribute-store.js';
import type { Happening, HappeningStore } from '../redis/happening-store.js';
import type { Watch, WatcherStore } from '../redis/watcher-store.js';
import type { Clock } from '../util/clock.js';
import type { EventEntry, StreamHandler } from './streams.js';

const TRIGGER_LIMITS = {
  /** What was put there longer ago is not watched for its price, ms. */
  watchAgeMs: 90 * 86_400_000,
  /** Written, read or enrolled at once. */
  atOnce: 100,
} as const;

const WATCH_STARTS: ReadonlySet<EventType> = new Set(['add_to_cart', 'add_to_wishlist']);
const WATCH_ENDS: ReadonlySet<EventType> = new Set(['remove_from_cart', 'purchase', 'dismiss']);

export interface CampaignTriggersDeps {
  readonly campaigns: { readonly set: CampaignSet };
  readonly happenings: HappeningStore;
  readonly watchers: WatcherStore;
  readonly messages: { move(from: string, to: string): Promise<void>; forget(shopper: string): Promise<void> };
  /** Whatever else keeps something of a shopper. */
  readonly forget: readonly { forget(shopper: string): Promise<void> }[];
  readonly attributes: Pick<AttributeStore, 'read'>;
  readonly profiles: ProfileReader;
  /** Starts an enrolment; one that was started is left as it is. */
  readonly enrol: (campaign: Campaign, enrolment: Enrolment) => Promise<void>;
  readonly clock: Clock;
}

interface Enrolled { readonly campaign: Campaign; readonly enrolment: Enrolment }

/** What a batch of records comes to, per shopper the last word. */
interface Changes {
  /** By shopper and type. */
  readonly happenings: Map<string, Happening>;
  /** By enrolment. */
  readonly enrolled: Map<string, Enrolled>;
  /** Shopper → their first event of the batch. */
  readonly seen: Map<string, ShopperEvent>;
  /** Item and shopper → watched or, without a time, perhaps no longer. */
  readonly watches: Map<string, Watch & { readonly isEnd: boolean }>;
  /** Shoppers whose attributes may have changed. */
  readonly portraits: Set<string>;
  readonly erased: Set<string>;
  readonly merged: { readonly from: string; readonly to: string; readonly at: number; readonly isSilent: boolean }[];
}

/** Behind the event stream: starts campaigns, and keeps what they look for. Every step can be repeated. */
export class CampaignTriggers implements StreamHandler {
  readonly name = 'triggers';
  readonly attemptsMax = 10;
  readonly #deps: CampaignTriggersDeps;

  constructor(deps: CampaignTriggersDeps) {
    this.#deps = deps;
  }

  async handle(entries: readonly EventEntry[]): Promise<void> {
    const { watchers, messages, happenings, enrol } = this.#deps;
    const changes = this.#sum(entries);
    for (const shopper of changes.erased) await this.#forget(shopper);
    for (const { from, to, at } of changes.merged) await Promise.all([watchers.move(from, to, at), messages.move(from, to)]);
    // Who has been a visitor is no newcomer as a user.
    await happenings.note(changes.merged.filter(({ isSilent }) => !isSilent).map(({ to, at }) => ({ shopper: to, type: 'seen', at })));
    // Noted before a job is added, so that a job never runs without knowing what started it.
    await inParts([...changes.happenings.values()], (part) => happenings.note(part));
    await inParts([...changes.enrolled.values()], (part) => Promise.all(part.map(({ campaign, enrolment }) => enrol(campaign, enrolment))));
    await this.#welcome([...changes.seen.values()]);
    await inParts([...changes.portraits], (part) => Promise.all(part.map((shopper) => this.#noteBirthday(shopper))));
    const watches = [...changes.watches.values()];
    const ended = await this.#ended(watches.filter((watch) => watch.isEnd));
    await watchers.watch(watches.filter((watch) => !ended.has(watch)));
    await watchers.unwatch([...ended]);
  }

  #sum(entries: readonly EventEntry[]): Changes {
    const { campaigns: { set }, clock } = this.#deps;
    const changes: Changes = { happenings: new Map(), enrolled: new Map(), seen: new Map(), watches: new Map(), portraits: new Set(), erased: new Set(), merged: [] };
    const now = clock();
    for (const { record } of entries) {
      if (record.type === 'erase') forget(changes, record.shopper);
      else if (record.type === 'alias') changes.merged.push({ from: record.from, to: record.shopper, at: record.at, isSilent: record.isSilent === true });
      else if (record.type === 'portrait') notePortrait(changes, record, set, now);
      else if (record.type !== 'risk') noteEvent(changes, record, set, now);
    }
    return changes;
  }

  /** Starts the campaigns for newcomers. A shopper is noted as seen after their job is added: a crash in between repeats. */
  async #welcome(seen: readonly ShopperEvent[]): Promise<void> {
    const { campaigns: { set }, happenings, enrol, clock } = this.#deps;
    const campaigns = set.on('first_seen');
    if (campaigns.length === 0) return;
    await inParts(seen, async (part) => {
      const unseen = new Set(await happenings.unseen(part.map(({ shopper }) => shopper)));
      const now = clock();
      await Promise.all(part.filter(({ shopper }) => unseen.has(shopper)).flatMap((event) => campaigns.map(async (campaign) => {
        const enrolment = enrolmentOf(campaign, event);
        if (!isTooLate(campaign, enrolment, now)) await enrol(campaign, enrolment);
      })));
      await happenings.note(part.map(({ shopper, at }) => ({ shopper, type: 'seen', at })));
    });
  }

  async #noteBirthday(shopper: string): Promise<void> {
    const { attributes, happenings } = this.#deps;
    const day = birthdayOf(await attributes.read(shopper));
    await happenings.noteBirthday(shopper, day === undefined ? undefined : `${two(day.month)}-${two(day.day)}`);
  }

  async #forget(shopper: string): Promise<void> {
    const { watchers, messages, happenings } = this.#deps;
    await Promise.all([watchers, messages, happenings, ...this.#deps.forget].map((store) => store.forget(shopper)));
  }

  /** What left the cart may still be on the wishlist, and the other way round: the profile knows. */
  async #ended(perhaps: readonly Watch[]): Promise<Set<Watch>> {
    const shoppers = [...new Set(perhaps.map(({ shopper }) => shopper))];
    const profiles = new Map(await Promise.all(shoppers.map(async (shopper) =>
      [shopper, await currentProfile(this.#deps.profiles, shopper)] as const)));
    return new Set(perhaps.filter(({ shopper, itemId }) => {
      const profile = profiles.get(shopper)?.profile;
      return profile === undefined || linesOf(profile, itemId).length === 0;
    }));
  }
}

function noteEvent(changes: Changes, event: ShopperEvent, set: CampaignSet, now: number): void {
  const { type, shopper, itemId, at } = event;
  if (set.noted.has(type)) {
    const known = changes.happenings.get(`${type}\n${shopper}`);
    if (known === undefined || at >= known.at) changes.happenings.set(`${type}\n${shopper}`, { shopper, type, at });
  }
  for (const campaign of set.onEvent(type)) note(changes, campaign, enrolmentOf(campaign, event), now);
  if (!changes.seen.has(shopper)) changes.seen.set(shopper, event);
  if (itemId === undefined || at < now - TRIGGER_LIMITS.watchAgeMs) return;
  const isEnd = WATCH_ENDS.has(type);
  if (isEnd || WATCH_STARTS.has(type)) changes.watches.set(`${itemId}\n${shopper}`, { shopper, itemId, at, isEnd });
}

function notePortrait(changes: Changes, { id, shopper, at, levelUp }: PortraitRecord, set: CampaignSet, now: number): void {
  changes.portraits.add(shopper);
  if (levelUp === undefined) return;
  for (const campaign of set.on('level_up')) note(changes, campaign, { campaign: campaign.id, shopper, trigger: `level ${levelUp} ${id}`, at, step: 0, level: levelUp }, now);
}

/** Of several events that share a job the last that names an item is the one it names. */
function note(changes: Changes, campaign: Campaign, enrolment: Enrolment, now: number): void {
  if (isTooLate(campaign, enrolment, now)) return;
  const id = enrolmentId(enrolment);
  const known = changes.enrolled.get(id)?.enrolment;
  changes.enrolled.set(id, { campaign, enrolment: { ...enrolment, itemId: enrolment.itemId ?? known?.itemId } });
}

/** Drops what the batch said of a shopper before they were erased. */
function forget(changes: Changes, shopper: string): void {
  changes.erased.add(shopper);
  changes.merged.splice(0, Infinity, ...changes.merged.filter(({ to }) => to !== shopper));
  changes.seen.delete(shopper);
  changes.portraits.delete(shopper);
  for (const [key, happening] of changes.happenings) if (happening.shopper === shopper) changes.happenings.delete(key);
  for (const [key, { enrolment }] of changes.enrolled) if (enrolment.shopper === shopper) changes.enrolled.delete(key);
  for (const [key, watch] of changes.watches) if (watch.shopper === shopper) changes.watches.delete(key);
}

async function inParts<T>(all: readonly T[], work: (part: readonly T[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < all.length; from += TRIGGER_LIMITS.atOnce) await work(all.slice(from, from + TRIGGER_LIMITS.atOnce));
}

const two = (part: number): string => String(part).padStart(2, '0');
