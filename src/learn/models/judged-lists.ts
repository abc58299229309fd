import { readArchive, readImpressions, noCounts, type ArchivedImpression } from '../../archive/reader.js';
import { listSlots, slotClosedAt } from '../../archive/files.js';
import type { EventType } from '../../domain/event.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { SHOWN_FLOATS } from '../../redis/impression-log.js';
import { ITEM_FEATURES } from '../../ranking/features.js';
import type { Random } from '../../util/random.js';
import { DEED, worthOfDeeds, type DeedValues } from '../ranker/lists.js';

const WIDTH = ITEM_FEATURES.length;
const DAY_MS = 86_400_000;

export const JUDGED_LIMITS = {
  /** Lists kept of a day, a uniform sample when there are more; each takes some kilobytes. */
  lists: 20_000,
  /** Deeds of shoppers held at once. */
  deeds: 2_000_000,
  /** A deed counts for a list shown at most this long before, ms. */
  attributionMs: 3_600_000,
} as const;

/** What an event was to the list that showed its item; a wish is as good as a cart. */
export const DEED_OF: Partial<Record<EventType, number>> = {
  view_item: DEED.clicked, select_item: DEED.clicked, add_to_wishlist: DEED.carted, add_to_cart: DEED.carted, purchase: DEED.bought,
};

/** A list that was shown, as the engine ranked it, and what the shopper made of it. */
export interface JudgedList {
  /** Of its impression, unique: see `impressionKey`. */
  readonly key: string;
  readonly shopper: string;
  readonly at: number;
  /** The shopper's features, [U]. */
  readonly user: Float32Array;
  /** Features of the items in order of position, [count × C]. */
  readonly items: Float32Array;
  readonly count: number;
  /** What the shopper then did with each item, a `DEED` each, and what that is worth. */
  readonly deeds: Uint8Array;
  readonly worth: Float32Array;
  /** Probability with which each item was shown at its place. */
  readonly propensity: Float32Array;
  /** Scores of the model that served. */
  readonly scores: Float32Array;
  /** Its label. */
  readonly model: string;
}

export interface JudgedDay {
  readonly lists: readonly JudgedList[];
  /** The span of the impressions, ms. */
  readonly from: number;
  readonly until: number;
  /** Impressions read, and those left out because their vectors have other columns than this engine's. */
  readonly impressions: number;
  readonly otherColumns: number;
}

/** The end of what the archive holds, ms; 0 when it is empty. */
export async function archiveEnd(dir: string): Promise<number> {
  const last = (await listSlots(dir, 'events')).at(-1);
  if (last === undefined) return 0;
  let end = 0;
  for await (const { at } of readArchive(dir, noCounts(), slotClosedAt(last.from))) end = Math.max(end, at);
  return end;
}

/**
 * The lists shown on the archive's latest day, or since a time, on which the shopper did something to some of the items.
 * @param random which lists are kept when there are too many
 */
export async function latestDay(dir: string, { random, values, since }: { random: Random; values: DeedValues; since?: number | undefined }): Promise<JudgedDay> {
  const worthOf = worthOfDeeds(values);
  const until = await archiveEnd(dir);
  const from = since ?? until - DAY_MS;
  const deeds = await readDeeds(dir, from);
  const lists: JudgedList[] = [];
  let impressions = 0;
  let otherColumns = 0;
  let judged = 0;
  for await (const impression of readImpressions(dir, noCounts(), from)) {
    if (impression.at < from) continue;
    impressions += 1;
    const vectors = toVectors(impression);
    if (vectors === undefined) {
      otherColumns += 1;
      continue;
    }
    const done = deedsWith(impression, deeds.get(impression.shopper) ?? []);
    const worth = Float32Array.from(done, (deed) => worthOf[deed]!);
    if (impression.items.length < 2 || worth.every((value) => value === 0)) continue;
    judged += 1;
    // A uniform sample in one pass (reservoir, Vitter 1985).
    const place = judged <= JUDGED_LIMITS.lists ? lists.length : Math.floor(random() * judged);
    if (place < JUDGED_LIMITS.lists) lists[place] = { ...vectors, key: impressionKey(impression), deeds: done, worth, shopper: impression.shopper, at: impression.at, model: impression.model };
  }
  return { lists, from, until, impressions, otherColumns };
}

interface Deed { readonly item: string; readonly at: number; readonly deed: number }

async function readDeeds(dir: string, from: number): Promise<Map<string, Deed[]>> {
  const deeds = new Map<string, Deed[]>();
  let count = 0;
  for await (const { shopper, itemId, type, at } of readArchive(dir, noCounts(), from)) {
    const deed = DEED_OF[type];
    if (deed === undefined || itemId === undefined || at < from) continue;
    if (++count > JUDGED_LIMITS.deeds) break;
    const own = deeds.get(shopper);
    const one = { item: itemId, at, deed };
    if (own === undefined) deeds.set(shopper, [one]);
    else own.push(one);
  }
  return deeds;
}

/** @returns the most that was done with each item */
function deedsWith({ items, at }: ArchivedImpression, deeds: readonly Deed[]): Uint8Array {
  const most = new Uint8Array(items.length);
  for (const { item, at: doneAt, deed } of deeds) {
    if (doneAt < at || doneAt > at + JUDGED_LIMITS.attributionMs) continue;
    const place = items.indexOf(item);
    if (place >= 0) most[place] = Math.max(most[place]!, deed);
  }
  return most;
}

/** One request of several lists makes several impressions: scene and time tell them apart. */
export const impressionKey = ({ requestId, scene, at }: ArchivedImpression): string => `${requestId} ${scene} ${at}`;

type LoggedVectors = Pick<JudgedList, 'user' | 'items' | 'count' | 'propensity' | 'scores'>;

/** @returns undefined when its columns are not those of this engine */
export function toVectors({ items: { length: count }, vectors }: ArchivedImpression): LoggedVectors | undefined {
  if (vectors.length !== USER_FEATURES.length + count * SHOWN_FLOATS) return undefined;
  const items = new Float32Array(count * WIDTH);
  const propensity = new Float32Array(count);
  const scores = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const from = USER_FEATURES.length + i * SHOWN_FLOATS;
    scores[i] = vectors[from]!;
    propensity[i] = vectors[from + 1]!;
    items.set(vectors.subarray(from + SHOWN_FLOATS - WIDTH, from + SHOWN_FLOATS), i * WIDTH);
  }
  return { user: vectors.slice(0, USER_FEATURES.length), items, count, propensity, scores };
}
