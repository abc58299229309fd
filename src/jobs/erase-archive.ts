import { eraseFromArchive } from '../archive/erase.js';
import type { Clock } from '../util/clock.js';

export const ERASE_ARCHIVE = 'erase-archive';

/** An event may reach the archive after its shopper's erasure did, through a worker that fell silent: look back. */
const LOOK_BACK_MS = 3 * 86_400_000;

/** @param data `{from}`: begin of the hour whose erasures are to be carried out, ms */
export function eraseArchive(options: { dir: string; clock: Clock; onDone: (lines: number) => void }) {
  return async (data: unknown): Promise<void> => {
    const from = typeof data === 'object' && data !== null && 'from' in data && typeof data.from === 'number' ? data.from : 0;
    options.onDone(await eraseFromArchive(options.dir, { since: from - LOOK_BACK_MS, now: options.clock() }));
  };
}
