import { parseAttributes } from '../domain/attributes.js';
import type { ChangeCause } from '../domain/segment.js';
import { AppError } from '../errors.js';
import { encodeBuyers, sumBuyers, buyerBuckets, type Buyers } from '../profile/buyers.js';
import { decodeProfile } from '../profile/codec.js';
import { PortraitView, type PortraitBook } from '../profile/portrait.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import type { Lease } from '../redis/lease.js';
import type { PortraitStore, StoredPortrait } from '../redis/portrait-store.js';
import type { SegmentStore } from '../redis/segment-store.js';
import type { Standing, StandingStore } from '../redis/standing-store.js';
import type { SegmentSet } from '../segments/segment-set.js';
import type { Clock } from '../util/clock.js';
import { breathe } from '../util/pause.js';
import type { EventEntry, StreamHandler } from './streams.js';

/** Job: looks at all shoppers, because time has passed or segments have changed. */
export const SWEEP_SEGMENTS = 'sweep-segments';

export const SEGMENT_KEEPER_LIMITS = {
  /** Shoppers looked at at once. */
  atOnce: 64,
  /** Tries for a shopper who is being written all the while; their next event comes anyway. */
  attempts: 5,
} as const;

export interface SegmentKeeperOptions {
  readonly portraits: PortraitStore;
  readonly store: SegmentStore;
  readonly book: PortraitBook;
  /** As they are now in this process. */
  readonly segments: () => SegmentSet;
  readonly buyers: () => Buyers;
  readonly standings: Pick<StandingStore, 'read'>;
  readonly clock: Clock;
}

/**
 * Behind the event stream: keeps who is in which segment, and what the store's buyers come to. Every shopper of a batch is
 * looked at once, as they are now; what follows is written only if they still are. So it may be repeated, and done by two
 * workers at once.
 */
export class SegmentKeeper implements StreamHandler {
  readonly name = 'segments';
  readonly attemptsMax = 10;
  readonly #options: SegmentKeeperOptions;

  constructor(options: SegmentKeeperOptions) {
    this.#options = options;
  }

  async handle(entries: readonly EventEntry[]): Promise<void> {
    const shoppers = new Set<string>();
    for (const { record } of entries) {
      shoppers.add(record.shopper);
      if (record.type === 'alias') shoppers.add(record.from);
    }
    await this.#settleAll([...shoppers], 'event');
  }

  /** Looks at everybody. @param signal ends it early */
  async sweep(cause: ChangeCause, signal: AbortSignal): Promise<number> {
    const { store } = this.#options;
    let looked = 0;
    for (const pages of [store.profiles(), store.orphans()]) {
      for await (const shoppers of pages) {
        signal.throwIfAborted();
        await this.#settleAll(shoppers, cause);
        looked += shoppers.length;
        await breathe();
      }
    }
    return looked;
  }

  async #settleAll(shoppers: readonly string[], cause: ChangeCause): Promise<void> {
    const { atOnce } = SEGMENT_KEEPER_LIMITS;
    for (let from = 0; from < shoppers.length; from += atOnce) {
      await Promise.all(shoppers.slice(from, from + atOnce).map((shopper) => this.#settle(shopper, cause)));
    }
  }

  async #settle(shopper: string, cause: ChangeCause): Promise<void> {
    const { portraits, standings, clock } = this.#options;
    for (let attempt = 0; attempt < SEGMENT_KEEPER_LIMITS.attempts; attempt++) {
      const [seen, standing] = await Promise.all([portraits.read(shopper), standings.read(shopper)]);
      const at = clock();
      const looked = this.#look(seen, standing, at);
      if (looked === undefined) return;
      const { ids, buckets } = looked;
      const entered = ids.filter((id) => !seen.memberships.has(id));
      const left = [...seen.memberships.keys()].filter((id) => !ids.includes(id));
      if (entered.length === 0 && left.length === 0 && buckets === seen.buckets) return;
      if (await portraits.settle(shopper, seen, { buckets, entered, left, at, cause })) return;
    }
  }

  /** @returns the segments the shopper belongs in, and the buckets they count in; undefined when this version cannot read the profile */
  #look(seen: StoredPortrait, standing: Standing, now: number): { ids: readonly string[]; buckets: string } | undefined {
    const { book, segments, buyers } = this.#options;
    const profile = seen.head === null ? emptyProfile() : readable(seen.head);
    if (profile === undefined) return undefined;
    // Nobody, somebody erased, or somebody who is somebody else now.
    if ((seen.head === null && seen.attributes === '') || profile.movedTo !== undefined) return { ids: [], buckets: '' };
    const view = new PortraitView({ profile, attributes: parseAttributes(seen.attributes), ...standing, segments: [], book, buyers: buyers(), now });
    return { ids: segments().of(view), buckets: buyerBuckets(profile)?.join(',') ?? '' };
  }
}

/** A newer version may have written it: its workers look after the shopper, and the others are not to be held up. */
function readable(head: Buffer): Profile | undefined {
  try {
    return decodeProfile(head, { ids: false });
  } catch (error) {
    if (error instanceof AppError && error.code === 'profile_unreadable') return undefined;
    throw error;
  }
}

/** Sums the buyers of all partitions up and publishes them when they have changed. */
export class BuyersPublisher {
  #published: string | undefined;

  /** @param everyMs between two publications; the role stays with one worker while it lives */
  constructor(private readonly options: { readonly store: SegmentStore; readonly lease: Lease; readonly everyMs: number }) {}

  async publish(): Promise<void> {
    const { store, lease, everyMs } = this.options;
    if (!await lease.take(everyMs * 3)) return;
    const json = encodeBuyers(sumBuyers(await store.buyerCounts()));
    this.#published ??= await store.buyers();
    if (json === this.#published) return;
    await store.publishBuyers(json);
    this.#published = json;
  }
}
