import type { CampaignSet } from '../campaigns/campaign-set.js';
import { isTooLate, type Enrolment } from '../campaigns/enrolment.js';
import type { Campaign } from '../domain/campaign.js';
import type { SegmentChange } from '../domain/segment.js';
import type { Clock } from '../util/clock.js';
import { fieldOf, type Fields, type StreamHandler } from './streams.js';

/** One entry of a partition's stream of changes. */
export interface SegmentEntry {
  readonly partition: number;
  readonly id: string;
  readonly change: SegmentChange;
}

/** @returns undefined for an entry that is no change */
export function parseSegmentChange(partition: number, id: string, fields: Fields): SegmentEntry | undefined {
  const json = fieldOf(fields, 'c')?.toString();
  if (json === undefined) return undefined;
  try {
    return { partition, id, change: JSON.parse(json) as SegmentChange };
  } catch {
    return undefined;
  }
}

export interface SegmentTriggersDeps {
  readonly campaigns: { readonly set: CampaignSet };
  readonly enrol: (campaign: Campaign, enrolment: Enrolment) => Promise<void>;
  readonly clock: Clock;
}

/** Behind the changes of segments: starts the campaigns for those who enter or leave. */
export class SegmentTriggers implements StreamHandler<SegmentEntry> {
  readonly name = 'campaigns';
  readonly attemptsMax = 10;

  constructor(private readonly deps: SegmentTriggersDeps) {}

  async handle(entries: readonly SegmentEntry[]): Promise<void> {
    const { campaigns: { set }, enrol, clock } = this.deps;
    for (const { change } of entries) {
      // Where the segment changed and not the shopper, nobody did anything to be addressed for.
      if (change.cause === 'definition') continue;
      const { shopper, segment, type, at } = change;
      for (const campaign of set.onSegment(segment, type)) {
        const enrolment: Enrolment = { campaign: campaign.id, shopper, trigger: `${type} ${segment} ${at}`, at, step: 0 };
        if (!isTooLate(campaign, enrolment, clock())) await enrol(campaign, enrolment);
      }
    }
  }
}
