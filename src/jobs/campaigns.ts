import type { CampaignSet } from '../campaigns/campaign-set.js';
import { birthdaysOn, isDayOf, storeTime, type StoreTime } from '../campaigns/calendar.js';
import { dueAt, enrolmentId, type Enrolment } from '../campaigns/enrolment.js';
import { FINAL, type CampaignItem, type StepOutcome, type StepRunner } from '../campaigns/run-step.js';
import type { Campaign } from '../domain/campaign.js';
import { toMinor } from '../domain/money.js';
import type { CampaignStore } from '../redis/campaign-store.js';
import type { HappeningStore } from '../redis/happening-store.js';
import type { WatcherStore } from '../redis/watcher-store.js';
import type { Clock } from '../util/clock.js';
import type { ItemNews } from './catalog-watch.js';
import type { JobRegistry, Processors } from './registry.js';

export const CAMPAIGN_JOB_LIMITS = {
  /** Tries of a step: with pauses that double from a second, the last comes after about half an hour. */
  attempts: 12,
  /** Watchers of an item told, shoppers of a day enrolled, at once. */
  atOnce: 50,
  /** Between looks at the calendar, ms. */
  calendarEveryMs: 600_000,
  membersPerPage: 500,
} as const;

/** Names of the jobs: a step of a campaign, news for the watchers of an item, the campaigns of a day. */
export const [CAMPAIGN_STEP, ITEM_NEWS, CALENDAR] = ['campaign-step', 'item-news', 'campaign-calendar'] as const;

export interface CampaignJobsDeps {
  readonly campaigns: { readonly set: CampaignSet };
  readonly runner: Pick<StepRunner, 'run'>;
  readonly store: Pick<CampaignStore, 'isDayDone' | 'markDayDone'>;
  readonly happenings: Pick<HappeningStore, 'bornOn'>;
  readonly watchers: Pick<WatcherStore, 'pages' | 'unwatch'>;
  readonly items: { getItem(id: string): Promise<CampaignItem | undefined> };
  /** A page of a segment's members; the cursor is '' at the beginning and after the last. */
  readonly membersOf: (segment: string, cursor: string, limit: number) => Promise<{ members: readonly string[]; cursor: string }>;
  readonly addJob: JobRegistry['add'];
  readonly timezone: string;
  readonly clock: Clock;
  /** Told what each step came to. */
  readonly onStep: (enrolment: Enrolment, outcome: StepOutcome) => void;
  readonly onNews: (news: ItemNews, sent: number) => void;
}

/** The jobs of campaigns. A job may run again after a crash or beside the process that got the event: the runner sends once. */
export class CampaignJobs {
  readonly #deps: CampaignJobsDeps;
  readonly processors: Processors;

  constructor(deps: CampaignJobsDeps) {
    this.#deps = deps;
    this.processors = {
      [CAMPAIGN_STEP]: (data) => this.#step(data as Enrolment),
      [ITEM_NEWS]: (data) => this.#news(data as ItemNews),
      [CALENDAR]: (_data, signal) => this.#calendar(signal),
    };
  }

  /** Adds the job of an enrolment's step; one that was added is left as it is. @param notBefore ms */
  async enrol(campaign: Campaign, enrolment: Enrolment, notBefore = 0): Promise<void> {
    const { addJob, clock } = this.#deps;
    const due = Math.max(dueAt(campaign, enrolment), notBefore);
    const id = notBefore === 0 ? enrolmentId(enrolment) : `${enrolmentId(enrolment)} ${notBefore}`;
    await addJob(CAMPAIGN_STEP, enrolment, { delayMs: Math.max(0, due - clock()), jobId: `step ${id}`, attempts: CAMPAIGN_JOB_LIMITS.attempts });
  }

  async #step(enrolment: Enrolment): Promise<void> {
    const { outcome, until } = await this.#deps.runner.run(enrolment);
    await this.#goOn(enrolment, outcome, until);
    this.#deps.onStep(enrolment, outcome);
  }

  /** What follows a step; adding it again after a crash changes nothing. */
  async #goOn(enrolment: Enrolment, outcome: StepOutcome, until: number | undefined): Promise<void> {
    const campaign = this.#deps.campaigns.set.get(enrolment.campaign);
    if (campaign === undefined || FINAL.has(outcome)) return;
    if (outcome === 'quiet') await this.enrol(campaign, enrolment, until);
    else if (enrolment.step + 1 < campaign.steps.length) await this.enrol(campaign, { ...enrolment, step: enrolment.step + 1 });
  }

  /** Tells who has the item in cart or wishlist. The item is read when this runs: repeated or late it tells nothing that is no longer so. */
  async #news(news: ItemNews): Promise<void> {
    const { campaigns: { set }, items, onNews } = this.#deps;
    const item = await items.getItem(news.itemId);
    let sent = 0;
    if (item !== undefined && item.stock !== 0) for (const campaign of set.onCatalog(news.change)) sent += await this.#tellWatchers(campaign, news, item);
    onNews(news, sent);
  }

  async #tellWatchers(campaign: Campaign, news: ItemNews, item: CampaignItem): Promise<number> {
    const { watchers } = this.#deps;
    let sent = 0;
    for await (const page of watchers.pages(item.id)) {
      for (let from = 0; from < page.length; from += CAMPAIGN_JOB_LIMITS.atOnce) {
        const part = page.slice(from, from + CAMPAIGN_JOB_LIMITS.atOnce);
        const outcomes = await Promise.all(part.map((shopper) => this.#tell(campaign, shopper, news, item)));
        sent += outcomes.filter((outcome) => outcome === 'sent').length;
        await watchers.unwatch(part.filter((_, i) => outcomes[i] === 'not_there' || outcomes[i] === 'gone').map((shopper) => ({ shopper, itemId: item.id })));
      }
    }
    return sent;
  }

  /** A first step without a pause is done at once: thousands may watch an item. @returns what came of it, undefined for later */
  async #tell(campaign: Campaign, shopper: string, { change, sequence }: ItemNews, item: CampaignItem): Promise<StepOutcome | undefined> {
    const { runner, clock, onStep } = this.#deps;
    // The same price is the same news, whichever change brought it.
    const what = change === 'price_drop' ? `at ${toMinor(item.price ?? 0, item.currency)}` : `back ${sequence}`;
    const enrolment: Enrolment = { campaign: campaign.id, shopper, trigger: `item ${item.id} ${what}`, at: clock(), step: 0, itemId: item.id };
    if (campaign.steps[0]!.afterS > 0) {
      await this.enrol(campaign, enrolment);
      return undefined;
    }
    const { outcome, until } = await runner.run(enrolment);
    await this.#goOn(enrolment, outcome, until);
    onStep(enrolment, outcome);
    return outcome;
  }

  async #calendar(signal: AbortSignal): Promise<void> {
    const { campaigns: { set }, store, timezone, clock } = this.#deps;
    const time = storeTime(clock(), timezone);
    for (const campaign of [...set.on('birthday'), ...set.on('date')]) {
      if (!isDayOf(campaign, time) || await store.isDayDone(campaign.id, time.day)) continue;
      for await (const page of this.#peopleOf(campaign, time)) {
        signal.throwIfAborted();
        await this.#enrolAll(campaign, page, time);
      }
      await store.markDayDone(campaign.id, time.day);
    }
  }

  async #enrolAll(campaign: Campaign, shoppers: readonly string[], { day }: StoreTime): Promise<void> {
    const at = this.#deps.clock();
    for (let from = 0; from < shoppers.length; from += CAMPAIGN_JOB_LIMITS.atOnce) {
      await Promise.all(shoppers.slice(from, from + CAMPAIGN_JOB_LIMITS.atOnce).map((shopper) =>
        this.enrol(campaign, { campaign: campaign.id, shopper, trigger: `day ${day}`, at, step: 0 })));
    }
  }

  async *#peopleOf({ trigger }: Campaign, { day }: StoreTime): AsyncGenerator<readonly string[]> {
    if (trigger.on === 'birthday') yield* this.#deps.happenings.bornOn(birthdaysOn(day));
    if (trigger.on !== 'date') return;
    for (const segment of trigger.segments) {
      let cursor = '';
      do {
        const page = await this.#deps.membersOf(segment, cursor, CAMPAIGN_JOB_LIMITS.membersPerPage);
        yield page.members;
        ({ cursor } = page);
      } while (cursor !== '');
    }
  }
}
