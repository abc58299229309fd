import { PORTRAIT_FIELDS, type PortraitFieldName } from './portrait-schema.js';
import { DAY_MS, silenceLimits, type PortraitItem, type PortraitView } from './portrait.js';
import { TOUCH, type Affinities, type Touch } from './profile.js';
import { affinityDecay } from './vector.js';

/** A segment or an operator's tag that the shopper is in. */
export interface Membership { readonly id: string; readonly title: string; readonly kind: 'segment' | 'tag'; readonly since: string }

/** What the shopper is drawn to: lasting and this visit's interest, and what it rests on. */
export interface Interest { readonly name: string; readonly weight: number; readonly now: number; readonly evidence: string }

const INTERESTS_SHOWN = 8;
const LISTS = ['categories', 'brands', 'tags'] as const;
/** How a shopper dealt with items, in the words of the evidence. */
const DEALINGS = [
  ['viewed', TOUCH.viewed | TOUCH.clicked], ['wished for', TOUCH.wished], ['put in the cart', TOUCH.carted], ['bought', TOUCH.purchased],
  ['returned', TOUCH.refunded], ['liked or shared', TOUCH.liked | TOUCH.shared], ['reviewed', TOUCH.reviewed | TOUCH.commented], ['dismissed', TOUCH.dismissed],
] as const;

/** The portrait as JSON: every field that expressions know by the same name, interests and memberships with their evidence. */
export function describePortrait(view: PortraitView, memberships: readonly Membership[]): Record<string, unknown> {
  const fields = (Object.keys(PORTRAIT_FIELDS) as PortraitFieldName[]).map((name) => [name, json(view[name])]);
  return {
    ...Object.fromEntries(fields) as Record<PortraitFieldName, unknown>,
    ...Object.fromEntries(LISTS.map((name) => [name, interests(view, name)])),
    segments: memberships,
    evidence: evidence(view),
  };
}

function json(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') return rounded(value);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, entry]) => [key, json(entry)]));
  return value ?? null;
}

function interests(view: PortraitView, list: (typeof LISTS)[number]): Interest[] {
  const { profile, book, now } = view.parts;
  const table: Affinities = profile[list];
  const decay = affinityDecay(profile, now);
  return table.keys
    .map((key, i) => ({ name: book[list].nameOf(key), weight: rounded(table.long[i]! * decay.long), now: rounded(table.short[i]! * decay.short) }))
    .filter((entry): entry is Omit<Interest, 'evidence'> => entry.name !== undefined && (entry.weight > 0 || entry.now > 0))
    .toSorted((a, b) => b.weight + b.now - a.weight - a.now)
    .slice(0, INTERESTS_SHOWN)
    .map((entry) => ({ ...entry, evidence: dealings(view, (item) => isOf(item, list, entry.name)) }));
}

function isOf(item: PortraitItem, list: (typeof LISTS)[number], name: string): boolean {
  if (list === 'brands') return item.brand === name;
  if (list === 'tags') return item.tags?.includes(name) === true;
  return `${item.category.join('/')}/`.startsWith(`${name}/`);
}

/** @returns e.g. `3 items viewed, 1 bought, last 2 to 9 days ago`: of each item a profile knows when it was touched last; '' when none is of the kind */
function dealings({ parts: { profile, book, now } }: PortraitView, isMeant: (item: PortraitItem) => boolean): string {
  const touches = profile.touches.filter(({ item: key }) => {
    const row = book.rowOfKey(key);
    const item = row < 0 ? undefined : book.item(row);
    return item !== undefined && isMeant(item);
  });
  const counts = DEALINGS.map(([word, bits]) => [word, touches.filter(({ mask }: Touch) => (mask & bits) !== 0).length] as const).filter(([, count]) => count > 0);
  const ages = touches.map(({ at }) => Math.floor((now - at) / DAY_MS));
  const words = counts.map(([word, count], i) => (i === 0 ? `${plural(count, 'item')} ${word}` : `${count} ${word}`));
  return words.length === 0 ? '' : `${words.join(', ')}, last ${span(Math.min(...ages), Math.max(...ages))}`;
}

/** Why the portrait says what it says, in words. */
function evidence(view: PortraitView): Record<string, string> {
  const { profile } = view.parts;
  const { dormant, churned } = silenceLimits(profile);
  const { sharer, reviewer, follower } = view.socialActs;
  const gap = view.daysBetweenOrders;
  const scores = view.scores;
  return {
    lifecycle: `${plural(profile.orders, 'order')}${gap === undefined ? '' : `, one every ${rounded(gap)} days`}; silent for ${rounded(view.daysSinceEvent ?? 0)} days (dormant after ${rounded(dormant)}, churned after ${rounded(churned)})`,
    valueTier: scores === null ? 'no order, or too few buyers in the store to compare with' : `recency ${scores.recency}, frequency ${scores.frequency}, money ${scores.money}, each of 5 among ${plural(view.parts.buyers.frequency.total, 'buyer')}`,
    promotionSensitivity: view.promotionSensitivity === undefined ? 'no promotion shown yet'
      : `about ${rounded(view.counted('select_promotion', 3))} of ${rounded(view.counted('view_promotion', 3))} promotions chosen of late; ${profile.promotedOrders} of ${plural(profile.orders, 'order')} soon after one`,
    socialRole: `of late about ${rounded(sharer)} shares, ${rounded(reviewer)} reviews and comments, ${rounded(follower)} follows and likes`,
  };
}

function span(from: number, to: number): string {
  if (to <= 0) return 'today';
  return from === to ? `${plural(to, 'day')} ago` : `${from} to ${to} days ago`;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;
const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
