import type { Badge, Deed, GrowthRules, LedgerEntry, TaskPeriod } from '../domain/growth.js';
import { dayIn, monthOf, weekOf } from '../util/calendar.js';
import { allotRefunds, settleOldest } from './refunds.js';
import type { GrowthState, Pot } from './state.js';
import { hasDay, joinRuns, streakOf } from './streak.js';

export const GROWTH_FOLD_LIMITS = {
  /** An event that is older when it comes gives nothing: a history that is imported is no merit of today. Days. */
  oldestDays: 60,
  /** What has been done on days before this is closed, days. */
  openDays: 62,
} as const;
const DAY_MS = 86_400_000;

/** What a shopper did, as growth looks at it. */
export interface Merit {
  /** Of the event; told apart by the store. */
  readonly id: string;
  readonly on: Deed;
  readonly at: number;
  readonly itemId?: string | undefined;
  readonly valueMinor?: number | undefined;
}

export interface GrowthContext {
  readonly rules: GrowthRules;
  /** Of the shopper, IANA. */
  readonly timezone: string;
  /** ms */
  readonly now: number;
}

/**
 * Folds a deed into the state, in place. Each pot holds a sum; the points given for it are a function of the sum, and points
 * change by what that function changes by. So the same deeds give the same points in any order, and what a refund takes back is
 * what its purchase gave. Rules that change count from then on: what has been given stays given. Pure.
 * @returns what changed of the points; undefined when nothing is to be kept at all
 */
export function foldMerit(state: GrowthState, merit: Merit, context: GrowthContext): LedgerEntry[] | undefined {
  const { rules, timezone, now } = context;
  if (merit.at < now - GROWTH_FOLD_LIMITS.oldestDays * DAY_MS) return undefined;
  const day = dayIn(merit.at, timezone);
  const isFirst = !hasDay(state.runs, day);
  const own = merit.on === 'check_in' ? [] : sharesOf(rules, merit, day);
  if (!isFirst && own.length === 0 && merit.on !== 'refund') return undefined;
  state.since = Math.min(state.since, merit.at);
  if (isFirst) state.runs = joinRuns([...state.runs, [day, day]]);
  const before = new Map<string, Pot>();
  const changing = (name: string): Pot => {
    const pot = state.pots[name] ??= { n: 0, got: 0, day };
    if (!before.has(name)) before.set(name, { ...pot });
    return pot;
  };
  for (const [name, n] of [...own, ...isFirst ? sharesOf(rules, VISIT, day) : []]) {
    const pot = changing(name);
    pot.n += n;
    pot.day = Math.max(pot.day, day);
  }
  if (merit.on === 'purchase' || merit.on === 'refund') {
    for (const { shares: touched } of state.purchases) for (const [name] of touched) if (name in state.pots) changing(name);
    record(state, merit, own);
  }
  const entries = [...before].flatMap(([name, { n }]) => settlePot(state, name, n, merit, rules));
  closeOld(state, dayIn(now, timezone));
  return entries;
}

/** What coming by is worth: once a day, with whatever the shopper does first. It is no part of a purchase, and not taken back with it. */
const VISIT = { on: 'check_in' } as const;

/** What a deed puts into which pot. */
function sharesOf(rules: GrowthRules, { on, valueMinor = 0 }: Pick<Merit, 'on' | 'valueMinor'>, day: number): [pot: string, n: number][] {
  const shares: [string, number][] = [];
  for (const rule of rules.rules) {
    if (rule.on !== on) continue;
    const n = rule.perMinor === undefined ? rule.points : Math.floor(valueMinor / rule.perMinor) * rule.points;
    if (n > 0) shares.push([`rule:${rule.id}:${day}`, n]);
  }
  for (const task of rules.tasks) if (task.on === on) shares.push([`task:${task.id}:${periodOf(task.period, day)}`, 1]);
  for (const badge of rules.badges) if (badge.on === on) shares.push([`badge:${badge.id}`, 1]);
  return shares;
}

export function periodOf(period: TaskPeriod, day: number): string {
  if (period === 'ever') return 'ever';
  const number = period === 'day' ? day : period === 'week' ? weekOf(day) : monthOf(day);
  return `${period[0]}${number}`;
}

function record(state: GrowthState, { id, on, at, itemId = '', valueMinor }: Merit, shares: readonly (readonly [string, number])[]): void {
  if (on === 'purchase') {
    state.purchases.push({ id, item: itemId, at, value: Math.max(1, valueMinor ?? 1), back: 0, shares });
  } else state.refunds.push(valueMinor === undefined ? { id, item: itemId, at } : { id, item: itemId, at, value: valueMinor });
  allotRefunds(state, itemId);
  settleOldest(state);
}

function settlePot(state: GrowthState, name: string, before: number, { id, on, at }: Merit, rules: GrowthRules): LedgerEntry[] {
  const pot = state.pots[name]!;
  if (pot.n === before) return [];
  const due = pointsOf(name, pot, rules);
  const target = pot.n > before ? Math.max(pot.got, due) : Math.min(pot.got, due);
  const points = target - pot.got;
  if (points === 0) return [];
  pot.got = target;
  state.points += points;
  return [{ by: name.slice(0, name.lastIndexOf(':')), eventId: id, on, at, points, balance: state.points }];
}

function pointsOf(name: string, { n, got }: Pot, rules: GrowthRules): number {
  const [kind, id] = name.split(':');
  if (kind === 'rule') {
    const rule = rules.rules.find((one) => one.id === id);
    // Of a rule that is no more nothing new is given, and not more than is left of what it was for.
    return rule === undefined ? Math.min(got, n) : Math.min(rule.pointsPerDayMax ?? Infinity, n);
  }
  if (kind !== 'task') return 0;
  const task = rules.tasks.find((one) => one.id === id);
  return task === undefined ? got : n >= task.times ? task.points : 0;
}

function closeOld(state: GrowthState, today: number): void {
  const open = new Set(state.purchases.flatMap(({ shares }) => shares.map(([name]) => name)));
  for (const [name, { day }] of Object.entries(state.pots)) {
    const isDated = name.startsWith('rule:') || !(name.endsWith(':ever') || name.startsWith('badge:'));
    if (isDated && day < today - GROWTH_FOLD_LIMITS.openDays && !open.has(name)) delete state.pots[name];
  }
}

/** @returns how many levels' points are reached */
export const levelOf = (points: number, { levels }: GrowthRules): number => levels.filter((level) => level.points <= points).length;

/**
 * Gives the badges that are earned; those held are looked at again only when something was undone.
 * @param matches whether the badge's expression holds; not asked of badges without one
 */
export function awardBadges(state: GrowthState, { rules, timezone, now }: GrowthContext, isUndone: boolean, matches: (badge: Badge) => boolean): void {
  const { longest } = streakOf(state.runs, dayIn(now, timezone));
  for (const badge of rules.badges) {
    const isHeld = badge.id in state.badges;
    if (isHeld && !isUndone) continue;
    const isEarned = (badge.on === undefined || (state.pots[`badge:${badge.id}`]?.n ?? 0) >= (badge.times ?? 1))
      && (badge.points === undefined || state.points >= badge.points)
      && (badge.streakDays === undefined || longest >= badge.streakDays)
      && (badge.expression === undefined || matches(badge));
    if (isEarned && !isHeld) state.badges[badge.id] = now;
    else if (!isEarned && isHeld) delete state.badges[badge.id];
  }
}

/** What was a visitor's is the user's from now on, as if the user had done all of it. @returns what changes of the user's points */
export function mergeGrowth(user: GrowthState, visitor: GrowthState, recordId: string, { rules, now }: GrowthContext): LedgerEntry[] {
  const before = user.points;
  user.since = Math.min(user.since, visitor.since);
  // On a day on which both came by it was one who did.
  const visits = daysOf(visitor.runs).filter((day) => hasDay(user.runs, day)).flatMap((day) => sharesOf(rules, VISIT, day));
  for (const [name, n] of visits) if (name in visitor.pots) visitor.pots[name]!.n -= n;
  user.runs = joinRuns([...user.runs, ...visitor.runs]);
  user.badges = { ...visitor.badges, ...user.badges };
  // What was got for pots that are closed comes along as it is.
  user.points += visitor.points - Object.values(visitor.pots).reduce((sum, { got }) => sum + got, 0);
  for (const [name, { n, day }] of Object.entries(visitor.pots)) {
    const pot = user.pots[name] ??= { n: 0, got: 0, day };
    pot.n += n;
    pot.day = Math.max(pot.day, day);
  }
  user.purchases.push(...visitor.purchases);
  user.refunds.push(...visitor.refunds);
  for (const item of new Set(user.purchases.map((purchase) => purchase.item))) allotRefunds(user, item);
  settleOldest(user);
  for (const [name, pot] of Object.entries(user.pots)) {
    const got = pot.got + (visitor.pots[name]?.got ?? 0);
    const due = pointsOf(name, { ...pot, got }, rules);
    user.points += due - pot.got;
    pot.got = due;
  }
  const points = user.points - before;
  return points === 0 ? [] : [{ by: 'merge', eventId: recordId, on: 'merge', at: now, points, balance: user.points }];
}

const daysOf = (runs: GrowthState['runs']): number[] => runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
