import { listSlots } from '../../archive/files.js';
import { mergedLines } from '../../archive/lines.js';
import { readArchivedIncrement, readArchivedStatistics } from '../../archive/statistics.js';
import { decodeIncrement, type StatisticsIncrement } from '../../candidates/statistics-increment.js';
import { StatisticsDecoder } from '../../candidates/statistics-codec.js';
import { emptyStatisticsData, type StatisticsData, type TrendingData } from '../../candidates/statistics.js';
import type { PublishedTrending } from '../../redis/trending-store.js';

/** Trending lists by version, found by going forward. */
export class TrendingHistory {
  readonly #lines: AsyncGenerator<PublishedTrending>;
  #current: PublishedTrending = { version: 0, lists: {} };

  constructor(dir: string) {
    this.#lines = readLines(dir);
  }

  /** @returns undefined when it is not in the archive, or was passed */
  async find(version: number): Promise<TrendingData | undefined> {
    while (this.#current.version < version) {
      const next = await this.#lines.next();
      if (next.done === true) return undefined;
      this.#current = next.value;
    }
    return this.#current.version === version ? this.#current.lists : undefined;
  }
}

async function* readLines(dir: string): AsyncGenerator<PublishedTrending> {
  for (const { files } of await listSlots(dir, 'trending')) {
    for await (const text of mergedLines(files)) {
      try {
        yield (JSON.parse(text) as { trending: PublishedTrending }).trending;
      } catch {
        // Cut off by a crash: nobody ranked by what was never published.
      }
    }
  }
}

/** @returns the statistics of a version, undefined when they are not (any more) in the archive */
export async function readStatistics(dir: string, version: string): Promise<StatisticsData | undefined> {
  if (version === '') return emptyStatisticsData();
  const bytes = await readArchivedStatistics(dir, version);
  if (bytes === undefined) return undefined;
  const decoder = new StatisticsDecoder(bytes.length);
  decoder.push(bytes);
  return decoder.finish();
}

/** @returns an increment of a version, undefined when it is not (any more) in the archive */
export async function readIncrement(dir: string, version: string, number: number): Promise<StatisticsIncrement | undefined> {
  const bytes = await readArchivedIncrement(dir, version, number);
  return bytes === undefined ? undefined : decodeIncrement(bytes);
}
