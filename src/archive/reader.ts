import type { ShopperEvent } from '../domain/event.js';
import type { ShopperRecord } from '../domain/record.js';
import type { DecisionRecord } from '../offers/decide/decision-record.js';
import { hash48 } from '../util/hash.js';
import { RecentSet } from '../util/recent-set.js';
import { listSlots, slotClosedAt } from './files.js';
import { mergedLines } from './lines.js';
import { ShopperMarks } from './marks.js';

/**
 * An event may be written twice when a worker dies between write and acknowledgement; the second copy then follows
 * within minutes. A reader recognises it among at least this many events before it.
 */
export const DEDUPE_EVENTS = 1_000_000;

/** What a reading found. */
export interface ArchiveCounts {
  read: number;
  duplicates: number;
  /** Lines that are no events: cut off by a crash, or damaged. */
  corrupt: number;
  /** Events of shoppers who had themselves erased later. */
  erased: number;
  /** Events of shoppers who look like abuse. */
  flagged: number;
}

export const noCounts = (): ArchiveCounts => ({ read: 0, duplicates: 0, corrupt: 0, erased: 0, flagged: 0 });

/** An impression as archived. */
export interface ArchivedImpression {
  readonly requestId: string;
  readonly shopper: string;
  readonly scene: string;
  readonly model: string;
  readonly at: number;
  /** Ids in order of position. */
  readonly items: readonly string[];
  /** Indexes into `SOURCES`, per item: which proposed it first. */
  readonly sources: readonly number[];
  /** Bit i: proposed by `SOURCES[i]`, per item. */
  readonly proposedBy?: readonly number[];
  /** The item the page was about. */
  readonly itemId?: string;
  /** Events folded into the profile; absent when it was not as in the store. */
  readonly events?: number;
  /** What else the process ranked by: see `RankedState`. */
  readonly world?: ArchivedWorld;
  readonly vectors: Float32Array;
}

/** A decision as archived. */
export interface ArchivedDecision {
  readonly record: DecisionRecord;
  /** See `decisionVectors`. */
  readonly vectors: Float32Array;
}

/** Versions of all that ranking read beside the profile. */
export interface ArchivedWorld {
  readonly catalog: number;
  readonly statistics: string;
  readonly bound: number;
  readonly trending: number;
  readonly model: string;
  readonly encoder?: number;
}

/** A value with the id of its stream entry. */
export interface Entry<T> { readonly entry: string; readonly value: T }

/**
 * All events of the archive, hour by hour in the order they came, a shopper's events in order; erased ones and those of shoppers flagged as a risk left out,
 * those of anonymous shoppers given to the user they became, each once.
 * @param since only the hours in which events of this time or later may have been written, ms
 */
export async function* readArchive(dir: string, counts: ArchiveCounts = noCounts(), since = 0): AsyncGenerator<ShopperEvent> {
  const marks = await readMarks(dir);
  for await (const { entry, value: event } of readKind(dir, 'events', counts, eventOf, since)) {
    const shopper = marks.ownerOf(event.shopper, entry);
    if (shopper === undefined) counts.erased += 1;
    else if (marks.isFlagged(shopper)) counts.flagged += 1;
    else yield shopper === event.shopper ? event : { ...event, shopper };
  }
}

/** All impressions of the archive, likewise. */
export async function* readImpressions(dir: string, counts: ArchiveCounts = noCounts(), since = 0): AsyncGenerator<ArchivedImpression> {
  const marks = await readMarks(dir);
  for await (const { entry, value: impression } of readKind(dir, 'impressions', counts, impressionOf, since)) {
    const shopper = marks.ownerOf(impression.shopper, entry);
    if (shopper === undefined) counts.erased += 1;
    else if (marks.isFlagged(shopper)) counts.flagged += 1;
    else yield { ...impression, shopper };
  }
}

/** All decisions of the archive, likewise. */
export async function* readDecisions(dir: string, counts: ArchiveCounts = noCounts(), since = 0): AsyncGenerator<ArchivedDecision> {
  const marks = await readMarks(dir);
  for await (const { entry, value: { record, vectors } } of readKind(dir, 'decisions', counts, decisionOf, since)) {
    const shopper = marks.ownerOf(record.shopper, entry);
    if (shopper === undefined) counts.erased += 1;
    else if (marks.isFlagged(shopper)) counts.flagged += 1;
    else yield { record: { ...record, shopper }, vectors };
  }
}

/** Events as they came: of shoppers who later became users or were erased, too. A replay needs them so. */
export const eventEntries = (dir: string, counts: ArchiveCounts = noCounts()): AsyncGenerator<Entry<ShopperEvent>> => readKind(dir, 'events', counts, eventOf, 0);
export const impressionEntries = (dir: string, since = 0): AsyncGenerator<Entry<ArchivedImpression>> => readKind(dir, 'impressions', noCounts(), impressionOf, since);

/** What happened to shoppers as such, in order. @param since only what was written in hours that began then or later, ms */
export async function* recordEntries(dir: string, since = 0): AsyncGenerator<Entry<ShopperRecord>> {
  for (const { files, from } of await listSlots(dir, 'shoppers')) {
    if (from < since) continue;
    for await (const line of mergedLines(files)) {
      const { entry, record } = parse(line) ?? {};
      if (typeof entry === 'string' && isRecord(record)) yield { entry, value: record };
    }
  }
}

/** @param since only marks of this time or later, ms */
export async function readMarks(dir: string, since = 0): Promise<ShopperMarks> {
  const marks = new ShopperMarks();
  for await (const { entry, value } of recordEntries(dir, since)) marks.add(value, entry);
  return marks;
}

interface Parsed<T> { readonly value: T; readonly id: number }

async function* readKind<T>(
  dir: string, kind: 'events' | 'impressions' | 'decisions', counts: ArchiveCounts, toValue: (line: Readonly<Record<string, unknown>>) => Parsed<T> | undefined,
  since: number,
): AsyncGenerator<Entry<T>> {
  const seen = new RecentSet(DEDUPE_EVENTS);
  for (const { files, from } of await listSlots(dir, kind)) {
    if (slotClosedAt(from) < since) continue;
    for await (const text of mergedLines(files)) {
      const line = parse(text);
      const parsed = line === undefined ? undefined : toValue(line);
      const entry = line?.['entry'];
      if (parsed === undefined || typeof entry !== 'string') counts.corrupt += 1;
      else if (seen.has(parsed.id)) counts.duplicates += 1;
      else {
        seen.add(parsed.id);
        counts.read += 1;
        yield { entry, value: parsed.value };
      }
    }
  }
}

/** An event's id is its client's, so it is told apart by shopper, as in the profile. */
function eventOf(line: Readonly<Record<string, unknown>>): Parsed<ShopperEvent> | undefined {
  const event = line['event'] as Partial<ShopperEvent> | null | undefined;
  if (typeof event?.id !== 'string' || typeof event.shopper !== 'string' || typeof event.at !== 'number') return undefined;
  return { value: event as ShopperEvent, id: hash48(`${event.shopper}\n${event.id}`) };
}

function impressionOf(line: Readonly<Record<string, unknown>>): Parsed<ArchivedImpression> | undefined {
  const impression = line['impression'] as Partial<ArchivedImpression> | null | undefined;
  const vectors = floatsOf(line['vectors']);
  if (typeof impression?.requestId !== 'string' || typeof impression.shopper !== 'string' || vectors === undefined) return undefined;
  // One request of several lists makes several impressions: scene and time tell them apart.
  const id = hash48(`${impression.requestId}\n${impression.scene}\n${impression.at}`);
  return { value: { ...impression as ArchivedImpression, vectors }, id };
}

function decisionOf(line: Readonly<Record<string, unknown>>): Parsed<ArchivedDecision> | undefined {
  const decision = line['decision'] as Partial<DecisionRecord> | null | undefined;
  const vectors = floatsOf(line['vectors']);
  if (typeof decision?.decisionId !== 'string' || typeof decision.shopper !== 'string' || vectors === undefined) return undefined;
  return { value: { record: decision as DecisionRecord, vectors }, id: hash48(decision.decisionId) };
}

/** @returns undefined for what is no base64 of whole floats */
function floatsOf(vectors: unknown): Float32Array | undefined {
  if (typeof vectors !== 'string') return undefined;
  // A copy: the pool behind a small Buffer is not aligned for floats.
  const bytes = new Uint8Array(Buffer.from(vectors, 'base64'));
  return bytes.length % 4 === 0 ? new Float32Array(bytes.buffer) : undefined;
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value as Readonly<Record<string, unknown>> : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is ShopperRecord {
  return typeof value === 'object' && value !== null && 'type' in value && (value.type === 'alias' || value.type === 'erase' || value.type === 'risk');
}
