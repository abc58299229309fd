import { decodeProfile, encodeProfile } from '../profile/codec.js';
import { mergeProfile } from '../profile/merge.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import type { ShopperRecord } from '../domain/record.js';
import { AppError } from '../errors.js';
import type { AttributeStore } from '../redis/attribute-store.js';
import type { ProfileStore } from '../redis/profile-store.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import { INGEST_LIMITS } from './ingest-events.js';

export interface ShopperDeps {
  readonly store: ProfileStore;
  readonly attributes: AttributeStore;
  readonly clock: Clock;
  readonly newToken: () => Buffer;
  readonly newId: () => string;
  /** Gives a visitor's claims and messages to the user; may be repeated. */
  readonly handOver: (from: string, to: string) => Promise<void>;
  /** Tells every process to forget what it keeps of the shopper. */
  readonly announceErased: (shopper: string) => Promise<void>;
}

/** What is done to a shopper as such: read, erase, merge. */
export class Shoppers {
  readonly #deps: ShopperDeps;

  constructor(deps: ShopperDeps) {
    this.#deps = deps;
  }

  /**
   * @returns the profile, of the user it was merged into where it was
   * @throws AppError `not_found`
   */
  async profile(shopper: string): Promise<{ shopper: string; profile: Profile; bytes: number }> {
    let key = shopper;
    for (let hop = 0; hop <= INGEST_LIMITS.redirects; hop++) {
      const value = await this.#deps.store.read(key);
      if (value === null) break;
      const profile = decodeProfile(value);
      if (profile.movedTo === undefined) return { shopper: key, profile, bytes: value.length };
      key = profile.movedTo;
    }
    throw new AppError('not_found', `There is no shopper ${shopper.slice(2)}; nothing was received from them, or they were erased.`);
  }

  /** @returns who the shopper is now: the user they were merged into, or they themselves */
  async current(shopper: string): Promise<string> {
    let key = shopper;
    for (let hop = 0; hop < INGEST_LIMITS.redirects; hop++) {
      const value = await this.#deps.store.readHead(key);
      const movedTo = value === null ? undefined : decodeProfile(value, { ids: false }).movedTo;
      if (movedTo === undefined) break;
      key = movedTo;
    }
    return key;
  }

  /**
   * Erases a shopper, and the visitors who were merged into them first: what was kept of those (an inbox, points) is theirs, too.
   * @throws AppError `not_found`
   */
  async erase(shopper: string): Promise<void> {
    for (const visitor of await this.#deps.store.visitorsOf(shopper)) await this.#eraseOne(visitor);
    if (!await this.#eraseOne(shopper)) {
      throw new AppError('not_found', `There is no shopper ${shopper.slice(2)}; nothing was received from them, or they were erased.`);
    }
  }

  /** @returns whether there was anything */
  async #eraseOne(shopper: string): Promise<boolean> {
    const record: ShopperRecord = { type: 'erase', id: this.#deps.newId(), shopper, at: this.#deps.clock() };
    if (!await this.#deps.store.erase(shopper, JSON.stringify(record))) return false;
    await this.#deps.announceErased(shopper);
    return true;
  }

  /**
   * Merges an anonymous shopper into a user, exactly once, though the two live in different slots:
   * 1. the anonymous profile is frozen (it says where it moved; events that come now go to the user), and what the store said of
   *    the visitor is said of the user;
   * 2. the frozen profile is merged into the user's, together with an id that a second merge would meet there;
   * 3. the anonymous profile is emptied, the signpost stays.
   * Whoever finds a frozen profile, after a crash between the steps, continues with step 2. Of a visitor without events there is no
   * profile to merge, but perhaps a claim, an inbox, points: the record alone takes them over.
   * @returns whether this call, or one it finished, merged the two
   */
  async alias(user: string, anonymous: string): Promise<boolean> {
    const frozen = await this.#freeze(anonymous, user);
    const { store, attributes, clock, newId, handOver } = this.#deps;
    await store.noteVisitor(user, anonymous);
    // A worker does it once more, for what came meanwhile. Left to it alone, the user could claim beside it until it has, and would miss what was sent.
    await handOver(anonymous, user);
    await attributes.move(anonymous, user, { type: 'portrait', id: newId(), shopper: user, at: clock() });
    if (isEmptied(frozen)) return false;
    await this.#mergeInto(user, anonymous, frozen);
    await this.#update(anonymous, (profile) => {
      if (isEmptied(profile)) return undefined;
      return { ...emptyProfile(), updatedAt: profile.updatedAt || clock(), movedTo: user };
    }, []);
    return true;
  }

  /** @returns the frozen profile; an emptied one has been merged */
  #freeze(anonymous: string, user: string): Promise<Profile> {
    return this.#update(anonymous, (current) => {
      if (current.movedTo !== undefined) {
        if (current.movedTo !== user) throw new AppError('conflict', `Anonymous shopper ${anonymous.slice(2)} was merged into another user before.`);
        return undefined;
      }
      return { ...current, movedTo: user };
    }, []);
  }

  async #mergeInto(user: string, anonymous: string, frozen: Profile): Promise<void> {
    const { store, clock, newId } = this.#deps;
    const alias = { type: 'alias', shopper: user, from: anonymous, at: clock() } as const;
    if (frozen.events === 0) return store.tell(user, JSON.stringify({ ...alias, id: newId(), isSilent: true } satisfies ShopperRecord));
    // The frozen profile cannot change, so its count of events tells this merge from one of a later anonymous life.
    const id = `alias:${anonymous}:${frozen.firstAt}:${frozen.events}`;
    const record: ShopperRecord = { ...alias, id };
    await this.#update(user, (current) => {
      if (current.ids.ids.includes(hash48(id))) return undefined;
      mergeProfile(current, structuredClone(frozen));
      current.ids.ids.push(hash48(id));
      current.ids.at.push(Math.floor(current.updatedAt / 1000));
      return current;
    }, [JSON.stringify(record)]);
  }

  /**
   * Reads, changes and writes a profile until nobody was in between.
   * @param change returns the new profile, or undefined to leave it
   * @returns the profile as it is afterwards
   */
  async #update(shopper: string, change: (profile: Profile) => Profile | undefined, records: readonly string[]): Promise<Profile> {
    let value = await this.#deps.store.read(shopper);
    for (let attempt = 0; attempt < INGEST_LIMITS.attempts; attempt++) {
      const current = value === null ? emptyProfile() : decodeProfile(value);
      const next = change(current);
      if (next === undefined) return current;
      const result = await this.#deps.store.write(shopper, value, encodeProfile(next, this.#deps.newToken()), records);
      if (result.written) return next;
      value = result.current;
    }
    throw new AppError('write_contended', `Shopper ${shopper.slice(2)} is written from too many places at once; try again.`);
  }
}

/** A profile that was merged has a time, but no events; one that was frozen without events has no time yet. */
const isEmptied = (profile: Profile): boolean => profile.events === 0 && profile.updatedAt > 0;
