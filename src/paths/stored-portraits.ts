import { timezoneNamed, type Attributes } from '../domain/attributes.js';
import type { PortraitRecord } from '../domain/record.js';
import { AppError } from '../errors.js';
import type { PortraitSource } from '../offers/decide/portrait-source.js';
import { describePortrait, type Membership } from '../profile/describe-portrait.js';
import { PortraitView, type PortraitBook } from '../profile/portrait.js';
import type { Buyers } from '../profile/buyers.js';
import type { PortraitFieldName } from '../profile/portrait-schema.js';
import type { Profile } from '../profile/profile.js';
import type { AttributeStore } from '../redis/attribute-store.js';
import type { PortraitStore } from '../redis/portrait-store.js';
import type { Standing, StandingStore } from '../redis/standing-store.js';
import type { SegmentSet } from '../segments/segment-set.js';
import { isDay } from '../util/calendar.js';
import type { Clock } from '../util/clock.js';

export interface StoredPortraitsDeps {
  readonly attributes: AttributeStore;
  readonly store: PortraitStore;
  readonly standings: Pick<StandingStore, 'read'>;
  /** What this process knows of the store as a whole. */
  readonly surroundings: { readonly segments: SegmentSet; readonly buyers: Buyers };
  readonly book: PortraitBook;
  readonly clock: Clock;
  readonly newId: () => string;
}

/** Portraits of shoppers as Redis has them, for expressions and for people, and what the store says of its shoppers. */
export class StoredPortraits implements PortraitSource {
  readonly #deps: StoredPortraitsDeps;

  constructor(deps: StoredPortraitsDeps) {
    this.#deps = deps;
  }

  /**
   * Reads what is stored beside the profile; its commands are sent at once, along with the caller's.
   * @param fields what will be read of the portrait
   */
  async open(shopper: string, fields: ReadonlySet<PortraitFieldName>): Promise<(profile: Profile, now: number) => PortraitView> {
    const { attributes, standings, surroundings, book } = this.#deps;
    const [known, standing, memberships] = await Promise.all([
      attributes.read(shopper), standings.read(shopper), fields.has('segments') ? this.#memberships(shopper) : NO_MEMBERSHIPS,
    ]);
    const segments = memberships.map(({ id }) => id);
    return (profile, now) =>
      new PortraitView({ profile, attributes: known, ...standing, segments, book, buyers: surroundings.buyers, now });
  }

  /** As `open`, for shoppers of one partition: attributes in one command, and of the rest only what the fields ask. */
  async openMany(shoppers: readonly string[], fields: ReadonlySet<PortraitFieldName>): Promise<((profile: Profile, now: number) => PortraitView)[]> {
    const { attributes, standings, surroundings: { buyers }, book } = this.#deps;
    const [known, standing, memberships] = await Promise.all([
      attributes.readMany(shoppers),
      STANDING_FIELDS.some((field) => fields.has(field)) ? Promise.all(shoppers.map((shopper) => standings.read(shopper))) : [],
      fields.has('segments') ? Promise.all(shoppers.map((shopper) => this.#memberships(shopper))) : [],
    ]);
    return shoppers.map((_, i) => {
      const segments = memberships[i]?.map(({ id }) => id) ?? NO_SEGMENTS;
      return (profile, now) => new PortraitView({ profile, attributes: known[i], ...standing[i] ?? NO_STANDING, segments, book, buyers, now });
    });
  }

  /** The portrait as JSON, with its evidence. */
  async describe(shopper: string, profile: Profile): Promise<Record<string, unknown>> {
    const [open, memberships] = await Promise.all([this.open(shopper, NO_FIELDS), this.#memberships(shopper)]);
    return describePortrait(open(profile, this.#deps.clock()), memberships);
  }

  async attributes(shopper: string): Promise<Attributes> {
    return await this.#deps.attributes.read(shopper) ?? {};
  }

  /** Replaces them. @throws AppError `invalid_request` for a time zone or a birthday that there is not */
  async writeAttributes(shopper: string, attributes: Attributes): Promise<void> {
    const { timezone, birthday } = attributes;
    if (birthday !== undefined && !isDay(birthday)) throw new AppError('invalid_request', `birthday is ${birthday}, and there is no such day.`);
    const known = timezone === undefined ? undefined : timezoneNamed(timezone);
    if (timezone !== undefined && known === undefined) {
      throw new AppError('invalid_request', `timezone is "${timezone}", which is no IANA time zone known here; send one like Europe/Berlin.`);
    }
    const { clock, newId } = this.#deps;
    const record: PortraitRecord = { type: 'portrait', id: newId(), shopper, at: clock() };
    await this.#deps.attributes.write(shopper, known === undefined ? attributes : { ...attributes, timezone: known }, record);
  }

  /** What the shopper is a member of, the latest first. Of a segment that was removed they may still be noted for a while. */
  async #memberships(shopper: string): Promise<Membership[]> {
    const memberships = await this.#deps.store.memberships(shopper);
    return [...memberships].toSorted((a, b) => b[1] - a[1]).flatMap(([id, since]) => {
      const segment = this.#deps.surroundings.segments.get(id);
      return segment === undefined ? [] : [{ id, title: segment.title, kind: segment.kind, since: new Date(since).toISOString() }];
    });
  }
}

/** What is not of the profile, the attributes or the segments. */
const STANDING_FIELDS: readonly PortraitFieldName[] = ['points', 'level', 'badges', 'riskScore'];
const NO_STANDING: Standing = { growth: undefined, riskScore: undefined };
const NO_SEGMENTS: readonly string[] = [];
const NO_MEMBERSHIPS: readonly Membership[] = [];
/** Memberships are described for themselves. */
const NO_FIELDS: ReadonlySet<PortraitFieldName> = new Set();
