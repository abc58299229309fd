import type { Campaign, CatalogChangeKind, Trigger } from '../domain/campaign.js';
import type { EventType } from '../domain/event.js';

type TriggerOn<On extends Trigger['on']> = Extract<Trigger, { on: On }>;
type CampaignOn<On extends Trigger['on']> = Campaign & { readonly trigger: TriggerOn<On> };

const NONE: readonly Campaign[] = [];

/** The campaigns of a store at a moment, and which of the active ones a happening starts. */
export class CampaignSet {
  readonly all: readonly Campaign[];
  readonly #byId: ReadonlyMap<string, Campaign>;
  /** Active ones. */
  readonly #byTrigger = new Map<string, Campaign[]>();
  readonly #byEvent = new Map<string, Campaign[]>();
  /** By event type, and for newcomers: those whose first step follows at once. */
  readonly #instantByEvent = new Map<string, Campaign[]>();
  readonly #instantFirst: readonly Campaign[];
  /** Types of events whose latest time must be known: they restart campaigns, or end them. */
  readonly noted: ReadonlySet<EventType>;

  constructor(campaigns: readonly Campaign[]) {
    this.all = campaigns;
    this.#byId = new Map(campaigns.map((campaign) => [campaign.id, campaign]));
    const active = campaigns.filter(({ status }) => status === 'active');
    for (const campaign of active) add(this.#byTrigger, campaign.trigger.on, campaign);
    const noted = new Set<EventType>(active.flatMap(({ goal = [] }) => goal));
    for (const campaign of this.on('event')) {
      for (const type of campaign.trigger.types) {
        add(this.#byEvent, type, campaign);
        if (isInstant(campaign)) add(this.#instantByEvent, type, campaign);
        if (campaign.trigger.restart === true) noted.add(type);
      }
    }
    this.noted = noted;
    this.#instantFirst = this.on('first_seen').filter(isInstant);
  }

  /** Whether any event starts something at once. */
  get hasInstant(): boolean {
    return this.#instantFirst.length > 0 || this.#instantByEvent.size > 0;
  }

  /** Campaigns whose first step follows the event at once. @param isFirst the shopper's first event ever */
  instantOn(type: EventType, isFirst: boolean): readonly Campaign[] {
    const campaigns = this.#instantByEvent.get(type) ?? NONE;
    return isFirst ? [...campaigns, ...this.#instantFirst] : campaigns;
  }

  get(id: string): Campaign | undefined {
    return this.#byId.get(id);
  }

  /** Active campaigns with a trigger of this kind. */
  on<On extends Trigger['on']>(on: On): readonly CampaignOn<On>[] {
    return (this.#byTrigger.get(on) ?? NONE) as readonly CampaignOn<On>[];
  }

  onEvent(type: EventType): readonly Campaign[] {
    return this.#byEvent.get(type) ?? NONE;
  }

  onCatalog(change: CatalogChangeKind): readonly Campaign[] {
    return this.on('catalog').filter(({ trigger }) => trigger.change === change);
  }

  onSegment(segment: string, change: 'enter' | 'leave'): readonly Campaign[] {
    return this.on('segment').filter(({ trigger }) => (trigger.change ?? 'enter') === change && trigger.segments.includes(segment));
  }
}

/** One that restarts waits for the end of the stretch. */
const isInstant = ({ trigger, steps }: Campaign): boolean => steps[0]!.afterS === 0 && !(trigger.on === 'event' && trigger.restart === true);

function add(map: Map<string, Campaign[]>, key: string, campaign: Campaign): void {
  const there = map.get(key);
  if (there === undefined) map.set(key, [campaign]);
  else there.push(campaign);
}
