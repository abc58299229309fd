import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ARCHIVE_KINDS, KEPT_DAYS, listDays } from './files.js';

const DAY_MS = 86_400_000;

/** Deletes the day folders that ended more than `days` ago. @returns how many */
export async function expireArchive(dir: string, options: { days: number; now: number }): Promise<number> {
  let deleted = 0;
  for (const kind of ARCHIVE_KINDS) {
    for (const { name, day } of await listDays(dir, kind)) {
      const days = Math.min(options.days, KEPT_DAYS[kind] ?? Infinity);
      if (day + DAY_MS + days * DAY_MS > options.now) continue;
      await rm(join(dir, name), { recursive: true, force: true });
      deleted += 1;
    }
  }
  return deleted;
}
