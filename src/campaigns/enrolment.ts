import type { Campaign } from '../domain/campaign.js';
import type { ShopperEvent } from '../domain/event.js';
import { hash48 } from '../util/hash.js';

const ENROLMENT_LIMITS = {
  /** Events of one stretch of a campaign that restarts share a job: this part of its first pause … */
  stretchPart: 10,
  /** … but at least this, ms. */
  stretchMsMin: 100,
  /** What was due longer ago than this is let be: a log that is replayed, a worker that was off, ms. */
  lateMsMax: 3_600_000,
} as const;

/** A shopper in a campaign before one of its steps: the data of a job. */
export interface Enrolment {
  readonly campaign: string;
  readonly shopper: string;
  /** What tells this run of the campaign from every other of this shopper. */
  readonly trigger: string;
  /** When it began, ms; of a campaign that restarts, the end of the stretch in which it did. */
  readonly at: number;
  /** Which step, from 0. */
  readonly step: number;
  readonly itemId?: string | undefined;
  /** The level reached. */
  readonly level?: number | undefined;
}

/** @returns the enrolment that an event makes in a campaign triggered by events of its type */
export function enrolmentOf({ id, trigger, steps }: Campaign, event: Pick<ShopperEvent, 'id' | 'type' | 'shopper' | 'itemId' | 'at'>): Enrolment {
  const { shopper, at } = event;
  // What was taken out of the cart is nothing to be named.
  const itemId = event.type === 'remove_from_cart' ? undefined : event.itemId;
  const base = { campaign: id, shopper, step: 0, itemId };
  if (trigger.on === 'first_seen') return { trigger: 'first', at, ...base };
  if (trigger.on !== 'event' || trigger.restart !== true) return { trigger: `event ${event.id}`, at, ...base };
  const stretchMs = Math.max(ENROLMENT_LIMITS.stretchMsMin, Math.floor((steps[0]!.afterS * 1000) / ENROLMENT_LIMITS.stretchPart));
  const stretch = Math.floor(at / stretchMs);
  return { trigger: `stretch ${stretch}`, at: (stretch + 1) * stretchMs - 1, ...base };
}

/** @returns when a step is due, ms */
export function dueAt({ steps }: Campaign, { at, step }: Pick<Enrolment, 'at' | 'step'>): number {
  let due = at;
  for (let i = 0; i <= step; i++) due += (steps[i]?.afterS ?? 0) * 1000;
  return due;
}

/** Whether its beginning is so long ago that it is no longer to begin. */
export const isTooLate = (campaign: Campaign, enrolment: Enrolment, now: number): boolean =>
  dueAt(campaign, enrolment) < now - ENROLMENT_LIMITS.lateMsMax;

/** Names the enrolment at its step: one job, one message. */
export const enrolmentId = ({ campaign, trigger, shopper, step }: Enrolment): string => `${campaign} ${step} ${trigger} ${shopper}`;

const HASHES = 2 ** 48;

/** Whether a shopper never gets this step: the same answer for ever, independent from step to step. */
export const isStepHeldOut = (campaign: Campaign, { step, shopper }: Pick<Enrolment, 'step' | 'shopper'>): boolean =>
  hash48(`holdout of campaign\n${campaign.id}\n${step}\n${shopper}`) / HASHES < (campaign.steps[step]?.holdout ?? 0);
