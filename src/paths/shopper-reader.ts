import type { Catalog } from '../catalog/catalog.js';
import type { ShopperEvent } from '../domain/event.js';
import type { Degradation } from '../domain/recommendation.js';
import { shopperIds } from '../domain/shopper.js';
import type { AppError, ErrorCode } from '../errors.js';
import { HEAD_BYTES, decodeProfile } from '../profile/codec.js';
import { fold } from '../profile/fold.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import { storeError } from '../redis/errors.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { ByteCache } from '../util/byte-cache.js';
import { LATE, within } from '../util/deadline.js';
import { INGEST_LIMITS, type EventIngestor, type IngestReport } from './ingest-events.js';

const READER_LIMITS = {
  /** Profiles kept for the moments when Redis does not answer. */
  staleMax: 5000,
  /** Memory for them: of most shoppers 1.1 KB. */
  staleBytesMax: 8 * 1024 * 1024,
} as const;

export interface ShopperState {
  /** Whose profile it is, of a merged shopper the user's; undefined where that is not known. */
  readonly shopper?: string | undefined;
  readonly profile: Profile;
  readonly degraded: Degradation[];
  /** What became of the page's own events. */
  readonly events: IngestReport | undefined;
}

/** First rungs of the ladder: the shopper's profile, with the page's events in it, fresh, stale or not at all. */
export class ShopperReader {
  /** As stored: decoded, thousands of them would keep the garbage collector busy. */
  readonly #stale = new ByteCache(READER_LIMITS.staleMax, READER_LIMITS.staleBytesMax);

  constructor(
    private readonly store: ProfileStore, private readonly ingestor: EventIngestor,
    private readonly catalog: Catalog, private readonly clock: () => number,
  ) {}

  /** @param waitMs time the store gets; then the last known profile serves */
  async read(shopper: string, events: readonly unknown[] | undefined, waitMs: number): Promise<ShopperState> {
    if (events !== undefined && events.length > 0) return this.#readFolding(shopper, events, waitMs);
    try {
      const fresh = await within(this.#fresh(shopper), waitMs);
      if (fresh !== LATE) {
        this.#remember(shopper, fresh.value);
        return { shopper: fresh.shopper, profile: fresh.profile, degraded: [], events: undefined };
      }
    } catch {
      // Redis failed, or a newer version wrote the profile: either way a ranking answers with what is known, and says so.
    }
    return { ...this.#lastKnown(shopper), events: undefined };
  }

  /** Forgets what is kept of an erased shopper. */
  forget(shopper: string): void {
    this.#stale.delete(shopper);
    this.ingestor.forget(shopper);
  }

  /** @returns the profile in Redis, of the user it was merged into where it was; an empty one for a new shopper */
  async #fresh(shopper: string): Promise<{ shopper: string; value: Buffer; profile: Profile }> {
    let key = shopper;
    for (let hop = 0; hop <= INGEST_LIMITS.redirects; hop++) {
      const value = await this.store.readHead(key);
      if (value === null) break;
      const profile = decodeProfile(value, { ids: false });
      if (profile.movedTo === undefined) return { shopper: key, value, profile };
      key = profile.movedTo;
    }
    return { shopper: key, value: NO_VALUE, profile: emptyProfile() };
  }

  #remember(shopper: string, value: Buffer): void {
    this.#stale.set(shopper, value.subarray(0, HEAD_BYTES));
  }

  async #readFolding(shopper: string, inputs: readonly unknown[], waitMs: number): Promise<ShopperState> {
    const report: IngestReport = { accepted: 0, duplicates: 0, rejected: [] };
    const { events, indexes } = this.#validate(shopper, inputs, report);
    if (events.length === 0) return { ...await this.read(shopper, undefined, waitMs), events: report };
    let failure: AppError;
    try {
      const outcome = await within(this.ingestor.store(shopper, events), waitMs);
      if (outcome !== LATE) {
        report.accepted = outcome.accepted;
        report.duplicates = outcome.duplicates;
        this.#remember(shopper, outcome.value);
        return { shopper: outcome.shopper, profile: decodeProfile(outcome.value, { ids: false }), degraded: [], events: report };
      }
      failure = storeError(new Error('Command timed out'));
    } catch (error) {
      failure = storeError(error);
    }
    return this.#foldLocally(shopper, events, indexes, report, failure);
  }

  /** The page still gets a list that knows its events; the reply says that they must be sent again. */
  #foldLocally(
    shopper: string, events: readonly ShopperEvent[], indexes: readonly number[], report: IngestReport, failure: AppError,
  ): ShopperState {
    const { profile, degraded } = this.#lastKnown(shopper);
    for (const event of events) fold(profile, event, event.itemId === undefined ? undefined : this.catalog.facts(event.itemId));
    for (const index of indexes) report.rejected.push({ index, code: failure.code, message: failure.message });
    return { profile, degraded: [...degraded, 'events_not_stored'], events: report };
  }

  #lastKnown(shopper: string): { profile: Profile; degraded: Degradation[] } {
    const value = this.#stale.get(shopper);
    if (value === undefined) return { profile: emptyProfile(), degraded: ['no_features'] };
    return { profile: value.length === 0 ? emptyProfile() : decodeProfile(value, { ids: false }), degraded: ['stale_features'] };
  }

  /** Events of a page belong to its shopper: absent ids are filled in, others' are rejected. */
  #validate(shopper: string, inputs: readonly unknown[], report: IngestReport): { events: ShopperEvent[]; indexes: number[] } {
    const receivedAt = this.clock();
    const owner = shopperIds(shopper);
    const events: ShopperEvent[] = [];
    const indexes: number[] = [];
    inputs.forEach((input, index) => {
      const whole = typeof input === 'object' && input !== null && !('userId' in input) && !('anonymousId' in input) ? Object.assign({}, input, owner) : input;
      const event = this.ingestor.validate(whole, receivedAt);
      const rejection: { code: ErrorCode; message: string } | undefined = 'code' in event ? event
        : event.shopper === shopper ? this.ingestor.refusalOf(event)
          : { code: 'invalid_event', message: 'The event belongs to another shopper than the page; send it to /v1/events.' };
      if (rejection !== undefined) report.rejected.push({ index, ...rejection });
      else if (!('code' in event)) {
        events.push(event);
        indexes.push(index);
      }
    });
    return { events, indexes };
  }
}

const NO_VALUE = Buffer.alloc(0);
