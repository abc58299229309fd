import { EVENT_TYPE_INDEX, type EventType } from '../domain/event.js';
import type { InviteLikeness, RiskReason, RiskState, SuspectInvite } from '../domain/risk.js';
import { HALF_LIFE_COUNT, HALF_LIVES_MS, TOUCH, type Profile } from '../profile/profile.js';

/** Where abuse begins; the operator's to set. */
export interface RiskLimits {
  /** Score from which on a shopper is flagged. */
  readonly flagScore: number;
  /** Events a minute, held for half an hour, that no hand makes. */
  readonly eventsPerMinute: number;
  /** Refunds of purchases in about 90 days, by number … */
  readonly refundShare: number;
  /** … from so many refunds on, and from this amount, minor units. */
  readonly refundsMin: number;
  readonly refundedMinorMin: number;
}

/** What the signs rest on. */
const SIGNS = {
  /** No sign alone is certain. */
  weightMax: 0.9,
  /** A sign begins at this part of its limit and is whole at it. */
  beginsAt: 0.6,
  /** Pauses between events looked at, the latest; of them at least so many; shorter ones are one page's, s. */
  pauses: 64, pausesMin: 30, pauseMinS: 2,
  /** Part of the pauses within this of their median: of people it is about a fifth. */
  alike: 0.1, alikeFrom: 0.7, alikeTo: 0.9,
  /** Items viewed of which so many are looked at, and the part of them seen for a second at most. */
  viewsMin: 30, glanceMs: 1000, glancesFrom: 0.6, glancesTo: 0.9,
} as const;
const INVITE_WEIGHTS: Readonly<Record<InviteLikeness, number>> = { alias: 0.9, device: 0.6, address: 0.3 };
/** Acts of a hand; lists and promotions are shown, many at once, and purchases come line by line. */
const HANDS: readonly EventType[] = ['view_item', 'select_item', 'search', 'add_to_wishlist', 'add_to_cart', 'remove_from_cart', 'share', 'like', 'comment', 'follow', 'dismiss'];
/** Which of the counters' half-lives: 30 minutes, 90 days. */
const HALF_HOUR = 0;
const QUARTER = 3;

/** Signs of abuse in a shopper's profile and invitations. Pure: the same profile has the same signs, whoever looks. */
export function signsOf(profile: Profile, invites: readonly SuspectInvite[], limits: RiskLimits): RiskReason[] {
  return [selfInvite(invites), refundFarming(profile, limits), eventRate(profile, limits), clockwork(profile), noDwell(profile)]
    .filter((sign) => sign !== undefined).filter(({ weight }) => weight > 0);
}

/** The signs together, as if each were an independent witness (noisy or). */
export const scoreOf = (signs: readonly Pick<RiskReason, 'weight'>[]): number => round(1 - signs.reduce((rest, { weight }) => rest * (1 - weight), 1));

/** A flag stays until the score has fallen to half of what raised it, so that it does not flicker; an operator's word counts more. */
export function isFlagged(score: number, was: boolean, { flagScore }: Pick<RiskLimits, 'flagScore'>, override: RiskState['override']): boolean {
  return override === undefined ? score >= (was ? flagScore / 2 : flagScore) : override.flag === 'flagged';
}

/** The score that others are told: whoever asks whether it is above the limit learns of the flag. */
export function toldScore({ score, override, isFlagged }: Pick<RiskState, 'score' | 'override' | 'isFlagged'>, { flagScore }: Pick<RiskLimits, 'flagScore'>): number {
  if (override !== undefined) return override.flag === 'flagged' ? 1 : 0;
  return isFlagged ? Math.max(score, flagScore) : score;
}

function selfInvite(invites: readonly SuspectInvite[]): RiskReason | undefined {
  if (invites.length === 0) return undefined;
  const counts = (['alias', 'device', 'address'] as const).map((by) => [by, invites.filter((invite) => invite.by === by).length] as const)
    .filter(([, count]) => count > 0).map(([by, count]) => `${count} by ${by}`).join(', ');
  return { reason: 'self_invite', weight: Math.min(SIGNS.weightMax, scoreOf(invites.map(({ by }) => ({ weight: INVITE_WEIGHTS[by] })))), evidence: `invited friends who look like themselves: ${counts}` };
}

function refundFarming(profile: Profile, { refundShare, refundsMin, refundedMinorMin }: RiskLimits): RiskReason | undefined {
  const refunds = counted(profile, 'refund', QUARTER);
  const share = refunds / Math.max(refunds, counted(profile, 'purchase', QUARTER), 1);
  // Decayed counts fall short of whole numbers at once.
  if (refunds < refundsMin - 0.5 || profile.refundedMinor < refundedMinorMin) return undefined;
  return { reason: 'refund_farming', weight: rise(share, refundShare * SIGNS.beginsAt, refundShare), evidence: `${Math.round(share * 100)} % of the purchases of 90 days refunded (${refunds.toFixed(1)}); ${profile.refundedMinor} minor units in all` };
}

function eventRate(profile: Profile, { eventsPerMinute }: RiskLimits): RiskReason {
  // At a steady rate a count decayed by half in 30 minutes comes to rate × 30 / ln 2.
  const rate = HANDS.reduce((sum, type) => sum + counted(profile, type, HALF_HOUR), 0) * 60_000 * Math.LN2 / HALF_LIVES_MS[HALF_HOUR];
  return { reason: 'event_rate', weight: rise(rate, eventsPerMinute * SIGNS.beginsAt, eventsPerMinute), evidence: `${rate.toFixed(1)} acts a minute for half an hour` };
}

function clockwork({ ids }: Profile): RiskReason | undefined {
  const times = ids.at.slice(-4 * SIGNS.pauses).toSorted((a, b) => a - b);
  const pauses = times.slice(1).map((at, i) => at - times[i]!).filter((pause) => pause > 0).slice(-SIGNS.pauses);
  if (pauses.length < SIGNS.pausesMin) return undefined;
  const median = pauses.toSorted((a, b) => a - b)[pauses.length >> 1]!;
  if (median < SIGNS.pauseMinS) return undefined;
  const alike = pauses.filter((pause) => Math.abs(pause - median) <= median * SIGNS.alike).length / pauses.length;
  return { reason: 'clockwork', weight: rise(alike, SIGNS.alikeFrom, SIGNS.alikeTo), evidence: `${Math.round(alike * 100)} % of the last ${pauses.length} pauses are of ${median} s` };
}

function noDwell({ touches }: Profile): RiskReason | undefined {
  const views = touches.filter(({ mask }) => (mask & TOUCH.viewed) !== 0).map(({ at }) => at).sort((a, b) => a - b);
  if (views.length < SIGNS.viewsMin) return undefined;
  const glances = views.slice(1).filter((at, i) => at - views[i]! <= SIGNS.glanceMs).length / (views.length - 1);
  return { reason: 'no_dwell', weight: rise(glances, SIGNS.glancesFrom, SIGNS.glancesTo), evidence: `${Math.round(glances * 100)} % of the last ${views.length} items seen for a second at most` };
}

const counted = ({ counters }: Profile, type: EventType, halfLife: number): number => counters[EVENT_TYPE_INDEX.get(type)! * HALF_LIFE_COUNT + halfLife]!;
const rise = (value: number, from: number, to: number): number => round(SIGNS.weightMax * Math.min(1, Math.max(0, (value - from) / (to - from))));
/** Small changes are none: each would be written and looked at. */
const round = (weight: number): number => Math.round(weight * 20) / 20;
