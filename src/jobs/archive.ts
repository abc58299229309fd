import { slotClosedAt, slotStart } from '../archive/files.js';
import type { ArchiveWriter } from '../archive/writer.js';
import type { Clock } from '../util/clock.js';
import { compareEntries } from '../util/entry-id.js';
import { isShopperRecord, type EventEntry, type VectorEntry, type StreamHandler } from './streams.js';

/** Name of the group behind which alone streams are trimmed. */
export const ARCHIVE_GROUP = 'archive';

interface ArchiveOptions {
  readonly writer: ArchiveWriter;
  readonly clock: Clock;
  /**
   * A shopper was erased: called before the record is acknowledged. `from` is the hour's begin: one pass for all
   * erasures of an hour, once its files are closed, is enough.
   */
  readonly onErased: (hour: { readonly from: number; readonly closedAt: number }) => Promise<void>;
}

/** Writes events, and apart from them what happened to shoppers as such, to the archive. */
export class EventArchiver implements StreamHandler {
  readonly name = ARCHIVE_GROUP;
  readonly #options: ArchiveOptions;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  async handle(entries: readonly EventEntry[]): Promise<void> {
    const { writer, clock, onErased } = this.#options;
    const events: string[] = [];
    const records: string[] = [];
    let hasErasure = false;
    for (const { id, record, json } of entries.toSorted(byEntry)) {
      if (record.type === 'portrait') continue;
      if (isShopperRecord(record)) {
        records.push(`{"entry":"${id}","record":${json}}`);
        hasErasure ||= record.type === 'erase';
      } else events.push(`{"entry":"${id}","event":${json}}`);
    }
    await writer.append('shoppers', records);
    await writer.append('events', events);
    if (!hasErasure) return;
    const from = slotStart(clock());
    await onErased({ from, closedAt: slotClosedAt(from) });
  }
}

/** Writes impressions, or decisions, with their vectors (base64 of the float32 bytes) to the archive. */
export class VectorArchiver implements StreamHandler<VectorEntry> {
  readonly name = ARCHIVE_GROUP;

  constructor(private readonly writer: ArchiveWriter, private readonly kind: 'impressions' | 'decisions') {}

  async handle(entries: readonly VectorEntry[]): Promise<void> {
    const name = this.kind === 'impressions' ? 'impression' : 'decision';
    await this.writer.append(this.kind, entries.toSorted(byEntry).flatMap(({ id, records }) => records
      .map(({ json, vectors }) => `{"entry":"${id}","${name}":${json},"vectors":"${vectors.toString('base64')}"}`)));
  }
}

const byEntry = (a: { id: string }, b: { id: string }): number => compareEntries(a.id, b.id);
