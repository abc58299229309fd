import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The archive's layout: `<kind>-<day>/<hour>-<consumer>.<n>.ndjson`, day and hour (UTC) of writing. One consumer writes
 * a file, and only within its hour and a grace after it; from then on the file is closed, which is all the agreement
 * that writers and the job that rewrites files need. Workers on several machines share the folder.
 */
export const ARCHIVE_KINDS = ['events', 'impressions', 'decisions', 'shoppers', 'catalog', 'trending', 'statistics'] as const;
/**
 * `shoppers`: alias and erase records, apart from the events so that a reader learns them first. What ranking read beside
 * the profiles, so that a replay can do it again: `catalog`, snapshots and changes; `trending`, the lists as published;
 * `statistics`, one file for each version.
 */
export type ArchiveKind = (typeof ARCHIVE_KINDS)[number];

/** Kinds that are kept for fewer days than the archive: statistics take some megabytes a version. */
export const KEPT_DAYS: Partial<Record<ArchiveKind, number>> = { statistics: 1 };

const HOUR_MS = 3_600_000;
/** A writer that took longer than this to write does it again into the next hour's file. */
export const WRITE_GRACE_MS = 5 * 60_000;

/** One hour of one kind. */
export interface ArchiveSlot {
  readonly folder: string;
  /** When it began, ms. */
  readonly from: number;
  /** Paths of its files, in order of name. */
  readonly files: readonly string[];
}

export const slotStart = (at: number): number => Math.floor(at / HOUR_MS) * HOUR_MS;
/** When nobody writes the files of a slot any more, ms. */
export const slotClosedAt = (from: number): number => from + HOUR_MS + WRITE_GRACE_MS;

export const folderOf = (dir: string, kind: ArchiveKind, at: number): string => join(dir, `${kind}-${new Date(at).toISOString().slice(0, 10)}`);
export const hourOf = (at: number): string => new Date(at).toISOString().slice(11, 13);

/** The hours of a kind that there are files of, oldest first. */
export async function listSlots(dir: string, kind: ArchiveKind): Promise<ArchiveSlot[]> {
  const slots: ArchiveSlot[] = [];
  for (const { name, day } of await listDays(dir, kind)) {
    const folder = join(dir, name);
    const hours = new Map<string, string[]>();
    for (const file of (await names(folder)).filter((file) => /^\d\d-.*\.ndjson$/u.test(file))) {
      const hour = file.slice(0, 2);
      hours.set(hour, [...hours.get(hour) ?? [], join(folder, file)]);
    }
    for (const [hour, files] of [...hours].toSorted(([a], [b]) => a.localeCompare(b))) {
      slots.push({ folder, from: day + Number(hour) * HOUR_MS, files });
    }
  }
  return slots;
}

/** The day folders of a kind, oldest first. */
export async function listDays(dir: string, kind: ArchiveKind): Promise<{ name: string; day: number }[]> {
  const days = (await names(dir)).flatMap((name) => {
    const [, date] = new RegExp(`^${kind}-(\\d{4}-\\d\\d-\\d\\d)$`, 'u').exec(name) ?? [];
    return date === undefined ? [] : [{ name, day: Date.parse(date) }];
  });
  return days.toSorted((a, b) => a.day - b.day);
}

/** @returns sorted; none when there is no such folder */
async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
