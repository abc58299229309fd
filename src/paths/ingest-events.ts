import type { StoredEvents } from '../campaigns/instant.js';
import type { Catalog } from '../catalog/catalog.js';
import type { ShopperEvent } from '../domain/event.js';
import { AppError, type ErrorCode } from '../errors.js';
import { decodeProfile, encodeProfile } from '../profile/codec.js';
import { fold } from '../profile/fold.js';
import { emptyProfile } from '../profile/profile.js';
import { isUncertain, storeError } from '../redis/errors.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { ByteCache } from '../util/byte-cache.js';
import type { Clock } from '../util/clock.js';
import { loopShare } from '../util/loop-share.js';
import { Turns } from '../util/turns.js';
import { validateEvent, type Rejection } from './validate-event.js';

/** The event path, top to bottom: validate, read, fold, compare and set with the append, acknowledge. */

export const INGEST_LIMITS = {
  /** Tries to write one shopper's profile while others write it too. */
  attempts: 16,
  /** Time to wait for one's turn with a shopper's profile once others were met there; then it is tried out of turn, ms. */
  turnMs: 1000,
  /** Merged shoppers followed one after another. */
  redirects: 4,
  /** Profiles kept as they were stored, and memory for them, most take about 1.2 KB: whoever sends an event soon sends another. */
  keptMax: 5000, keptBytesMax: 8 * 1024 * 1024,
} as const;

export interface IngestReport {
  /** Now in the profile and in the stream, visible to the next read. */
  accepted: number;
  /** Seen before, within the stated window. */
  duplicates: number;
  rejected: { index: number; code: ErrorCode; message: string }[];
}

export interface IngestDeps {
  readonly store: ProfileStore;
  readonly catalog: Catalog;
  readonly clock: Clock;
  /** Of the store; undefined: any. */
  readonly currency?: string | undefined;
  /** 8 random bytes, new at each call. */
  readonly newToken: () => Buffer;
  /** Counted: events taken, and those whose item the catalog does not know. */
  readonly onFolded: (events: number, unknownItems: number) => void;
  /** @returns seconds after which the shopper or device may send more; undefined: it is taken. Counts it */
  readonly limit?: ((event: ShopperEvent) => number | undefined) | undefined;
  /** Told of events the moment they are stored, before they are acknowledged; must not throw. */
  readonly afterStored?: ((stored: StoredEvents) => void) | undefined;
}

interface Group {
  readonly shopper: string;
  readonly events: ShopperEvent[];
  readonly indexes: number[];
}

interface Outcome {
  /** Whose profile it is: after merges, the user's. */
  readonly shopper: string;
  readonly accepted: number;
  readonly duplicates: number;
  /** The profile as stored; nobody changes these bytes. */
  readonly value: Buffer;
}

/** A profile with the events in it, and those of them that were not seen before. */
interface Folded {
  readonly fresh: readonly ShopperEvent[];
  /** How many of those are about items that the catalog does not know. */
  readonly unknown: number;
  readonly value: Buffer;
  readonly movedTo: string | undefined;
}

export class EventIngestor {
  readonly #deps: IngestDeps;
  /** As this process stored them last. Somebody else may have written since: then the store refuses the write and says what is there now. */
  readonly #kept = new ByteCache(INGEST_LIMITS.keptMax, INGEST_LIMITS.keptBytesMax);
  /** At profiles where others were met: of a crowd that tries at once, each time all but one try in vain. */
  readonly #turns = new Turns(INGEST_LIMITS.turnMs);

  constructor(deps: IngestDeps) {
    this.#deps = deps;
  }

  /**
   * Takes a batch; one bad event never sinks the others.
   * @throws AppError only when nothing could be stored (`store_unavailable`, `write_unknown`, `backlog_full`) or all was too much (`rate_limited`)
   */
  async ingest(inputs: readonly unknown[]): Promise<IngestReport> {
    const report: IngestReport = { accepted: 0, duplicates: 0, rejected: [] };
    const groups = await this.#group(inputs, report);
    if (groups.length === 0) {
      const [first] = report.rejected;
      // Of a batch of which anything was taken the report tells; it is no failure.
      if (first !== undefined && report.rejected.every(({ code }) => code === 'rate_limited')) throw new AppError('rate_limited', first.message, { retryAfterS: RETRY_AFTER_S });
      return report;
    }
    const failures: AppError[] = [];
    let values: readonly (Buffer | null)[] = [];
    try {
      // One alone may be kept here.
      if (groups.length > 1) values = await this.#deps.store.readMany(groups.map(({ shopper }) => shopper));
    } catch (error) {
      throw storeError(error);
    }
    await Promise.all(groups.map(async (group, i) => {
      try {
        const outcome = await this.store(group.shopper, group.events, values[i]);
        report.accepted += outcome.accepted;
        report.duplicates += outcome.duplicates;
      } catch (error) {
        const failure = storeError(error);
        failures.push(failure);
        for (const index of group.indexes) report.rejected.push({ index, code: failure.code, message: failure.message });
      }
    }));
    const [failure] = failures;
    if (failure !== undefined && failures.length === groups.length) throw failure;
    report.rejected.sort((a, b) => a.index - b.index);
    return report;
  }

  /**
   * Folds one shopper's events and stores profile and events together.
   * @param read the stored profile, where it has been read already (null: there is none)
   * @returns what came of it, with the profile as stored
   */
  async store(shopper: string, events: readonly ShopperEvent[], read?: Buffer | null): Promise<Outcome> {
    let key = shopper;
    let value = read;
    for (let hop = 0; hop <= INGEST_LIMITS.redirects; hop++) {
      const outcome = await this.#compareAndSet(key, events, value);
      if (typeof outcome !== 'string') return outcome;
      key = outcome;
      value = undefined;
    }
    throw new AppError('conflict', `Shopper ${shopper} was merged more than ${INGEST_LIMITS.redirects} times in a row.`);
  }

  /** Forgets what is kept of an erased shopper. */
  forget(shopper: string): void {
    this.#kept.delete(shopper);
  }

  /** @returns the event in its inner form, or why it is not taken */
  validate(input: unknown, receivedAt: number): ShopperEvent | Rejection {
    return validateEvent(input, receivedAt, this.#deps.currency);
  }

  /** Counts an event. @returns why it is not taken: its shopper or device sends too many */
  refusalOf(event: ShopperEvent): { code: ErrorCode; message: string } | undefined {
    const waitS = this.#deps.limit?.(event);
    return waitS === undefined ? undefined : { code: 'rate_limited', message: `Too many events of this shopper or device; send it again in ${waitS} s.` };
  }

  async #group(inputs: readonly unknown[], report: IngestReport): Promise<Group[]> {
    const receivedAt = this.#deps.clock();
    const groups = new Map<string, Group>();
    for (let index = 0; index < inputs.length; index++) {
      const event = this.validate(inputs[index], receivedAt);
      if ('code' in event) {
        report.rejected.push({ index, ...event });
        // To say what is wrong takes far longer than to take what is right: a thousand times holds everybody up.
        await loopShare();
        continue;
      }
      const refused = this.refusalOf(event);
      if (refused !== undefined) {
        report.rejected.push({ index, ...refused });
        continue;
      }
      const group = groups.get(event.shopper);
      if (group === undefined) groups.set(event.shopper, { shopper: event.shopper, events: [event], indexes: [index] });
      else {
        group.events.push(event);
        group.indexes.push(index);
      }
    }
    return [...groups.values()];
  }

  /** @returns what came of it, or the key of the shopper this one was merged into */
  async #compareAndSet(shopper: string, events: readonly ShopperEvent[], read: Buffer | null | undefined): Promise<Outcome | string> {
    const { store } = this.#deps;
    // Where a crowd is at it, nobody pushes in.
    let endTurn = this.#turns.isTaken(shopper) ? await this.#turns.take(shopper) : undefined;
    try {
      const known = endTurn === undefined ? read : undefined;
      const kept = known === undefined ? this.#kept.get(shopper) : undefined;
      let value = known ?? kept ?? (known === null ? null : await store.read(shopper));
      /** Events of an unknown write, which may have landed: then they are "seen before", yet they are ours and count as accepted. */
      let attempted = 0;
      for (let attempt = 0; attempt < INGEST_LIMITS.attempts; attempt++) {
        const folded = this.#fold(value, events, shopper);
        if (folded.movedTo !== undefined) return folded.movedTo;
        const accepted = Math.max(attempted, folded.fresh.length);
        const outcome = { shopper, accepted, duplicates: events.length - accepted, value: folded.value };
        // Of what is kept here only the store can tell whether it still holds: the shopper may have been erased.
        if (folded.fresh.length === 0 && value !== kept) return outcome;
        const result = folded.fresh.length === 0 ? { current: await store.read(shopper) } : await this.#write(shopper, value, folded, attempted > 0);
        if (result === 'written') {
          this.#tell(shopper, value, folded, read === undefined);
          return outcome;
        }
        if ('isUnknown' in result) attempted = folded.fresh.length;
        value = result.current;
        if (endTurn === undefined) {
          const isFirst = !this.#turns.isTaken(shopper);
          endTurn = await this.#turns.take(shopper);
          if (!isFirst) value = await store.read(shopper);
        }
      }
      throw new AppError('write_contended', `Shopper ${shopper} is written from too many places at once; send the same events again.`);
    } finally {
      endTurn?.();
    }
  }

  /** @returns what is stored instead when it is not written; after a write of unknown fate that may be what was written. @throws at a second such write */
  async #write(shopper: string, value: Buffer | null, folded: Folded, wasUnknown: boolean): Promise<'written' | { current: Buffer | null; isUnknown?: true }> {
    const { store } = this.#deps;
    try {
      const result = await store.write(shopper, value, folded.value, folded.fresh.map((event) => JSON.stringify(event)));
      return result.written ? 'written' : result;
    } catch (error) {
      if (!isUncertain(error) || wasUnknown) throw error;
      return { current: await store.read(shopper), isUnknown: true };
    }
  }

  /** @param isKept not of batches: so many living on would keep the garbage collector busy */
  #tell(shopper: string, before: Buffer | null, { fresh, unknown, value }: Folded, isKept: boolean): void {
    const { onFolded, afterStored } = this.#deps;
    onFolded(fresh.length, unknown);
    if (isKept) this.#kept.set(shopper, value);
    afterStored?.({ shopper, events: fresh, value, isNew: before === null });
  }

  /**
   * Decodes, folds, encodes, all at once: no profile lives on while Redis is awaited. A thousand of them waiting survived
   * each collection of young objects, which cost a third of the CPU of ingestion.
   * @param value as read, null for a new shopper
   */
  #fold(value: Buffer | null, events: readonly ShopperEvent[], shopper: string): Folded {
    const { catalog } = this.#deps;
    const profile = value === null ? emptyProfile() : decodeProfile(value);
    if (profile.movedTo !== undefined) return { fresh: [], unknown: 0, value: NO_VALUE, movedTo: profile.movedTo };
    const fresh: ShopperEvent[] = [];
    let unknown = 0;
    for (const event of events) {
      const facts = event.itemId === undefined ? undefined : catalog.facts(event.itemId);
      if (!fold(profile, event, facts)) continue;
      fresh.push(event.shopper === shopper ? event : { ...event, shopper });
      if (event.itemId !== undefined && facts === undefined) unknown += 1;
    }
    if (fresh.length === 0) return { fresh, unknown, value: value ?? NO_VALUE, movedTo: undefined };
    return { fresh, unknown, value: encodeProfile(profile, this.#deps.newToken()), movedTo: undefined };
  }
}

/** Windows are of a minute. */
const RETRY_AFTER_S = 60;
const NO_VALUE = Buffer.alloc(0);
