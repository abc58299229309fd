import { expireArchive } from '../archive/expire.js';
import type { StreamKeeper } from '../redis/stream-keeper.js';
import type { Clock } from '../util/clock.js';

export const EXPIRE = 'expire';

/** A consumer that took nothing for this long is most likely gone, ms; if it is not, its next read brings it back. */
const CONSUMER_GONE_MS = 86_400_000;

interface ExpireOptions {
  readonly dir: string;
  readonly days: number;
  readonly clock: Clock;
  readonly keeper: StreamKeeper;
  readonly streams: readonly string[];
  readonly consumerGoneMs?: number;
  readonly onDone: (counts: { folders: number; consumers: number }) => void;
}

/** Deletes what is past its time: archive folders, and names of workers that no longer are. */
export function expire({ dir, days, clock, keeper, streams, consumerGoneMs = CONSUMER_GONE_MS, onDone }: ExpireOptions) {
  return async (): Promise<void> => {
    const folders = await expireArchive(dir, { days, now: clock() });
    onDone({ folders, consumers: await keeper.forgetConsumers(streams, consumerGoneMs) });
  };
}
