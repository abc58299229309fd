import type { CueOf } from '../domain/cue.js';
import { currentProfile } from '../offers/current-profile.js';
import type { PortraitSource } from '../offers/decide/portrait-source.js';
import type { LiveCase } from '../offers/decide/weigh.js';
import { decodeProfile } from '../profile/codec.js';
import type { PortraitFieldName } from '../profile/portrait-schema.js';
import { emptyProfile } from '../profile/profile.js';
import type { ClaimStore } from '../redis/claim-store.js';
import type { CueStore } from '../redis/cue-store.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { groupBy } from '../util/group-by.js';
import type { CueViewer } from './cue-viewer.js';

export interface CueReadingDeps {
  readonly profiles: Pick<ProfileStore, 'readMany' | 'readHead'>;
  readonly portraits: PortraitSource;
  readonly claims: Pick<ClaimStore, 'claimedBy'>;
  readonly store: Pick<CueStore, 'served'>;
}

interface Reading {
  readonly cue: CueOf<'coupon_ladder'>;
  readonly cases: readonly LiveCase[];
  /** Whether an earlier play may have begun with these viewers. */
  readonly areReturning: boolean;
  /** ms */
  readonly now: number;
}

/** First stage of a chunk: what is stored of its viewers, of each partition in one go. */
export async function readCueViewers(deps: CueReadingDeps, viewers: readonly CueViewer[], { cue, cases, areReturning, now }: Reading): Promise<void> {
  const { profiles, portraits, store } = deps;
  const fields = fieldsAsked(cases);
  await Promise.all([
    ...groupBy(viewers, ({ partition }) => partition).map(async ([partition, there]) => {
      const shoppers = there.map(({ shopper }) => shopper);
      const [values, documents, marks] = await Promise.all([
        profiles.readMany(shoppers), portraits.openMany(shoppers, fields), areReturning ? store.served(cue, partition, shoppers) : [],
      ]);
      there.forEach((viewer, i) => {
        viewer.mark = marks[i];
        const value = values[i];
        if (value !== null && value !== undefined) viewer.profile = decodeProfile(value, { ids: false });
        viewer.document = documents[i]!(viewer.profile, now);
      });
    }),
    ...(areReturning ? cue.offerIds.map((offerId) => readClaims(deps, viewers, offerId)) : []),
  ]);
  await Promise.all(viewers.filter(({ profile }) => profile.movedTo !== undefined).map((viewer) => follow(deps, viewer, fields, now)));
}

/** What a play that was cut short has claimed: nobody gets two. */
async function readClaims({ claims }: CueReadingDeps, viewers: readonly CueViewer[], offerId: string): Promise<void> {
  const numbers = await claims.claimedBy(offerId, viewers.map(({ claimKey }) => claimKey));
  numbers.forEach((number, i) => { if (number !== null) viewers[i]!.claimedOffer ??= offerId; });
}

/** A visitor who has become a user since the socket was opened. */
async function follow({ profiles, portraits }: CueReadingDeps, viewer: CueViewer, fields: ReadonlySet<PortraitFieldName>, now: number): Promise<void> {
  const current = await currentProfile(profiles, viewer.shopper);
  viewer.profile = current?.profile ?? emptyProfile();
  viewer.owner = current?.shopper ?? viewer.shopper;
  const documentOf = await portraits.open(viewer.owner, fields);
  viewer.document = documentOf(viewer.profile, now);
}

/** @returns what the offers ask of the portrait */
function fieldsAsked(cases: readonly LiveCase[]): ReadonlySet<PortraitFieldName> {
  const fields = new Set<PortraitFieldName>();
  for (const { prepared: { rule, offer } } of cases) {
    for (const field of rule?.fields ?? []) fields.add(field);
    if (offer.eligibility?.segments !== undefined) fields.add('segments');
  }
  return fields;
}
