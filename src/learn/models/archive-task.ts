import { noCounts, readArchive } from '../../archive/reader.js';
import { INTEREST } from '../../candidates/build-statistics.js';
import { EVENT_TYPE_INDEX, EVENT_TYPES } from '../../domain/event.js';
import type { Item } from '../../domain/item.js';
import { AppError } from '../../errors.js';
import { CatalogHistory } from '../skew/catalog-history.js';
import { DEED } from '../ranker/lists.js';
import type { Interactions, Question, Split, Task } from '../task.js';
import { DEED_OF, JUDGED_LIMITS } from './judged-lists.js';

export const ARCHIVE_TASK_LIMITS = {
  /** Latest events that are taken: 21 bytes each, and what is made of them. */
  events: 3_000_000,
  /** Questions that one shopper may be asked in a part of the time. */
  questionsEach: 4,
} as const;

/**
 * Parts of the log by number of events: up to the first cut statistics and encoder may see what the ranker then learns to
 * answer, up to the second what says when it has learnt enough; what serves may see all.
 */
const CUTS = { fit: 0.75, validation: 0.9 } as const;
/** Events closer than this are set apart by it, so that their order survives, ms. */
const TIE_MS = 1;

interface Row { readonly item: number; readonly at: number; readonly type: number }

/**
 * A store's archive as a learning task: what does a shopper take next, asked in the latest parts of the time.
 * @param until events of this time or later are not read, ms
 * @throws AppError `invalid_request` when there is nothing to ask
 */
export async function archiveTask(dir: string, until: number): Promise<Task> {
  const itemOf = new Map<string, number>();
  const rows = new Map<string, Row[]>();
  let passed = await countEvents(dir, until) - ARCHIVE_TASK_LIMITS.events;
  let count = 0;
  for await (const { shopper, itemId, type, at } of interestIn(dir, until)) {
    if (passed-- > 0) continue;
    count += 1;
    const item = itemOf.get(itemId) ?? itemOf.size;
    itemOf.set(itemId, item);
    const own = rows.get(shopper);
    const row = { item, at, type };
    if (own === undefined) rows.set(shopper, [row]);
    else own.push(row);
  }
  const items = await itemsOf(dir, [...itemOf.keys()]);
  const interactions = layOut([...itemOf.keys()], [...rows.values()]);
  const times = interactions.at.toSorted();
  const cut = (part: number): number => times[Math.floor(part * (times.length - 1))] ?? 0;
  const [fit, validation] = [cut(CUTS.fit), cut(CUTS.validation)];
  const task: Task = {
    name: 'archive', protocol: 'archive', items, interactions, excludeHistory: false,
    fits: [split(interactions, fit, validation)], validation: split(interactions, validation, until), test: split(interactions, until, until),
  };
  if (task.fits[0]!.questions.length === 0 || task.validation.questions.length === 0) {
    throw new AppError('invalid_request', `In ${count} events of interest no shopper takes anything after others: there is nothing to learn from.`);
  }
  return task;
}

/** What happened to items before a time, as far as it says anything of taste. */
async function* interestIn(dir: string, until: number): AsyncGenerator<{ shopper: string; itemId: string; type: number; at: number }> {
  for await (const { shopper, itemId, type, at } of readArchive(dir, noCounts())) {
    if (at < until && itemId !== undefined && INTEREST[type] !== undefined) yield { shopper, itemId, type: EVENT_TYPE_INDEX.get(type)!, at };
  }
}

async function countEvents(dir: string, until: number): Promise<number> {
  let count = 0;
  for await (const _ of interestIn(dir, until)) count += 1;
  return count;
}

/** The items as the catalog last had them; one that it never had is known by its id. */
async function itemsOf(dir: string, ids: readonly string[]): Promise<Item[]> {
  const history = new CatalogHistory(dir);
  await history.toEnd();
  const { catalog } = history;
  return ids.map((id): Item => catalog.item(catalog.rowOf(id)) ?? { id, title: id, category: ['all'], kind: 'product' });
}

function layOut(itemIds: readonly string[], rows: readonly (readonly Row[])[]): Interactions {
  const events = rows.reduce((sum, own) => sum + own.length, 0);
  const interactions = {
    itemIds, shoppers: rows.length, offsets: new Uint32Array(rows.length + 1),
    item: new Uint32Array(events), at: new Float64Array(events), type: new Uint8Array(events),
  };
  let to = 0;
  rows.forEach((own, shopper) => {
    let before = -Infinity;
    for (const { item, at, type } of own.toSorted((a, b) => a.at - b.at)) {
      interactions.item[to] = item;
      before = Math.max(at, before + TIE_MS);
      interactions.at[to] = before;
      interactions.type[to++] = type;
    }
    interactions.offsets[shopper + 1] = to;
  });
  return interactions;
}

/** Known is what came before `from`; asked is, for the first events from then to `until`, what came next. */
function split(interactions: Interactions, from: number, until: number): Split {
  const { shoppers, offsets, item, at } = interactions;
  const known = new Uint32Array(shoppers);
  const questions: Question[] = [];
  for (let shopper = 0; shopper < shoppers; shopper++) {
    const first = offsets[shopper]!;
    const end = offsets[shopper + 1]!;
    let asked = 0;
    for (let i = first; i < end && at[i]! < until; i++) {
      if (at[i]! < from) known[shopper] = i + 1 - first;
      // The same item again says nothing of what to show.
      else if (i > first && item[i] !== item[i - 1] && asked++ < ARCHIVE_TASK_LIMITS.questionsEach) {
        questions.push({ shopper, history: i - first, at: at[i]!, wanted: [item[i]!], deed: deedFrom(interactions, i, end, until) });
      }
    }
  }
  return { known, questions };
}

/** @returns the most that a shopper did with an item, from one event on for as long as it counts for a list shown then */
function deedFrom({ item, at, type }: Interactions, event: number, end: number, until: number): number {
  const last = Math.min(at[event]! + JUDGED_LIMITS.attributionMs, until - 1);
  let most: number = DEED.clicked;
  for (let i = event; i < end && at[i]! <= last; i++) {
    if (item[i] === item[event]) most = Math.max(most, DEED_OF[EVENT_TYPES[type[i]!]!] ?? DEED.none);
  }
  return most;
}
